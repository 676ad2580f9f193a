"""Every command that README and docs show runs: page by page, in order, in a fresh folder, as written but shortened."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from fakes.keras import keras_file

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

FINE = "training.fine_steps_per_ns=16"
DIGITS = "training.seeds=[0] training.epochs=1 training.substeps=1 task.train_fraction=0.02 task.held_out=validation"
# A thousand sequences are measured at last: in large batches.
FLIPFLOP = "training.seeds=[0] training.epochs=1 training.batch_size=128 task.sequences=128 task.held_out=4"
WAVES = "task.sequences=6 task.held_out=2 task.tested=2 task.length=60"
# What shortens a command, by how it begins; the first that fits. A bench is wired for a network of the full size.
SHORTER = {
    r"train examples/zoo/digits.* --set": f"{DIGITS} network.layers=[3,3] training.loop.epochs=1 {FINE}",
    r"train examples/zoo/digits": f"{DIGITS} network.layers=[3,3] {FINE}",
    r"train examples/(reservoir|zoo)": f"training.seeds=[0] training.epochs=1 {WAVES}",
    r"merit runs/": "",  # The network of the run.
    r"merit": "training.seeds=[0] network.layers=[5]",
    r"train runs/": "",  # As short as the run that it repeats.
    r"train \S+ --device (bench-virtual|mybench.yaml)": DIGITS,
    r"train \S*eight_resonators": f"training.epochs=2 training.loop.epochs=1 network.layers=[3,3] {FINE}",
    r"train \S*gestures": f"training.seeds=[0] training.epochs=1 training.substeps=1 network.layers=[3,3] {FINE}",
    r"train sunspots": f"training.seeds=[0] training.epochs=1 training.substeps=2 network.layers=[3] {FINE}",
    r"try": f"training.seeds=[0] training.epochs=1 training.substeps=1 network.layers=[3,3] {FINE}",
    r"(train|demo)\b": f"{DIGITS} network.layers=[3,3] {FINE}",
    r"flipflop train oscillators": f"{FLIPFLOP} training.final_part=validation network.layers=[4] "
    f"training.loop.epochs=1 {FINE}",
    r"flipflop (train|smallest)": f"{FLIPFLOP} network.units=4",
}
# What is too long even so, and runs up to where the work begins: that is replaced, and fails.
UP_TO_THE_WORK = {
    r"study (chip_in|averaging|rf_)": (
        "spinhw.studies.in_loop.look_ahead_in_loop",
        "hundreds of networks",
    ),
    r"study": ("spinhw.studies.look_ahead", "hundreds of networks"),
    r"baselines \S": ("spinhw.tuning.search.Search.run", "twenty trials of each model"),
    r"tune \S": ("spinhw.tuning.search.Search.run", "fifty trials"),
    r"flipflop smallest": ("spinhw.flipflop.smallest.train_sizes", "six sizes, each with its analysis"),
}
# What does not run here; that the command and its options are there is looked at.
ONLY_OPTIONS = {
    r"virtual-bench serve": "serves until Ctrl-C, and tests/cli/test_cli_bench.py has it do so",
    r"train .* --device served.yaml": "needs that server in another terminal",
}
PLACEHOLDER = re.compile(r"(^| )[A-Z][A-Z_.]+( |$)")


class BegunError(Exception):
    """The work would begin now."""


@dataclass(frozen=True)
class Shown:
    """A command, and whether it stands to be typed: in a block or a table, where nothing may be left out."""

    line: str
    typed: bool


def shown(text: str) -> Iterator[Shown]:
    """List the commands of a page, as they follow each other."""
    fence = None
    for line in text.splitlines():
        if line.startswith("```"):
            fence = line[3:] if fence is None else None
        elif fence in ("sh", "powershell") or (fence is None and line.startswith("    ")):
            found = re.match(r"\s*(?:\.venv\S)?(?:bin/|Scripts\\)?spinhw (.*?)(?:\s+#.*)?$", line)
            if found:
                yield Shown(found[1], typed=True)
        elif fence is None:
            for found in re.finditer(r"`spinhw ([^`]*)`", line):
                yield Shown(found[1], typed=line.startswith("|") and not PLACEHOLDER.search(found[1]))


def make_what_the_pages_describe(folder: Path) -> None:
    """Make the files that a page asks for in words: series, a bench file, old recipes of your own, Keras' weights."""
    gestures = (ROOT / "examples" / "gestures.csv").read_text(encoding="utf-8")
    (folder / "mydata.csv").write_text(gestures.replace(",gesture,", ",label,", 1), encoding="utf-8")
    (folder / "mybench.yaml").write_bytes((ROOT / "devices" / "bench-virtual.yaml").read_bytes())
    (folder / "myrecipes").mkdir()
    (folder / "myrecipes" / "old.yaml").write_text("task: {kind: digits}\ntraining: {schedule: cosine}\n", "utf-8")
    keras_file(folder / "weights.hdf5")


