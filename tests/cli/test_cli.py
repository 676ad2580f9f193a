"""The command line as a user meets it: help, exit codes, one clear line for bad input, a whole run."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from spinhw import atomic
from spinhw.config import shipped

COMMANDS = (
    "demo",
    "try",
    "train",
    "evaluate",
    "align",
    "merit",
    "energy",
    "check",
    "devices",
    "off",
    "calibrate",
    "study",
    "tune",
    "schema",
)
TINY = """
network: {layers: [4, 3]}
training: {seeds: [0, 1], epochs: 1, batch_size: 450}
"""
TINY_GRID = """
seeds: [0]
protocols:
  mine: {spintronic: examples/digits.yaml, ctrnn: examples/ctrnn.yaml, taus: [5 ns], learning_rates: [0.1]}
overrides: ["network.layers=[3, 2]", training.epochs=1, training.batch_size=450, training.substeps=1]
sample_intervals: [1 ns]
substeps: [1]
densities_intra: [0.5]
densities_inter: [0.5]
densities_all: [0.5]
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(spinhw, command: str) -> None:
    shown = spinhw(command, "--help")
    assert shown.code == 0
    assert f"Example: spinhw {command}" in " ".join(shown.out.split())


def test_help_needs_no_torch() -> None:
    """Help must answer at once, and importing torch alone takes longer than that."""
    code = "import sys; sys.argv = ['spinhw', 'train', '--help']\nfrom spinhw.cli import main\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    code += "print(sorted({'torch', 'numpy', 'pint', 'matplotlib', 'sklearn', 'numba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_version(spinhw) -> None:
    shown = spinhw("--version")
    assert (shown.code, shown.out) == (0, "spinhw 0.1.0\n")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epoch=5", r"--set training\.epoch: unknown key 'epoch'; did you mean 'epochs'\?"),
        ("nework.tau=5 ns", r"unknown key 'nework'; did you mean 'network'\?"),
        (
            "network.tau=14 kg",
            r"network\.tau: the unit kg is not one of s; write for instance '14\.12 ns'; seen: '14 kg'",
        ),
        ("network.tau=14", r"network\.tau: a unit is needed, such as '14\.12 ns'; seen: 14"),
        ("network.tau=-1 ns", r"network\.tau: must be above zero; seen: '-1 ns'"),
        ("network.gain=.nan", r"network\.gain: .*finite number.*seen: nan"),
        ("network.gain=.inf", r"network\.gain: .*finite number.*seen: inf"),
        ("energy.per_neuron=nan fJ", r"energy\.per_neuron: a finite number is needed"),
        ("network.density_intra=1.2", r"network\.density_intra: .*less than or equal to 1; seen: 1\.2"),
        ("network.layers=[]", r"network\.layers: .*at least 1 item"),
        ("training.seeds=[1, 1]", r"seeds must differ, and 1 stands there more than once"),
        ("network.outputs=3", r"network\.outputs is 3, but the task sequential_digits has 10"),
        ("device=idael", r"device profile 'idael' was not found; allowed: .*ideal.*; next: did you mean 'ideal'\?"),
        ("training.epochs", r"not an override"),
    ],
)
def test_bad_settings_give_one_line_and_exit_code_2(
    spinhw, tiny: Path, tmp_path: Path, override: str, message: str
) -> None:
    out = tmp_path / "run"
    shown = spinhw("train", tiny, "--set", override, "--out", out)
    assert shown.code == 2
    assert re.search(message, shown.err), shown.err
    assert len(shown.err.splitlines()) == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("network: {layers: [4, 3}\n", r"broken\.yaml: broken YAML at line 1, column"),
        ("network:\n  tau: 5 ns\n tau: 6 ns\n", r"broken YAML at line 3, column"),
        ("network: {tau: 5 ns, tau: 6 ns}\n", r"key 'tau' stands twice"),
        ("- 1\n", r"not a YAML mapping"),
    ],
)
def test_broken_yaml_names_line_and_column(spinhw, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    shown = spinhw("train", path)
    assert shown.code == 2
    assert re.search(message, shown.err)
    assert len(shown.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "none.yaml"), r"none\.yaml: there is no such file"),
        (("evaluate", "none"), r"none: this is not a run folder; seen: no such folder"),
        (("energy", "none.yaml"), r"none\.yaml: there is no such file"),
        (("check", "--device", "ideel"), r"device profile 'ideel' was not found; allowed: .*imperfect-chip"),
        (("check", "--device", "none.yaml"), r"none\.yaml: there is no such device file"),
        (
            ("schema", "runs"),
            r"there is no schema 'runs'; allowed: run, device, study, loop_study, synapse_study, flipflop, "
            r"tuning, record, plan; "
            r"next: did you mean 'run'\?",
        ),
    ],
)
def test_missing_things_give_one_line_and_exit_code_2(spinhw, arguments: tuple[str, ...], message: str) -> None:
    shown = spinhw(*arguments)
    assert shown.code == 2
    assert re.search(message, shown.err), shown.err
    assert len(shown.err.splitlines()) == 1


