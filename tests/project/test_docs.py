"""Every piece of Python that README and docs show runs, and imports from spinhw itself or from one room."""

import ast
import re
import textwrap
from contextlib import chdir
from pathlib import Path

import pytest
import torch
import yaml

from fakes.runs import tiny
from spinhw import NetworkSettings, SpintronicNetwork, open_bank, open_device, train
from spinhw.calibration import calibrate, calibrate_bank, load_plan
from spinhw.config import build, shipped
from spinhw.records import load_record
from spinhw.surrogate import Calibrated
from spinhw.training import RunSettings, load_settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = [
    pytest.param(page, textwrap.dedent(code), id=f"{page.stem}-{place}")
    for page in PAGES
    for place, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
]
# What is shown runs as it stands, but for this: a tenth of an epoch.
SHORTER = {"DigitsSettings()": "DigitsSettings(train_fraction=0.05)"}

SMALL_FLIPFLOP = """
task:
  {kind: flipflop, bits: 1, steps: 60, pulse_steps: 4, onsets: [[2, 6], [12, 20]], absent: [0, 0],
   sequences: 64, held_out: 4}
network: {layers: [4], inputs: 1, outputs: 1, readout: software}
training: {seeds: [0], epochs: 1, batch_size: 64} # A thousand sequences are measured at last: in large batches.
"""


def recorded_run(folder: Path) -> None:
    """A finished run with a recording, in ``runs/mine``."""
    train(tiny(epochs=1, loop={"epochs": 1}).model_copy(update={"recording": "observed"}), folder / "runs" / "mine")


def sunspots(code: str, folder: Path) -> dict[str, object]:
    """The data of the page about sunspots, and what its earlier pieces left: a run, and names."""
    (folder / "examples").mkdir()
    (folder / "examples" / "sunspots.csv").write_bytes((ROOT / "examples" / "sunspots.csv").read_bytes())
    short = ["training.seeds=[0]", "training.epochs=1", "training.substeps=2", "network.layers=[3]"]
    pieces = [piece.values[1] for piece in SHOWN if piece.values[0].stem == "sunspots"]
    names: dict[str, object] = {}
    before = pieces[: pieces.index(code)]
    if before:
        train(load_settings(ROOT / "examples" / "sunspots.yaml", short), folder / "runs" / "sunspots")
    with chdir(folder):
        for piece in before:
            exec(compile(piece, "sunspots.md", "exec"), names)
    return names


SMALL = NetworkSettings(layers=(3, 2))


def names_for(code: str, folder: Path) -> dict[str, object]:
    """Make what a piece takes for granted: files in the folder, and names."""
    if "nrmse(" in code or "networks.mean(" in code:
        return sunspots(code, folder)
    if "train(" in code:
        (folder / "examples").mkdir()
        settings = tiny(device=None, loop={"epochs": None, "learning_rate": None}, gradient="surrogate", seeds=[0, 1])
        (folder / "examples" / "demo.yaml").write_text(settings.to_yaml(), encoding="utf-8")
    if "runs/oscillators" in code:
        settings = build(RunSettings, yaml.safe_load(SMALL_FLIPFLOP), "oscillators.yaml")
        train(settings, folder / "runs" / "oscillators")
    if "runs/mine" in code:
        recorded_run(folder)
    if "open_station" in code:
        (folder / "bench.yaml").write_bytes((shipped("devices") / "bank-virtual.yaml").read_bytes())
    if "calibrated_synapses" in code:
        return {"path": ROOT / "calibration" / "synapses-virtual.yaml"} | tunings(8)
    if "load_chains" in code:
        return names_of_calibrated_chains(folder)
    if "load_record" in code or "known." in code:
        return names_of_a_calibrated_bank(code, folder)
    if "Recorder" in code:
        made = SpintronicNetwork(SMALL, seed=0)
        with open_device("imperfect-chip", made) as device:
            return {"network": made, "folder": folder / "kept", "state": device.state()}
    inputs = torch.linspace(-1, 2, 2 * 4 * 8).reshape(2, 4, 8, 1)
    return {"batches": [(one, torch.tensor([0, 1, 2, 3])) for one in inputs]}


def names_of_calibrated_chains(folder: Path) -> dict[str, object]:
    """The record of a small chip that takes tunings, and a network for it."""
    design = NetworkSettings.of("resonators").model_copy(update={"layers": (3, 2)})
    calibrate("rf-chip", "chains-quick", folder / "rf-0.yaml", design)
    return {"path": folder / "rf-0.yaml", "network": SpintronicNetwork(design, seed=0)}


def tunings(resonators: int) -> dict[str, torch.Tensor]:
    found = torch.linspace(-0.5, 0.5, resonators, dtype=torch.float64)
    return {"weights": found, "tuning": found.flip(0)}


def names_of_a_calibrated_bank(code: str, folder: Path) -> dict[str, object]:
    """A bank with its record, and what was measured of a network on it."""
    with open_bank("imperfect-chip", SMALL) as bank:
        calibrate_bank(bank, load_plan("quick"), SMALL, folder / "mychip.yaml")
    if "mychip.yaml" in code:
        return {"network": SMALL}
    made, generator = SpintronicNetwork(SMALL, seed=0).double(), torch.Generator().manual_seed(0)
    inputs = torch.linspace(-1, 2, 2 * 8, dtype=torch.float64).reshape(2, 8, 1)
    with torch.no_grad():
        run = made.run(inputs, record_drive=True)
    power = torch.cat([run.power[0, :, :1], run.power[0]], dim=1)  # (batch, time + 1, neuron)
    return {
        "network": made,
        "bank": bank,
        "path": folder / "mychip.yaml",
        "generator": generator,
        "known": Calibrated.of(load_record(folder / "mychip.yaml")),
        "drive": run.drive[0],
        "power": power,
        "good": torch.ones_like(power, dtype=torch.bool),
        "interval_s": 1e-9,
        "bias_drive": 2 / SMALL.tau_s,
        "weights": made.weights(),
        "nominal": made.neurons(),
        "inputs": inputs,
        "drive_rate_per_s": SMALL.drive_rate_per_s,
        "noise": 0.01,
    }


@pytest.mark.parametrize(("page", "code"), SHOWN)
def test_what_is_shown_runs(page, code, tmp_path, monkeypatch):
    for long, short in SHORTER.items():
        code = code.replace(long, short)
    names = names_for(code, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    exec(compile(code, f"{page.name}", "exec"), names)


def places(page: Path) -> set[str]:
    """List the anchors of a page's headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8"))
    for path, place in links:
        to = page.parent / path if path else page
        assert to.exists(), path
        assert not place or place in places(to), f"{path}#{place}"


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize(("page", "code"), SHOWN)
def test_what_is_shown_imports_from_spinhw_or_a_room(page, code):
    modules = [node.module for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom) and node.module]
    deep = [one for one in modules if one.startswith("spinhw.") and one.count(".") > 1]
    assert not [one for one in deep if one != "spinhw.instruments.roles"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_lines_for_a_shell_have_brackets_in_quotes(page):
    """Zsh takes brackets for a pattern of file names, and refuses the line where no file fits."""
    lines = page.read_text(encoding="utf-8").splitlines()
    bare = [line for line in lines if re.search(r"""--set [^\s"'`]*[][*?]""", line)]
    assert not bare
