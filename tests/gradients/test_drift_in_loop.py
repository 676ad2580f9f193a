"""Drift of a chip in the loop: noticed within a few looks, never where there is none; followed, left or stopped at."""

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from fakes.loops import NOISE, SPREAD, Stop, make, true_neurons
from fakes.runs import CHIP, bits, tiny, without_times
from spinhw.chip.drift import Drift
from spinhw.errors import CalibrationError, ConfigError
from spinhw.gradients import DeviceWatch, HardwareInLoop, NetworkRefit, NetworkWatch, WatchSettings
from spinhw.gradients.device_watch import DriftAlarm
from spinhw.network import SpintronicNetwork
from spinhw.plots.run import draw_run
from spinhw.report.tables import warnings
from spinhw.streams import torch_stream
from spinhw.surrogate import CoupledRefit, Oscillators
from spinhw.training import Interrupted, resume, train

# So that every neuron moves.
LIVELY = {"weight_scale": 6.0, "gain": 2.0, "density_input": 1.0, "density_inter": 1.0, "density_intra": 1.0}
DRIFTING = SPREAD | NOISE | {"synapses": {"scale_spread": 0.1}, "drift": {"individual_per_1000_shots": 1e-9}}
IMAGES, SAMPLES = 60, 32
GAMMA, SIGMA, GAIN = range(3)  # Rows of the walk of a chip.


def online(network: SpintronicNetwork, forgetting: float = 0.98) -> CoupledRefit:
    start = Oscillators.nominal(network.settings.neurons(torch.float64))
    return CoupledRefit(start, forgetting=forgetting)


class Run:
    """A network in the loop with two chips that change when they are told."""

    def __init__(self, action: str = "log", watched: bool = True) -> None:
        self.network, self.device = make(DRIFTING, dtype=torch.float32, **LIVELY)
        settings, about = WatchSettings(every=1, learn=8, action=action), self.device.describe()
        refits = [NetworkRefit(online(self.network), images=24) for _ in range(2)]
        self.models = [online(self.network, 1.0) for _ in range(2)]
        charts = [NetworkWatch(model, settings, 2) for model in self.models]
        self.watch = DeviceWatch(charts, about, self.network, settings, refits)
        self.loop = HardwareInLoop(self.network, self.device, refit=refits, watch=self.watch if watched else None)
        self.batches = 0

    @torch.no_grad()
    def go(self, batches: int) -> None:
        for _ in range(batches):
            draw = torch_stream("watched", self.batches)
            self.loop(4 * torch.rand(2, IMAGES, SAMPLES, 1, generator=draw) - 1.2)
            self.batches += 1

    def shift(self, member: int, row: int, neuron: int, by: float) -> None:
        state = self.device.state()
        state["walk"][member][row][neuron] += by
        self.device.restore(state)

    def alarmed(self) -> set[tuple[str, int]]:
        return set(self.first())

    def first(self) -> dict[tuple[str, int], DriftAlarm]:
        """The first alarm of each neuron, by chip and number."""
        return {(one.device_id, one.neuron): one for one in reversed(self.watch.alarms)}

    def gamma_off(self, member: int, neuron: int) -> float:
        """By how much the model's gamma of a neuron is off."""
        true = float(true_neurons(self.device).gamma[member, neuron])
        walked = math.exp(self.device.state()["walk"][member][GAMMA][neuron])
        return abs(float(self.loop.neurons.gamma[member, neuron]) / (true * walked) - 1)


@pytest.fixture
def run() -> Iterator[Run]:
    one = Run()
    with one.device:
        yield one


def test_only_what_drifts_raises_an_alarm_and_only_once(run, caplog):
    run.go(8 + 8)
    assert not run.watch.alarms  # The largest score is 0.35 +- 0.14 of the limit over seeds.
    run.shift(0, GAMMA, 2, 0.1)
    run.shift(1, SIGMA, 1, 0.1)
    run.go(3)
    shifted = {("chip-0", 2), ("chip-1", 1)}
    assert run.alarmed() == shifted
    assert "neuron 2 (layer 0, number 2)" in caplog.text
    run.go(3)
    assert len(run.watch.alarms) == len(shifted)  # Known, and left as it is.
    assert run.watch.stop() == ""
    looks = run.watch.taken()
    assert len(looks) == 14 and ["chip-0", 2] in looks[-1]["beyond"]
    assert not run.watch.taken()


def test_a_read_out_that_drifts_is_named_first_and_misleads_those_alone_that_hear_it(run):
    """What is known of the drive of a neuron is what the read-out shows of the others' powers."""
    run.go(8 + 8)
    run.shift(1, GAIN, 6, 0.1)
    run.go(3)
    first = run.first()
    found, hearing = first.pop(("chip-1", 6)), {("chip-1", neuron) for neuron in (5, 7, 8, 9, 10, 11)}
    assert found.place == "layer 1, number 1" and found.batch == 17 and found.score > found.limit
    assert 0.02 < found.parameters["gain"] < 0.25  # 0.11 +- 0.02 over seeds.
    assert first.keys() <= hearing
    assert all(one.score < 0.75 * found.score for one in first.values())  # The largest 0.17 +- 0.17 over seeds.


