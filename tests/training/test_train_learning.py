import math
from dataclasses import replace

import pytest
import torch

from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.tasks import Batch, Classes, loss, right_answers
from spinhw.training import RunSettings, TrainingSettings
from spinhw.training.forward import logits
from spinhw.training.learner import Learner
from spinhw.training.member import member_of
from spinhw.training.optimiser import MemberAdam
from spinhw.training.optimiser_settings import OptimiserSettings
from spinhw.training.schedule import learning_rates, scheduled_rates
from spinhw.training.step import train_step

# A network that is trained in milliseconds per batch: few neurons, one first-order step per sample.
SMALL = {
    "network": {"layers": [4, 4]},
    "training": {"seeds": [3, 5], "batch_size": 60, "substeps": 1, "order": 1, "engine": "reference"},
}


def small(network: dict | None = None, **training) -> RunSettings:
    data = {"network": SMALL["network"] | (network or {}), "training": SMALL["training"] | training}
    return build(RunSettings, data, "run.yaml")


def steps(settings: RunSettings, count: int) -> tuple[Learner, list[torch.Tensor]]:
    learner = Learner(settings)
    task = settings.open_task()
    rates, losses = learning_rates(settings.training, 0, 0, 1), []
    for batch in range(count):
        shown = task.train(settings.training.seeds, 0, batch)
        losses.append(train_step(learner, shown, settings.training, rates)[0])
    return learner, losses


def test_loss_falls():
    settings = small(seeds=list(range(3, 11)))
    batch = settings.open_task().train(settings.training.seeds, 0, 0)
    networks = (Learner(settings).network, steps(settings, 14)[0].network)
    before, after = (loss(logits(network, batch), batch).detach() for network in networks)
    assert float((before - after).mean()) > 0.05  # On the same images: 0.23 +- 0.02 over seeds.


def asked(labels: torch.Tensor) -> Batch:
    return Batch(torch.zeros(*labels.shape, 64, 1), Classes(labels))


def test_loss_is_the_negative_log_likelihood_of_each_member():
    answers, labels = torch.randn(2, 5, 10, generator=torch.Generator().manual_seed(1)), torch.arange(10).view(2, 5)
    expected = [-torch.log_softmax(answers[m], -1)[range(5), labels[m]].mean() for m in range(2)]
    torch.testing.assert_close(loss(answers[:, :, None], asked(labels)), torch.stack(expected))


def test_label_smoothing_mixes_in_the_uniform_distribution():
    answers, labels = torch.randn(1, 5, 10, generator=torch.Generator().manual_seed(1)), torch.arange(5)[None]
    uniform = -torch.log_softmax(answers, -1).mean(-1).mean(1)
    expected = 0.9 * loss(answers[:, :, None], asked(labels)) + 0.1 * uniform
    torch.testing.assert_close(loss(answers[:, :, None], asked(labels), 0.1), expected)


def test_correct_answers_are_counted_by_member():
    answers = torch.eye(3)[None].repeat(2, 1, 1)
    right, counted = right_answers(answers[:, :, None], asked(torch.tensor([[0, 1, 2], [0, 0, 0]])))
    assert (right.tolist(), counted.tolist()) == ([3, 1], [3, 3])


def test_member_of_an_ensemble_trains_as_it_does_alone():
    options = {"input_noise": 0.4, "label_smoothing": 0.1, "optimiser": {"average_decay": 0.9}}
    together, losses = steps(small(**options), 4)
    alone, losses_alone = steps(small(**options, seeds=[5]), 4)
    torch.testing.assert_close(torch.stack(losses)[:, 1:], torch.stack(losses_alone), rtol=1e-4, atol=1e-5)
    for mine, its in ((together.network, alone.network), (together.evaluated, alone.evaluated)):
        for name, value in its.named_parameters():
            torch.testing.assert_close(dict(mine.named_parameters())[name][1:], value, rtol=1e-3, atol=1e-4)


def test_absent_synapses_stay_zero_and_present_ones_move():
    settings = small()
    start = Learner(settings).network
    learner, _ = steps(settings, 3)
    for name, mask in learner.network.masks().items():
        before, after = dict(start.named_parameters())[name], dict(learner.network.named_parameters())[name]
        assert (after[~mask] == 0).all()
        assert (after[mask] != before[mask]).float().mean() > 0.9


def test_weight_limit_holds_after_every_step():
    learner, _ = steps(small({"weight_limit": 0.3}, optimiser={"learning_rate": 0.5}), 3)
    sizes = [value.abs().max() for value in learner.network.parameters()]
    assert max(sizes).item() == pytest.approx(0.3)


def test_paper_schedule_divides_by_one_plus_epochs():
    training = build(TrainingSettings, {"optimiser": {"learning_rate": 0.14, "decay": 20}, "seeds": [0, 1]}, "t")
    assert learning_rates(training, 0, 0, 1) == [0.14, 0.14]
    assert learning_rates(training, 20, 0, 1) == [0.07, 0.07]
    assert learning_rates(training, 30, 0, 1) == pytest.approx([0.14 / 2.5] * 2)


