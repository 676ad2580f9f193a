"""What a command loads before it begins its work: people wait for help and for a typo as long as that takes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "numba", "scipy", "matplotlib")
FORBIDDEN = (*HEAVY, "numpy", "pyvisa")

# Each runs in the same process, so that a module is put down to the first command that loads it.
_RUN = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from spinhw.cli import main

seen, found = set(), []
for line in json.load(sys.stdin):
    sys.argv, said, code = ["spinhw", *line], io.StringIO(), 0
    with redirect_stdout(said), redirect_stderr(said):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    loaded = {name.partition(".")[0] for name in sys.modules} - seen
    seen |= loaded
    found.append((line, code, sorted(loaded), said.getvalue()))
json.dump(found, sys.stdout)
"""

HELP = (
    "",
    "demo",
    "train",
    "evaluate",
    "align",
    "merit",
    "energy",
    "check",
    "study",
    "tune",
    "calibrate",
    "calibrate show",
    "devices",
    "off",
    "virtual-bench",
    "virtual-bench serve",
    "flipflop",
    "flipflop train",
    "flipflop analyse",
    "flipflop smallest",
    "flipflop import",
    "schema",
)
SCHEMAS = ("run", "device", "study", "loop_study", "synapse_study", "flipflop", "tuning", "record", "plan")
# What settings and paths alone tell; "there" is a folder that exists, "bench.yaml" and "chip.yaml" have a typo.
BAD = (
    "demo --set training.epoch=1",
    "demo --out there",
    "train nowhere.yaml",
    "train examples/digits.yaml --set training.epoch=5",
    "train examples/digits.yaml --set training.epochs=many",
    "train examples/digits.yaml --set network.tau=5",
    "train examples/digits.yaml --device imperfect-chp",
    "train examples/digits.yaml --device chip.yaml",
    "train examples/digits.yaml --device bench.yaml",
    "train examples/digits.yaml --device ideal --set device.chip.thermal=1",
    "train examples/digits.yaml --out there",
    "train examples/digits.yaml --set training.start=nowhere",
    "train examples/digits.yaml --set calibration.record=nowhere.yaml",
    "train examples/digits.yaml --dry-run",
    "train examples/digits.yaml --resume nowhere",
    "train examples/digits.yaml --resume there --out elsewhere",
    "evaluate nowhere",
    "evaluate there --device imperfect-chp",
    "evaluate there --chips 2",
    "align nowhere.yaml",
    "align examples/digits.yaml",
    "align examples/digits.yaml --device ideal --mode outputs",
    "energy nowhere.yaml",
    "energy examples/digits.yaml --set energy.rests=36ns",
    "check --device imperfect-chp",
    "check --device bench.yaml",
    "study fig2bb",
    "study fig2b --set sample_interval=3",
    "study chip_in_the_loop --set noise=3",
    "study fig2b --grid nowhere.yaml",
    "tune nowhere.yaml",
    "tune examples/digits.yaml --out tuned --set training.epoch=5",
    "tune examples/digits.yaml --out tuned --space nowhere.yaml",
    "calibrate --device imperfect-chp",
    "calibrate --device ideal --plan quik",
    "calibrate --device ideal --plan quick --interval 1_nanometre",
    "calibrate --device ideal --plan quick --config nowhere.yaml",
    "calibrate --device ideal --plan quick --out bench.yaml",
    "calibrate show nowhere.yaml",
    "calibrate show chip.yaml",
    "devices --scans",
    "off --device nowhere.yaml",
    "off --device bench.yaml",
    "virtual-bench serve chips",
    "flipflop train quik",
    "flipflop train quick --set training.epoch=5",
    "flipflop train quick --out there",
    "flipflop train quick --resume nowhere",
    "flipflop analyse nowhere",
    "flipflop analyse there",
    "flipflop smallest --units 4,eight",
    "flipflop smallest --set training.epoch=5",
    "flipflop import nowhere.hdf5",
    "schema runs",
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "there").mkdir()
    (tmp_path / "chip.yaml").write_text("kind: simulated\nsed: 3\n", encoding="utf-8")
    (tmp_path / "bench.yaml").write_text("kind: bench\nid: mine\ninstrument: {}\n", encoding="utf-8")
    return tmp_path


def run(place: Path, lines: list[str]) -> list[tuple[list[str], int, list[str], str]]:
    asked = [one.split() for one in lines]
    ended = subprocess.run(
        [sys.executable, "-c", _RUN], cwd=place, input=json.dumps(asked), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    found: list[tuple[list[str], int, list[str], str]] = json.loads(ended.stdout)
    return found


def test_help_tables_schemas_and_energy_load_nothing_heavy(place: Path) -> None:
    lines = [f"{command} --help" for command in HELP] + ["devices", *(f"schema {kind}" for kind in SCHEMAS)]
    for line, code, loaded, said in run(place, [*lines, "energy examples/digits.yaml"]):
        assert code == 0, (line, said)
        assert not {*FORBIDDEN} & {*loaded}, line


def test_bad_input_is_refused_before_anything_heavy_is_loaded(place: Path) -> None:
    for line, code, loaded, said in run(place, list(BAD)):
        assert code == 2, (line, said)
        assert not {*FORBIDDEN} & {*loaded}, line


def test_usual_units_are_read_without_pint(place: Path) -> None:
    loaded = {name for _, _, names, _ in run(place, ["schema run", "energy examples/digits.yaml"]) for name in names}
    assert "pint" not in loaded


def test_a_bench_is_brought_down_and_looked_for_with_pyvisa_alone(place: Path) -> None:
    off = place / "off.yaml"
    off.write_text(
        """
kind: bench
id: absent
backend: '@py'
instruments:
  bias:
    role: current-source
    driver: keithley-2400
    address: TCPIP0::127.0.0.1::9::SOCKET
    channels:
      1: {lowest: 0 mA, highest: 12 mA, compliance: 5 V, ramp_step: 2 mA, ramp_delay: 0 s}
""",
        encoding="utf-8",
    )
    (line, code, loaded, said), (scan, scanned, more, listed) = run(place, ["off --device off.yaml", "devices --scan"])
    assert code == 3, (line, said)
    assert scanned == 0, (scan, listed)
    assert "pyvisa" in loaded
    assert not {*HEAVY} & {*loaded, *more}