def test_unknown_option_is_bad_input(spinhw) -> None:
    shown = spinhw("train", "x.yaml", "--epochs", "5")
    assert shown.code == 2
    assert "--epochs" in shown.err


@pytest.mark.parametrize(
    "config",
    sorted(
        {path.name for path in shipped("examples").glob("*.yaml")}
        - {"eight_resonators.yaml", "flipflop.yaml", "gestures.yaml", "sunspots.yaml"}
    ),
)
def test_energy_of_every_shipped_recipe(spinhw, config: str) -> None:
    shown = spinhw("energy", shipped("examples") / config)
    assert shown.code == 0
    wanted = ("852.58 nJ",) if config.startswith("ctrnn") else ("38.56 pJ", "24.68 pJ", "9.60 pJ", "28.96 pJ")
    assert all(text in shown.out for text in wanted)
    assert "estimated" in shown.out


def test_check_shows_a_verdict_for_every_promise(spinhw) -> None:
    shown = spinhw("check", "--device", "imperfect-chip")
    assert shown.code == 0
    assert shown.out.count("kept") >= 15
    assert "BROKEN" not in shown.out


def test_check_takes_a_profile_that_names_a_late_oscillator(spinhw, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("kind: simulated\nchip: {defects: {dead: [50]}}\n", encoding="utf-8")
    shown = spinhw("check", "--device", path)
    assert shown.code == 0, shown.err


def test_check_fails_with_device_trouble(spinhw, mocker: MockerFixture) -> None:
    from spinhw.device.contract import Verdict

    mocker.patch("spinhw.cli.contracts.check_device", lambda make: [Verdict("reads back", False, "reads 0")])
    shown = spinhw("check", "--device", "ideal")
    assert shown.code == 3
    assert "ideal: promises are broken; seen: reads back" in shown.err
    assert "BROKEN" in shown.out


@pytest.mark.parametrize("what", ["run", "device", "study", "tuning", "record", "plan", "flipflop"])
def test_shipped_schema_is_that_of_the_code(spinhw, tmp_path: Path, what: str) -> None:
    path = tmp_path / "schema.json"
    assert spinhw("schema", what, "--out", path).code == 0
    here = Path(__file__).parents[2] / "docs" / "schema" / f"{what}.json"
    assert path.read_text(encoding="utf-8") == here.read_text(encoding="utf-8"), (
        f"run: spinhw schema {what} --out {here}"
    )


def test_a_whole_run_evaluation_energy_and_what_is_refused(spinhw, tiny: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shown = spinhw("train", tiny, "--out", run, "--device", "imperfect-chip", "--set", "training.epochs=2")
    assert shown.code == 0, shown.err
    assert "accuracy on the device (headline)" in shown.out
    assert "the networks have not learned" in shown.out
    figures = {path.name for path in (run / "figures").iterdir()}
    assert figures == {"overview.png", "accuracy.png", "confusion.png", "traces.png", "energy.png"}
    assert all((run / "figures" / name).stat().st_size > 10_000 for name in figures)
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert len(summary["accuracy_converged"]["per_seed"]) == 2
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}

    again = spinhw("train", tiny, "--out", run)
    assert again.code == 2
    assert "training" not in again.out
    assert "this exists already" in again.err

    other = spinhw("train", tiny, "--resume", run, "--set", "network.gain=0.7")
    assert other.code == 2
    assert "the run was started with another config" in other.err
    assert "network.gain (0.5 there, 0.7 here)" in other.err
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before

    assert "good samples" in spinhw("evaluate", run, "--device", "lab-noise").out
    assert "pJ" in spinhw("energy", run).out
    resumed = spinhw("train", run / "config.yaml", "--resume", run)
    assert resumed.code == 0 and f"{run} has finished: it is measured again" in resumed.out
    assert json.loads((run / "summary.json").read_text())["accuracy"] == summary["accuracy"]

    checkpoint = run / "checkpoint.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    cut = spinhw("evaluate", run)
    assert cut.code == 2
    assert "checkpoint.safetensors" in cut.err
    assert len(cut.err.splitlines()) == 1


def test_paths_with_brackets_and_pictures_that_fail(
    spinhw, tiny: Path, tmp_path: Path, mocker: MockerFixture, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails after training, the table is printed and the user knows that the results are safe."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    from spinhw import plots

    mocker.patch.object(plots, "draw_run", full, create=True)
    run = tmp_path / "a[" / "b]:x:"
    shown = spinhw("train", tiny, "--out", run, "--set", "training.seeds=[0]")
    assert shown.code == 0
    assert f"run folder: {run}" in shown.out
    assert "accuracy converged" in shown.out
    assert "with the rest" not in shown.out
    assert "figures: the pictures could not be drawn; seen: No space left on device" in caplog.text
    assert f"the results are safe in {run / 'summary.json'}" in caplog.text
    assert len(caplog.records) == 1 and "pictures:" not in shown.out


def test_a_software_network_is_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    from spinhw.report import print_run

    figure = {"mean": 0.9, "std": None}
    drive = dict.fromkeys(("0.0", "0.05", "0.5", "0.95", "1.0"), 0.5)
    summary = {
        "network": "ctrnn", "task": "digits", "seeds": [0], "accuracy_converged": figure, "accuracy": figure,
        "energy_per_image_j": 8.5e-7, "energy_per_image_scaled_j": 8.5e-7, "energy_per_image_with_rest_j": 8.5e-7,
        "neurons": 96, "synapses": 2896, "drive_over_gamma": drive, "drive_saturated_share": None, "wall_s": 1.0,
        "confusion": [[1] * 10] * 10, "held_out": "test",
    }  # fmt: skip
    print_run(Console(width=200), summary, Path("a[/]b"))
    shown = capsys.readouterr().out
    assert "software arithmetic" in shown
    assert "no saturation" in shown
    assert "a[/]b" in shown
    assert not any(word in shown for word in ("constants", "hardware", "rest between"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--set", "device.chip.thermal_power=1"),
            r"--set device\.chip\.thermal_power: no device is named; .*--device",
        ),
        (("--device", "ideal", "--set", "device=thermal"), r"--device and --set device do not go together"),
    ],
)
def test_overrides_of_a_device_need_one(spinhw, tiny: Path, options: tuple[str, ...], message: str) -> None:
    shown = spinhw("train", tiny, *options)
    assert shown.code == 2
    assert re.search(message, shown.err), shown.err


def test_a_shipped_recipe_is_found_from_anywhere(spinhw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert spinhw("energy", "examples/digits.yaml").code == 0
    assert "examples/digits.yaml" in spinhw("energy", "examples/digit.yaml").err


def test_a_file_held_by_another_program_is_tried_again(tmp_path: Path, mocker: MockerFixture) -> None:
    """Antivirus and file synchronisers on Windows do that."""
    replace, refusals = os.replace, iter([True, True, False])

    def held(old: Path, new: Path) -> None:
        if next(refusals):
            raise PermissionError(errno.EACCES, "Access is denied")
        replace(old, new)

    mocker.patch.object(atomic.os, "replace", held)
    atomic.write_atomically(tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"


def test_what_to_do_when_nothing_can_be_written(tmp_path: Path) -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    assert "--resume" not in str(atomic.not_written(tmp_path / "run", error))
    (tmp_path / "checkpoint.safetensors").touch()
    assert "go on with --resume" in str(atomic.not_written(tmp_path / "summary.json", error))


@pytest.mark.parametrize("what", ["run", "device", "study", "tuning", "record", "plan", "flipflop"])
def test_schema_is_ascii(spinhw, what: str) -> None:
    assert spinhw("schema", what).out.isascii()


def test_out_and_resume_do_not_go_together(spinhw, tiny: Path, tmp_path: Path) -> None:
    shown = spinhw("train", tiny, "--resume", tmp_path, "--out", tmp_path / "x")
    assert shown.code == 2
    assert "--out and --resume do not go together" in shown.err


def test_interrupt_before_training_is_130(spinhw, mocker: MockerFixture, tiny: Path) -> None:
    from spinhw.cli import training

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    mocker.patch.object(training, "load_settings", stop)
    shown = spinhw("train", tiny)
    assert shown.code == 130


def test_a_study_ends_with_its_claims_and_says_what_it_left(spinhw, tmp_path: Path) -> None:
    grid = tmp_path / "grid.yaml"
    grid.write_text(TINY_GRID, encoding="utf-8")
    shown = spinhw("study", "headline", "--grid", grid, "--out", tmp_path / "out", "--jobs", 1)
    assert shown.code == 0, shown.err
    assert "1 different points, 1 networks; expected: about" in shown.out
    assert re.search(r"(yes|no)  headline, mine: 89.83", shown.out)
    assert (tmp_path / "out" / "headline.png").is_file()
    again = spinhw("study", "headline", "--grid", grid, "--out", tmp_path / "out", "--jobs", 1)
    assert "1 of them done already" in again.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("fig2",), "there is no study 'fig2'; allowed: .*did you mean 'fig2b'"),
        (("fig2", "--grid", "missing.yaml"), "there is no study 'fig2'"),
        (("fig4", "--set", "seeds=[]"), "seeds"),
        (("fig4", "--grid", "missing.yaml"), "missing.yaml: there is no such file"),
    ],
)
def test_bad_studies_get_one_line(spinhw, arguments: tuple[str, ...], complaint: str) -> None:
    shown = spinhw("study", *arguments)
    assert shown.code == 2
    assert re.search(complaint, shown.err)
    assert "Traceback" not in shown.err


