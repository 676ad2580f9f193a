"""Every shipped example runs, and every shipped YAML file loads and points an editor at its schema."""

import re
from pathlib import Path

import pytest

from fakes.packages import install_zoo
from spinhw.config import profile_names, shipped
from spinhw.device import load_device
from spinhw.flipflop import load_flipflop
from spinhw.flipflop.load import has_oscillators
from spinhw.network import SpintronicNetwork
from spinhw.training import load_settings
from spinhw.tuning.trial import choosing_settings

ROOT = Path(__file__).parents[2]
SHIPPED = [*sorted((ROOT / "examples").glob("*.yaml")), *sorted((ROOT / "examples" / "paper").glob("*.yaml"))]
# Of networks of their own: not the paper's.
OTHERS = {"eight_resonators", "flipflop", "gestures", "sunspots"}
RECIPES = [path for path in SHIPPED if path.stem not in OTHERS]
FLIPFLOP = [ROOT / "examples" / "flipflop.yaml", *sorted((ROOT / "examples" / "flipflop").glob("*.yaml"))]
SMALL = [*sorted((ROOT / "examples" / "zoo").glob("*.yaml")), *sorted((ROOT / "examples" / "reservoir").glob("*.yaml"))]
FILES = [*sorted((ROOT / "examples").glob("**/*.yaml")), *sorted((ROOT / "devices").glob("*.yaml"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_yaml_points_an_editor_at_a_schema_that_is_there(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert found
    assert (path.parent / found[1]).is_file()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_every_recipe_is_the_papers_network(path: Path) -> None:
    settings = load_settings(path)
    topology = settings.network.topology()
    assert (topology.neurons, topology.synapses()) == (96, 2896)
    single = path.name == "one_oscillator.yaml"  # One oscillator plays one network at a time.
    assert settings.training.seeds == ((0,) if single else tuple(range(10)))
    assert SpintronicNetwork(settings.network, settings.steps, seed=0).synapse_count == 2896


@pytest.mark.parametrize("path", SMALL, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_recipe_of_a_small_task_loads_and_chooses_by_a_validation_part(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(install_zoo(tmp_path))
    settings = choosing_settings(path, (), (100, 101))
    assert settings.final_part == "validation" and settings.training.seeds == (100, 101)
    assert load_settings(path).training.seeds == tuple(range(10))


@pytest.mark.parametrize("path", FLIPFLOP, ids=lambda path: path.name)
def test_every_flipflop_recipe_loads(path: Path) -> None:
    settings = load_settings(path) if has_oscillators(path) else load_flipflop(path)
    assert settings.network.inputs == settings.task.inputs


def test_the_paper_recipe_follows_the_paper_where_it_speaks() -> None:
    settings = load_settings(ROOT / "examples" / "digits_paper.yaml")
    network, training = settings.network, settings.training
    assert network.tau_s == pytest.approx(14.12e-9)
    assert (network.gain, network.saturation.kind, network.initial_state, network.weight_limit) == (
        0.5,
        "none",
        "half",
        None,
    )
    assert (training.batch_size, training.optimiser.gradient_clip, training.optimiser.schedule) == (120, 1.0, "paper")
    assert (training.input_noise, training.label_smoothing, training.augmentation.active) == (0.0, 0.0, False)


def test_the_imperfect_chip_recipe_is_the_playable_one_on_a_device() -> None:
    plain, deployed = (
        load_settings(ROOT / "examples" / name) for name in ("digits.yaml", "digits_imperfect_chip.yaml")
    )
    assert plain.device is None
    assert deployed.device == load_device("imperfect-chip")
    assert deployed.model_copy(update={"device": None}) == plain


def test_the_robust_recipe_is_the_demo_on_drawn_chips() -> None:
    plain, robust = (load_settings(ROOT / "examples" / name) for name in ("demo.yaml", "robust.yaml"))
    assert robust.training.chips.profile == load_device("imperfect-chip")
    drawn = plain.training.model_copy(update={"chips": robust.training.chips})
    assert plain.model_copy(update={"training": drawn}) == robust


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_loads(name: str) -> None:
    kind = "visa" if name.endswith("-virtual") else "simulated"
    in_turn = name.startswith(("one-oscillator", "eight-resonators"))
    assert load_device(name).kind == ("multiplexed" if in_turn else kind)


def test_profiles_and_recipes_are_found() -> None:
    assert {"ideal", "imperfect-chip"} <= set(profile_names())
    assert (shipped("examples") / "digits.yaml").is_file()


def run_own_loop(before: int, in_loop: int, capsys: pytest.CaptureFixture[str]) -> list[float]:
    """Run the example with so many epochs before and with the chip; give the accuracies on the chip after both."""
    code = (ROOT / "examples" / "own_loop.py").read_text(encoding="utf-8")
    lengths = "(network, 60, 0.14), (loop, 12, 0.03)"
    assert lengths in code
    code = code.replace(lengths, f"(network, {before}, 0.14), (loop, {in_loop}, 0.03)")
    exec(compile(code, "own_loop.py", "exec"), {})
    return [float(text) for text in re.findall(r"(\d+\.\d) % of the test images", capsys.readouterr().out)]


def test_own_loop_learns_on_the_chip(capsys: pytest.CaptureFixture[str]) -> None:
    # Six seeds gained 23.9 +- 5.9 % in the loop and came to 60.6 +- 3.8 %: three spreads below, and more.
    before, after = run_own_loop(2, 4, capsys)
    assert after > before
    assert after > 45


@pytest.mark.campaign
def test_own_loop_reaches_what_the_recipe_reaches(capsys: pytest.CaptureFixture[str]) -> None:
    # 95.7 +- 1.0 % over ten seeds: three spreads below its mean.
    assert run_own_loop(60, 12, capsys)[1] > 95.7 - 3 * 1.0


def test_own_loop_is_short() -> None:
    lines = (ROOT / "examples" / "own_loop.py").read_text(encoding="utf-8").splitlines()
    code = [line for line in lines if line.strip() and not line.startswith(('"', "import", "from"))]
    assert len(code) <= 25


def test_readme_leads_to_the_whole_example() -> None:
    assert "(examples/own_loop.py)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(../examples/own_loop.py)" in (ROOT / "docs" / "loop.md").read_text(encoding="utf-8")