def test_cosine_schedule_falls_from_the_rate_towards_zero():
    training = build(
        TrainingSettings,
        {"optimiser": {"learning_rate": [0.1, 0.2], "schedule": "cosine"}, "epochs": 10, "seeds": [0, 1]},
        "t",
    )
    assert learning_rates(training, 0, 0, 1) == [0.1, 0.2]
    assert learning_rates(training, 5, 0, 1) == pytest.approx([0.05, 0.1])
    assert 0 < learning_rates(training, 9, 0, 1)[0] < 0.01


def adam_on(values: torch.Tensor, rates: list[float], count: int) -> torch.Tensor:
    parameter = torch.nn.Parameter(values.clone())
    adam = MemberAdam({"w": parameter})
    for _ in range(count):
        adam.zero_grad()
        (parameter**2).sum().backward()
        adam.step(rates)
    return parameter.detach()


@pytest.mark.parametrize("per", ["epoch", "step"])
def test_a_schedule_counts_epochs_or_steps(per):
    """In steps, of which an epoch has five here, the same curve is drawn five times as finely."""
    unit = {"epoch": 1, "step": 5}[per]
    times = [(time, 0, 1) if per == "epoch" else (*divmod(time, 5), 5) for time in range(4 * unit)]

    def curve(**changes):
        optimiser = build(OptimiserSettings, {"learning_rate": 1.0, "schedule_per": per} | changes, "t")
        return [scheduled_rates(optimiser, 1, 4, *time)[0] for time in times]

    paper = curve(decay=2 * unit)
    assert (paper[0], paper[2 * unit]) == (1.0, 0.5)
    cosine = curve(schedule="cosine")
    assert (cosine[0], cosine[2 * unit]) == (1.0, pytest.approx(0.5))
    assert cosine == sorted(cosine, reverse=True)
    warm = curve(schedule="cosine", warm_up=2 * unit)
    assert warm[: 2 * unit] == pytest.approx([(time + 1) / (2 * unit) for time in range(2 * unit)])
    assert warm[2 * unit] == 1.0
    assert warm[3 * unit] == pytest.approx(0.5)


def test_each_member_learns_at_its_own_rate():
    start = torch.randn(3, 4, generator=torch.Generator().manual_seed(2))
    rates = [0.1, 0.01, 0.03]
    together = adam_on(start, rates, 5)
    for member, rate in enumerate(rates):
        torch.testing.assert_close(together[member], adam_on(start[member : member + 1], [rate], 5)[0])


def test_gradient_elements_are_clipped():
    parameter = torch.nn.Parameter(torch.tensor([[3.0, -0.2]]))
    adam = MemberAdam({"w": parameter})
    (parameter**2).sum().backward()
    adam.clip(1.0)
    assert parameter.grad is not None
    torch.testing.assert_close(parameter.grad, torch.tensor([[1.0, -0.4]]))


def test_weight_average_follows_the_weights_and_is_what_is_evaluated():
    learner, _ = steps(small(optimiser={"average_decay": 0.5}), 6)
    assert learner.average is not None
    assert learner.evaluated is learner.average.network
    for mean, value in zip(learner.evaluated.parameters(), learner.network.parameters(), strict=True):
        assert not torch.equal(mean, value)
    learner.average.network.load_state_dict(learner.network.state_dict())
    before = [value.clone() for value in learner.network.parameters()]
    with torch.no_grad():
        for value in learner.network.parameters():
            value.add_(1.0)
    learner.average.update(1000)
    for mean, value in zip(learner.average.network.parameters(), before, strict=True):
        torch.testing.assert_close(mean.detach(), value + 0.5)


def test_member_of_an_ensemble_answers_as_in_it():
    learner, _ = steps(small(), 1)
    inputs = torch.randn(2, 3, 64, 1, generator=torch.Generator().manual_seed(3))
    shown, labels = asked(torch.zeros(2, 3)), torch.zeros(1, 3)
    both, one = replace(shown, inputs=inputs), replace(asked(labels), inputs=inputs[1:])
    alone = logits(member_of(learner.network, 1, 5), one)
    torch.testing.assert_close(alone, logits(learner.network, both)[1:], rtol=1e-4, atol=1e-5)


def test_divergence_stops_and_names_the_seed():
    settings = small()
    learner = Learner(settings)
    with torch.no_grad():
        learner.network.w_out[1] = math.nan
    batch = settings.open_task().train(settings.training.seeds, 0, 0)
    with pytest.raises(ConfigError, match=r"diverged in epoch 1, batch 1: seed 5;.*learning_rate"):
        train_step(learner, batch, settings.training, [0.1, 0.1])


def test_step_that_ruins_the_weights_is_noticed_at_once():
    settings = small({"weight_limit": None})
    batch = settings.open_task().train(settings.training.seeds, 0, 0)
    with pytest.raises(ConfigError, match="seed 3, 5;"):
        train_step(Learner(settings), batch, settings.training, [math.inf, math.inf])