@pytest.mark.timeout(300)  # The first run on a machine compiles the integrator.
@pytest.mark.parametrize("door", ["in process", "TCP"])
def test_a_run_is_measured_on_a_bench_of_instruments(
    spinhw, tiny: Path, tmp_path: Path, door: str, mocker: MockerFixture
) -> None:
    from fakes.visa import (
        CHIP_INSTRUMENTS,
        CHIP_TRUTH,
        CHIP_WIRING,
        LIMITS,
        TEK_FIFTY_OHMS,
        bench_file,
        standing,
    )

    truth = CHIP_TRUTH | {
        "network": {"layers": [4, 3], "outputs": 10},
        "instruments": CHIP_TRUTH["instruments"]
        | {
            "board": {"model": "synapse-controller", "outputs": 78, "power_on": LIMITS},
            "tek2": {"model": "tektronix-mso", "power_on": TEK_FIFTY_OHMS},
        },
        "probes": [
            CHIP_TRUTH["probes"][0],
            {"signal": "output", "numbers": list(range(8)), "to": "tek:1", "latency": "400 ps", "noise": "1 mV"},
            {"signal": "output", "numbers": [8, 9], "to": "tek2:1", "latency": "400 ps", "noise": "1 mV"},
        ],
    }
    screens = {str(one): {"lowest": "-100 mV", "highest": "100 mV"} for one in range(1, 9)}
    instruments = CHIP_INSTRUMENTS | {
        "tek": ("digitizer", "tektronix-mso", screens),
        "tek2": ("digitizer", "tektronix-mso", {one: screens[one] for one in ("1", "2")}),
    }
    wiring = CHIP_WIRING | {"outputs": [*(f"tek.{one}" for one in range(1, 9)), "tek2.1", "tek2.2"]}
    mocker.patch("spinhw.plots.draw_run", return_value={})  # As of any run; other tests draw.
    with standing(truth, door, tmp_path) as (made, addresses, backend):
        bench = tmp_path / "bench.yaml"
        bench.write_text(json.dumps(bench_file(instruments, wiring, addresses, backend)), encoding="utf-8")
        done = spinhw("train", tiny, "--set", "training.seeds=[0]", "--device", bench, "--out", tmp_path / "run")
        assert done.code == 0, done.err
        off = spinhw("off", "--device", bench)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert summary["device"]["kind"] == "visa" and summary["device"]["seed"] is None
    assert summary["device"]["good_share"] > 0.99
    assert summary["device"]["energy_per_image_j"] == pytest.approx(10e-3**2 * 50 * 64e-9, rel=1e-3)
    assert "energy per image, measured at the supply" in done.out
    snapshot = json.loads((tmp_path / "run" / "instruments.json").read_text(encoding="utf-8"))
    assert snapshot.keys() == instruments.keys()
    assert all(made.instruments[name].identity == one["identity"] for name, one in snapshot.items())
    assert snapshot["smu"]["settings"] == {"1.current_a": 0.01, "1.output": True}
    assert snapshot["board"]["settings"] == {"all.output": True}
    assert snapshot["awg"]["settings"]["rate_hz"] == 1e9
    here, there = summary["accuracy_converged"]["mean"], summary["accuracy_on_device"]["mean"]
    assert abs(here - there) < 0.25
    assert (off.code, "every output is off" in off.out) == (0, True)