def test_refit_on_alarm_follows_what_a_sure_refit_does_not():
    plain, watched = Run(watched=False), Run("refit")
    changed = [(0, 0), (0, 2), (0, 4), (1, 1), (1, 3)]  # One in twenty moves so little that it tells another parameter.
    for one in (plain, watched):
        with one.device:
            one.go(17)  # The refit has just looked at the sixteenth: the next look is far.
            for member, neuron in changed:
                one.shift(member, GAMMA, neuron, 0.15)
            one.go(6)
    off = [torch.tensor([one.gamma_off(*which) for which in changed]) for one in (watched, plain)]
    assert float((off[0] / off[1]).median()) < 0.4


def test_fewer_images_than_a_look_needs_are_passed_over(run):
    run.go(9)
    with torch.no_grad():
        run.loop(torch.rand(2, 5, SAMPLES, 1))
    assert len(run.watch.taken()) == 1
    run.go(1)
    assert len(run.watch.taken()) == 1


WATCH = {"every": 1, "learn": 4, "action": "log"}
RUN = {
    "loop": {"epochs": None, "learning_rate": None},
    "optimiser": {"learning_rate": 0.02},
    "evaluate_every": 100,
}
JUMP = 6  # The shot after which gamma of both chips jumps.


@pytest.fixture
def jump(mocker):
    plain = Drift.advance

    def advance(self, shots):
        shots = list(shots)
        plain(self, shots)
        if JUMP in shots:
            self.walk = self.walk.clone()
            self.walk[:, GAMMA, 1] += 0.3

    mocker.patch.object(Drift, "advance", advance)


def still(**watch):
    """Two chips that do not drift but for a jump, and their run: twelve batches in the loop, eight judged."""
    chip = CHIP["chip"] | {"drift": {"individual_per_1000_shots": 1e-9}}
    return tiny(CHIP | {"chip": chip}, drift=WATCH | watch, **RUN)


def test_a_run_tells_of_alarms_and_goes_on_after_an_interruption_to_the_same_bits(tmp_path, jump):
    whole = train(still(), tmp_path / "whole")
    alarms, rows = whole.summary["drift_alarms"], whole.metrics
    assert {(one["device_id"], one["neuron"]) for one in alarms} >= {("spread-3", 1), ("spread-5", 1)}
    assert min(one["batch"] for one in alarms) > JUMP
    assert [len(row["watch"]) for row in rows] == [0, 4, 4]
    assert rows[1]["watch"][0]["largest_score"] < rows[1]["watch"][0]["limit"]
    assert any("neuron 1 (layer 0, number 1) had drifted by batch" in one for one in warnings(whole.summary))
    assert draw_run(whole, tmp_path / "figures")["drift"].is_file()
    for place in ((0, 3), (2, 2)):
        folder = tmp_path / f"cut-{place[0]}"
        with pytest.raises(Interrupted):
            train(still(), folder, Stop(place))
        again = resume(folder)
        expected, found = bits(whole.folder), bits(folder)
        assert expected.keys() == found.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)
        assert [without_times(row) for row in again.metrics] == [without_times(row) for row in rows]
        assert without_times(again.summary) == without_times(whole.summary)


def test_a_run_stops_where_told_saved_and_goes_on_with_the_device_as_it_is(tmp_path, jump):
    with pytest.raises(CalibrationError, match=r"drifted; .* seen: .*neuron 1 .*allowed: .*next: .*--resume"):
        train(still(action="stop"), tmp_path / "run")
    stops = 1
    while True:  # Whatever else the jump moves may be noticed a look later.
        try:
            results = resume(tmp_path / "run")
        except CalibrationError:
            stops += 1
            assert stops < 6
            continue
        break
    assert results.summary["drift_alarms"]
    assert results.metrics[-1]["epoch"] == 3


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"loop": {"epochs": 0}}, "no device in the loop to watch; seen: device simulated, 0 of 3 epochs"),
        ({"drift": WATCH | {"every": 20}}, "ends before the first look that is judged; seen: 12 batches.*after 21"),
        ({"batch_size": 8}, "too small to be judged; seen: training.batch_size 8; allowed: 12"),
        (
            {"drift": WATCH | {"action": "refit"}, "refit": {"when": "never"}},
            "no model to refit on alarm; .*next: write action",
        ),
        ({"drift": WATCH | {"action": "refit"}, "gradient": "spsa"}, "no model to refit on alarm"),
    ],
)
def test_a_watch_that_cannot_work_is_refused(tmp_path, changes, says):
    with pytest.raises(ConfigError, match=says):
        train(tiny(**{"drift": WATCH} | RUN | changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_neurons_that_do_not_start_from_rest_cannot_be_watched(tmp_path):
    settings = tiny(drift=WATCH, **RUN)
    settings = settings.model_copy(update={"network": settings.network.model_copy(update={"initial_state": "half"})})
    with pytest.raises(ConfigError, match="cannot be watched in its batches; seen: .*initial_state 'half'"):
        train(settings, tmp_path / "run")


def test_the_model_of_a_chart_is_nobody_elses():
    """What the refit of the gradient learns does not move the baseline."""
    one = Run("refit")
    with one.device:
        one.go(10)
        model = one.models[0]
        before = model.oscillators.table().clone()
        one.loop.refits.each[0].online.oscillators = replace(model.oscillators, gamma=model.oscillators.gamma * 2)
        one.go(2)
    torch.testing.assert_close(model.oscillators.table(), before)
    assert not one.watch.alarms
