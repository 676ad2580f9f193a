"""The analysis: known spectra and cubes, every fixed point of networks that can be solved by hand, files and page."""

import base64
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

from spinhw.errors import ConfigError
from spinhw.flipflop import save_network
from spinhw.flipflop.analysis import Analysis, analyse
from spinhw.flipflop.autonomous import autonomous
from spinhw.flipflop.examine import Subject, examine, find_subject, write_analysis
from spinhw.flipflop.figures import cube_edges
from spinhw.flipflop.fixed_points import find_fixed_points, starts_around
from spinhw.flipflop.geometry import fit_cube, project, spectrum
from spinhw.flipflop.robustness import long_hold, robustness
from spinhw.flipflop.story import write_page
from spinhw.flipflop.walking import counted_codes
from spinhw.network import RecurrentNetwork, RecurrentSettings
from spinhw.streams import torch_stream
from spinhw.tasks import FlipFlopSettings
from spinhw.tasks.flipflop import draw_trials
from spinhw.tasks.score import score
from spinhw.tasks.trials import Trials

GAIN = 1.5  # Of a unit onto itself: tanh(1.5 h) = h at 0 and at +-0.8586.
TASK = FlipFlopSettings(delay_steps=0, noise=0.02)


def latch(bits: int = 3, gain: float = GAIN, leak: float = 1.0) -> RecurrentNetwork:
    """Make a network that holds bits by hand: one unit for each, which keeps itself up; a pulse turns it over."""
    settings = RecurrentSettings(inputs=bits, outputs=bits, units=bits, leak=leak)
    network = RecurrentNetwork(settings)
    rest = resting_point(gain)
    with torch.no_grad():
        network.w_rec.copy_(gain * torch.eye(bits))
        network.w_in.copy_(2.0 * torch.eye(bits))
        network.w_out.copy_(torch.eye(bits) / rest)
    return network


def resting_point(gain: float) -> float:
    state = 1.0
    for _ in range(2000):
        state = math.tanh(gain * state)
    return state


@pytest.fixture(scope="module")
def found() -> Analysis:
    return analyse(latch(), TASK, "latch")


def test_spectrum_of_a_known_matrix() -> None:
    rotation = torch.tensor([[0.0, -1.1], [1.1, 0.0]])
    shape = spectrum(torch.block_diag(rotation, torch.tensor([[0.5]])))
    assert (shape.beyond, shape.radius) == (2, pytest.approx(1.1))
    assert shape.henrici == pytest.approx(0.0, abs=1e-6)
    assert spectrum(torch.tensor([[0.0, 1.0], [0.0, 0.0]])).henrici == pytest.approx(1.0)


def test_henrici_number_does_not_depend_on_the_basis() -> None:
    matrix = torch.randn(12, 12, generator=torch_stream("test"), dtype=torch.float64)
    basis = torch.linalg.qr(torch.randn(12, 12, generator=torch_stream("test", 1), dtype=torch.float64)).Q
    assert spectrum(basis @ matrix @ basis.T).henrici == pytest.approx(spectrum(matrix).henrici, rel=1e-9)


def test_a_cube_is_found_as_it_was_made() -> None:
    codes = counted_codes(3)
    edges = torch.tensor([[2.0, 0, 0], [1.0, 1.0, 0], [0, 0, 0.5]])
    cube = fit_cube(codes @ edges + 3.0, codes)
    torch.testing.assert_close(cube.edges, edges.double())
    assert cube.angles_deg.tolist() == pytest.approx([45.0, 90.0, 90.0])
    assert cube.r_squared == pytest.approx(1.0)


def test_r_squared_falls_when_corners_are_not_those_of_a_cube() -> None:
    codes = counted_codes(3)
    bent = torch.cat([codes, codes[:, :1] * codes[:, 1:2] * codes[:, 2:]], 1)
    assert fit_cube(bent, codes).r_squared == pytest.approx(0.75)


def test_projection_is_orthonormal_and_its_shares_are_variances() -> None:
    states = torch.randn(200, 5, generator=torch_stream("test")) * torch.tensor([5.0, 3.0, 1.0, 0.1, 0.1]) + 2.0
    axes = project(states, centred=True)
    torch.testing.assert_close(axes.axes @ axes.axes.T, torch.eye(3, dtype=torch.float64))
    variance = axes.of(states).var(0, correction=0) / states.double().var(0, correction=0).sum()
    torch.testing.assert_close(axes.shares, variance)


