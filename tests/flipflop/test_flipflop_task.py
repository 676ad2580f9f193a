"""The flip-flop task and the other tasks of Jarne (2024)."""

import pytest
import torch

from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.flipflop import walk
from spinhw.streams import torch_stream
from spinhw.tasks import DecisionSettings, FlipFlopSettings, draw_decisions, draw_trials
from spinhw.tasks.flipflop import Pulses, draw_pulses, render

CORRECTED, PUBLISHED = FlipFlopSettings(), FlipFlopSettings.published()


def reference_targets(inputs: torch.Tensor, settings: FlipFlopSettings) -> torch.Tensor:
    """Follow one noise-free channel step by step, as one would by hand."""
    targets, state, due = torch.zeros(len(inputs)), 0.0, {}
    for step in range(len(inputs)):
        before = inputs[step - 1].item() if step else 0.0
        if before and (inputs[step] == 0 or step == 0):  # A pulse has just ended.
            due[step + settings.delay_steps] = before / settings.amplitude
        state = due.get(step, state)
        targets[step] = state
    return targets


@pytest.mark.parametrize("settings", [CORRECTED, FlipFlopSettings(bits=2, amplitude=0.7, delay_steps=0)])
def test_targets_follow_the_end_of_every_pulse_after_the_delay(settings: FlipFlopSettings) -> None:
    trials = draw_trials(settings.model_copy(update={"noise": 0.0}), 20, torch_stream("test"))
    for inputs, targets in zip(trials.inputs, trials.targets, strict=True):
        for bit in range(settings.bits):
            assert torch.equal(targets[:, bit], reference_targets(inputs[:, bit], settings))


def test_the_same_stream_gives_the_same_trials_and_another_gives_others() -> None:
    first, again, other = (draw_trials(CORRECTED, 5, torch_stream("test", seed)) for seed in (0, 0, 1))
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.targets, again.targets)
    assert not torch.equal(first.targets, other.targets)


def test_onsets_keep_to_their_ranges_and_reach_their_ends() -> None:
    onsets = draw_pulses(PUBLISHED, 3000, torch_stream("test")).onsets
    gaps = torch.cat([onsets[..., :1], onsets.diff(dim=-1)], -1).flatten(0, 1)
    assert [tuple(pair) for pair in zip(gaps.amin(0).tolist(), gaps.amax(0).tolist(), strict=True)] == list(
        PUBLISHED.onsets
    )


def test_signs_are_even_and_a_third_of_the_first_pulses_is_absent() -> None:
    signs = draw_pulses(CORRECTED, 20_000, torch_stream("test")).signs
    assert (signs[..., 0] == 0).double().mean() == pytest.approx(1 / 3, abs=0.01)
    assert (signs[..., 1:] != 0).all()
    assert signs.mean() == pytest.approx(0.0, abs=0.01)


def test_noise_has_its_standard_deviation() -> None:
    noisy, clean = (
        draw_trials(CORRECTED.model_copy(update={"noise": noise}), 50, torch_stream("test")).inputs
        for noise in (0.1, 0.0)
    )
    assert (noisy - clean).std() == pytest.approx(0.1, rel=0.02)


def test_the_published_defects_are_there_and_can_be_switched_off() -> None:
    trials = draw_trials(PUBLISHED, 2000, torch_stream("test"))
    assert (trials.targets[:, -1] == 0).all()
    onsets = draw_pulses(PUBLISHED, 20_000, torch_stream("test")).onsets[..., 2]
    whole = (onsets + PUBLISHED.pulse_steps <= PUBLISHED.steps).double().mean()
    answered = (onsets + PUBLISHED.pulse_steps + PUBLISHED.delay_steps < PUBLISHED.steps).double().mean()
    assert whole == pytest.approx(0.908, abs=0.01)  # As counted on the published code's own draws.
    assert answered == pytest.approx(0.74, abs=0.015)
    mended = draw_trials(PUBLISHED.model_copy(update={"last_target_zero": False}), 100, torch_stream("test"))
    assert (mended.targets[:, -1] != 0).any()


def test_zero_outputs_err_as_much_as_on_the_published_data() -> None:
    trials = draw_trials(PUBLISHED, 4000, torch_stream("test"))
    loss = trials.loss(torch.zeros_like(trials.targets)).item()
    assert loss == pytest.approx(0.622, abs=0.01)  # 0.6255 +- 0.0014 over seeds.