def options_are_there(spinhw, words: list[str]) -> None:
    """Look at the help of a command for the options that it is shown with."""
    names = [word for word in words[:2] if re.fullmatch(r"[a-z][a-z-]+", word)]
    page = spinhw(*names, "--help")
    if page.code:
        page = spinhw(names[0], "--help")
    assert page.code == 0
    assert not [word for word in words if word.startswith("--") and word not in page.out]


def first_of(table: dict, line: str):
    return next((found for begins, found in table.items() if re.match(begins, line)), None)


def run(spinhw, one: Shown, mocker: MockerFixture) -> None:
    words = shlex.split(one.line)
    if first_of(ONLY_OPTIONS, one.line) or PLACEHOLDER.search(one.line):
        options_are_there(spinhw, words)
        return
    changes = [part for change in (first_of(SHORTER, one.line) or "").split() for part in ("--set", change)]
    held = first_of(UP_TO_THE_WORK, one.line)
    if held is not None:
        begins = mocker.patch(held[0], side_effect=BegunError)
        with pytest.raises(BegunError):
            spinhw(*words, *changes)
        mocker.stop(begins)
        return
    done = spinhw(*words, *changes)
    if done.code == 2 and "Missing" in done.err and not one.typed:  # The name of a command, in a sentence.
        options_are_there(spinhw, words)
        return
    assert done.code == 0, f"spinhw {one.line}\n{done.out}\n{done.err}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_a_page_run_in_order(spinhw, page, tmp_path, monkeypatch, mocker):
    commands = list(shown(page.read_text(encoding="utf-8")))
    monkeypatch.chdir(tmp_path)
    mocker.patch("spinhw.plots.draw_run", return_value={})  # Half of a short run's time; other tests draw.
    mocker.patch("matplotlib.figure.Figure.savefig", lambda figure, target, **options: None)
    make_what_the_pages_describe(tmp_path)
    for one in commands:
        run(spinhw, one, mocker)


def test_commands_are_found():
    pages = ("README.md", "docs/flipflop.md")
    readme, flipflop = (list(shown((ROOT / name).read_text(encoding="utf-8"))) for name in pages)
    assert Shown("demo", typed=True) in readme
    assert Shown("evaluate runs/mine --device imperfect-chip --chips 20", typed=True) in readme
    assert Shown("evaluate runs/oscillators --device imperfect-chip", typed=True) in flipflop
    lines = ("    spinhw check --device x.yaml   # reads", "`spinhw off`", "```python", "spinhw nothing", "```")
    assert list(shown("\n".join([*lines, "| `spinhw energy RUN` | |"]))) == [
        Shown("check --device x.yaml", typed=True),
        Shown("off", typed=False),
        Shown("energy RUN", typed=False),
    ]


def rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Give the rows of all tables: line, and the cells."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("|"):
            yield number, re.split(r"(?<!\\)\|", re.sub(r"`[^`]*`", "code", line).strip())[1:-1]


PAGES_WITH_TABLES = sorted(path for path in ROOT.rglob("*.md") if not {".venv", ".git", "runs"} & set(path.parts))


@pytest.mark.parametrize("page", PAGES_WITH_TABLES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_row_stands_in_its_table(page):
    """A row after an empty line has lost its table, and is shown as text."""
    wide: dict[int, int] = {}  # Cells of the table that a line belongs to.
    table = dict(rows(page.read_text(encoding="utf-8")))
    for number, cells in table.items():
        wide[number] = wide.get(number - 1, len(cells))
        assert len(cells) == wide[number], f"{page.name}:{number}"
        if number - 1 not in table:
            under = table.get(number + 1, [])
            assert under and all(re.fullmatch(r"\s*:?-+:?\s*", cell) for cell in under), f"{page.name}:{number}"