@pytest.mark.parametrize("leak", [1.0, 0.25])
def test_every_fixed_point_of_independent_latches_is_found(leak: float) -> None:
    dynamics = autonomous(latch(leak=leak))
    codes = counted_codes(3).double()
    starts = starts_around(0.8 * codes, 0.5 * codes, torch_stream("test"), 200)
    points = find_fixed_points(dynamics, starts)
    rest = resting_point(GAIN)
    # Every unit rests at -r, 0 or r, independently: 27 points, 8 of them stable.
    assert len(points.states) == 27
    assert (points.states / rest - (points.states / rest).round()).abs().max() < 1e-8
    zeros = (points.states.abs() < 1e-6).sum(1)
    assert torch.equal(points.unstable, zeros)
    assert int(points.memories().sum()) == 8
    assert int(points.spurious().sum()) == 0
    slope = GAIN * (1 - rest**2)
    stable = points.radius[points.stable]
    torch.testing.assert_close(stable, torch.full_like(stable, 1 - leak + leak * slope), atol=1e-8, rtol=0)


def test_a_stable_point_that_is_no_memory_is_spurious() -> None:
    network = latch()
    with torch.no_grad():
        network.w_out[0] *= 0.3  # The outputs of bit 0 no longer reach +-1/2.
    points = find_fixed_points(autonomous(network), 0.8 * counted_codes(3).double())
    assert int(points.stable.sum()) == int(points.spurious().sum()) == 8


def test_networks_without_bias_are_odd_so_that_points_come_in_pairs() -> None:
    network = RecurrentNetwork(RecurrentSettings(units=30, initial="normal", initial_gain=1.8), seed=1)
    with torch.no_grad():
        network.w_rec.copy_((network.w_rec + network.w_rec.T) / 2)  # So that there are many: 16 to 54 over seeds.
    starts = torch.randn(60, 30, generator=torch_stream("test"), dtype=torch.float64)
    points = find_fixed_points(autonomous(network), torch.cat([starts, -starts]))
    distances = torch.cdist(points.states, -points.states).amin(1)
    assert len(points.states) >= 3
    assert distances.max() < 1e-6


@pytest.mark.parametrize("kind", ["tanh", "gru", "lstm"])
def test_the_autonomous_map_is_the_network_without_input(kind: str) -> None:
    network = RecurrentNetwork(RecurrentSettings(kind=kind, units=6, bias=True), seed=2)
    dynamics = autonomous(network)
    states = network.run(torch.zeros(1, 8, 3)).states
    state = torch.zeros(1, dynamics.size, dtype=torch.float64)
    for wanted in states[0].double():
        state = dynamics.step(state)
        torch.testing.assert_close(state[0, :6], wanted, atol=1e-6, rtol=0)
    jacobian = dynamics.jacobian(state)
    for column in range(dynamics.size):
        nudge = torch.zeros_like(state)
        nudge[0, column] = 1e-6
        slope = (dynamics.step(state + nudge) - dynamics.step(state - nudge))[0] / 2e-6
        torch.testing.assert_close(jacobian[0, :, column], slope, atol=1e-8, rtol=1e-6)


def test_where_nothing_rests_nothing_is_found() -> None:
    settings = RecurrentSettings(units=1, inputs=1, outputs=1, bias=True)
    network = RecurrentNetwork(settings)
    with torch.no_grad():
        network.w_rec.fill_(1.0)
    only = find_fixed_points(autonomous(network), torch.tensor([[0.7]]))  # tanh(h) = h at 0 alone, with slope 1.
    assert len(only.states) == 0 or only.states.abs().max() < 1e-2


def test_scores_are_those_of_outputs_made_by_hand() -> None:
    targets = torch.zeros(2, 60, 1)
    targets[:, 20:] = 1.0
    outputs = targets.clone()
    assert vars(score(outputs, Trials(outputs, targets))) == {
        "mse": 0.0,
        "signs": 1.0,
        "settled": 1.0,
        "bits_right": 1.0,
        "final": 1.0,
        "distance": 0.0,
    }
    outputs[0, -1] = -1.0
    found = score(outputs, Trials(outputs, targets))
    assert (found.bits_right, found.final, found.distance) == (0.5, 0.5, 1.0)
    assert found.mse == pytest.approx(4 / 120)
    late = targets.clone()
    late[:, 20:34] = 0.0  # Within the time to settle.
    assert score(late, Trials(late, targets)).settled == 1.0