def test_every_answer_of_the_corrected_task_fits_into_the_sequence() -> None:
    pulses = draw_pulses(CORRECTED, 2000, torch_stream("test"))
    ends = render(pulses, CORRECTED).targets[:, -1]
    assert torch.equal(ends, pulses.signs[..., -1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 30}, r"a sequence of 30 steps is shorter than a pulse and its delay; make it at least 41"),
        ({"steps": 340}, r"raise steps to 380, or write 'cut_pulses: true'"),
        ({"onsets": [[10, 99], [15, 120], [71, 120]]}, r"pulses overlap: one may start 15 steps after .* lasts 20"),
        ({"onsets": [[10, 99]]}, r"absent lists 3 probabilities for 1 pulses"),
        ({"onsets": [[99, 10], [71, 120], [71, 120]]}, r"\[99, 10\] is the wrong way round"),
        ({"bits": 0}, r"task.yaml: bits: must be greater than or equal to 1"),
        ({"pulse_steps": 0}, r"pulse_steps: must be greater than or equal to 1"),
        ({"pulse_width": 3}, r"unknown key 'pulse_width'"),
    ],
)
def test_impossible_tasks_are_refused_in_one_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        build(FlipFlopSettings, changes, "task.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_the_walk_visits_every_state_and_labels_it_right(bits: int) -> None:
    route = walk(FlipFlopSettings(bits=bits))
    assert len({tuple(code) for code in route.codes.tolist()}) == 2**bits == len(route.ends)
    assert torch.equal(route.trials.targets[0, route.ends], route.codes)
    assert route.ends[-1] == route.trials.inputs.shape[1] - 1
    for bit in range(bits):
        alone = reference_targets(route.trials.inputs[0, :, bit], CORRECTED)
        assert torch.equal(route.trials.targets[0, :, bit], alone)


def test_a_missing_pulse_changes_nothing() -> None:
    onsets, signs = torch.tensor([[[10, 100]]]), torch.tensor([[[1.0, 0.0]]])
    settings = CORRECTED.model_copy(update={"bits": 1, "noise": 0.0})
    assert (render(Pulses(onsets, signs), settings).targets[0, 50:] == 1).all()


@pytest.mark.parametrize("kind", ["perceptual", "context", "match", "parametric"])
def test_decisions_wait_for_the_cue_and_are_even(kind: str) -> None:
    task = DecisionSettings(kind=kind, noise=0.0)
    trials = draw_decisions(task, 2000, torch_stream("test"))
    cue = trials.inputs[..., :1]
    assert trials.inputs.shape == (2000, task.steps, task.inputs)
    assert ((trials.targets == 0) == (cue == 1)).all()
    assert trials.targets[:, -1].mean() == pytest.approx(0.0, abs=0.1)  # Of 2000: four standard deviations and more.
    assert trials.weights is not None
    before, after = ((trials.weights * (cue == side)).sum(1) for side in (1, 0))
    torch.testing.assert_close(before, after)


def test_the_right_answers_are_in_the_stimuli() -> None:
    def answers(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
        trials = draw_decisions(DecisionSettings(kind=kind, noise=0.0), 500, torch_stream("test"))
        return trials.inputs, trials.targets[:, -1, 0]

    seen, right = answers("perceptual")
    assert torch.equal((seen[..., 1] - seen[..., 2]).sum(1).sign(), right)
    seen, right = answers("context")
    evidence = torch.stack([(seen[..., 1 + 2 * one] - seen[..., 2 + 2 * one]).sum(1) for one in range(2)], -1)
    assert torch.equal(evidence.gather(1, seen[:, 0, 5:].argmax(-1, keepdim=True))[:, 0].sign(), right)
    seen, right = answers("match")
    steps = DecisionSettings(kind="match").periods
    first, second = seen[:, steps[0], 1:].argmax(-1), seen[:, sum(steps[:3]), 1:].argmax(-1)
    assert torch.equal(torch.where(first == second, 1.0, -1.0), right)
    seen, right = answers("parametric")
    steps = DecisionSettings(kind="parametric").periods
    assert torch.equal((seen[:, steps[0], 1] - seen[:, sum(steps[:3]), 1]).sign(), right)


def test_the_delay_in_context_keeps_its_bounds_and_mean() -> None:
    task = DecisionSettings(kind="context", noise=0.0)
    cue = draw_decisions(task, 4000, torch_stream("test")).inputs[..., 0].sum(1) * task.step_ms
    delay = cue - 1060  # Fixation and stimulus, 1050 ms, are 53 steps.
    assert 280 <= delay.min()
    assert delay.max() <= 3020
    low, high, mean = 300.0, 3000.0, 600.0
    cut = torch.exp(torch.tensor((low - high) / mean)).item()
    assert delay.mean() == pytest.approx(low + mean - (high - low) * cut / (1 - cut), rel=0.05)