def test_a_last_target_that_is_zero_by_mistake_does_not_count_as_the_end() -> None:
    trials = draw_trials(FlipFlopSettings.published(), 50, torch_stream("test"))
    outputs = trials.targets.clone()
    outputs[:, -1] = outputs[:, -2]
    assert score(outputs, trials).final == 1.0


def test_latches_hold_and_noise_beyond_their_strength_breaks_them(found: Analysis) -> None:
    assert found.hold.held == 1.0
    assert found.hold.spurious == 0.0
    noise = next(one for one in found.curves if one.name == "noise")
    assert noise.scores[0].bits_right == 1.0
    weak = robustness(latch(gain=1.05), TASK, 64)[0].scores[-1]
    assert weak.final < 0.5


def test_a_network_that_forgets_does_not_hold() -> None:
    network = latch(gain=0.9)
    hold = long_hold(network, TASK, 64, steps=100)
    assert hold.held == 0.0
    assert hold.spurious is None


def test_the_analysis_of_latches_is_what_was_built(found: Analysis) -> None:
    facts = json.loads(json.dumps(found.facts(), allow_nan=False))
    assert all(memory["correct"] for memory in facts["memories"])
    assert facts["cube"]["r_squared"] == pytest.approx(1.0, abs=1e-3)
    assert facts["cube"]["angles_deg"] == pytest.approx([90.0] * 3, abs=2.0)
    assert facts["fixed_points"]["memories"] == 8
    radius = GAIN * (1 - resting_point(GAIN) ** 2)
    assert [memory["radius"] for memory in facts["memories"]] == pytest.approx([radius] * 8, rel=1e-6)


def test_a_cube_of_bits_has_its_edges() -> None:
    assert [len(cube_edges(bits)) for bits in (1, 2, 3, 4)] == [1, 4, 12, 32]


class _Addresses(HTMLParser):
    """Collects what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [value or "" for name, value in attrs if name in {"src", "href", "data", "action"}]


def test_the_analysis_folder_holds_pictures_and_a_page_that_loads_nothing(found: Analysis, tmp_path: Path) -> None:
    write_analysis([found, replace(found, name="<other>")], tmp_path / "analysis")
    page = (tmp_path / "analysis" / "index.html").read_text(encoding="utf-8")
    addresses = _Addresses()
    addresses.feed(page)
    assert addresses.tags.count("canvas") == 2
    assert all(address.startswith("data:image/png;base64,") for address in addresses.found)
    assert not re.search(r"https?://|@import|fetch\(|url\(", page)
    assert "<other>" not in page
    figures = {path.stem for path in (tmp_path / "analysis" / "figures").glob("*.png")}
    wanted = {"samples", "states", "directions", "connectivity", "fixed_points", "robustness"}
    assert figures == wanted | {"eigenvalues", "cubes", "realisations"}
    shown = [base64.b64decode(address.partition(",")[2]) for address in addresses.found]
    assert all(data.startswith(b"\x89PNG") for data in shown)
    scenes = json.loads(re.search(r'<script id="scenes"[^>]*>(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert len(scenes["cube"]["points"]) == 8
    assert len(scenes["cube"]["edges"]) == 12


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_gates_can_be_analysed(kind: str, tmp_path: Path) -> None:
    network = RecurrentNetwork(RecurrentSettings(kind=kind, units=8, bias=True))
    found = examine(Subject({"gates": network}, TASK, tmp_path), tmp_path / "out", lambda *_: None, 8)
    assert found[0].spectrum is None
    assert (tmp_path / "out" / "index.html").is_file()


def test_names_are_text_on_the_page(found: Analysis, tmp_path: Path) -> None:
    write_page([replace(found, name="<script>alert(1)</script>&@SCENES@ [b]")], {}, tmp_path / "index.html")
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert page.count("network &lt;script&gt;alert(1)&lt;/script&gt;&amp;@SCENES@ [b]<") == 2  # Title and heading.


def test_weights_of_other_shapes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_network(path, RecurrentNetwork(RecurrentSettings(units=4, inputs=2, outputs=1)))
    with pytest.raises(ConfigError, match=r"no flip-flop network; seen: 2 inputs and 1 outputs; allowed: as many"):
        find_subject(path)
