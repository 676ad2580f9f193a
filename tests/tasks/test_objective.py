"""Losses and measures of answers: against torch's own, weighted, cut and washed out, each member for itself."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinhw.tasks import Batch, Classes, Values, chosen, confusion, joined, loss, metrics, right_answers

MEMBERS, SEQUENCES, TIME, OUTPUTS = 2, 5, 7, 3


def drawn(seed: int, answers: int = TIME) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    inputs = torch.randn(MEMBERS, SEQUENCES, TIME, 1, generator=draw)
    return inputs, torch.randn(MEMBERS, SEQUENCES, answers, OUTPUTS, generator=draw)


def labels(seed: int, *shape: int) -> torch.Tensor:
    return torch.randint(0, OUTPUTS, (MEMBERS, SEQUENCES, *shape), generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 2**31 - 1))
def test_loss_of_values_is_the_mean_squared_error_of_each_member(seed):
    inputs, answers = drawn(seed)
    wanted = torch.randn_like(answers)
    found = loss(answers, Batch(inputs, Values(wanted)))
    torch.testing.assert_close(found, torch.stack([((answers - wanted)[one] ** 2).mean() for one in range(MEMBERS)]))


@given(st.integers(0, 2**31 - 1))
def test_loss_of_classes_after_each_sample_is_their_mean_negative_log_likelihood(seed):
    inputs, answers = drawn(seed)
    wanted = labels(seed, TIME)
    expected = -torch.log_softmax(answers, -1).gather(-1, wanted[..., None]).mean((1, 2, 3))
    torch.testing.assert_close(loss(answers, Batch(inputs, Classes(wanted))), expected)


@given(st.integers(0, 2**31 - 1))
def test_values_of_a_sequence_are_judged_as_those_of_a_step(seed):
    inputs, answers = drawn(seed, 1)
    wanted, weight = torch.randn(MEMBERS, SEQUENCES, OUTPUTS), torch.rand(MEMBERS, SEQUENCES, 1, 1)
    errors = (answers[:, :, 0] - wanted).square()
    batch = Batch(inputs, Values(wanted))
    torch.testing.assert_close(loss(answers, batch), errors.mean((1, 2)))
    nrmse, rmse = metrics(answers, batch)
    spread = (wanted - wanted.mean(1, keepdim=True)).square().mean((1, 2))
    assert rmse.values == pytest.approx(errors.mean((1, 2)).sqrt().tolist())
    assert nrmse.values == pytest.approx((errors.mean((1, 2)) / spread).sqrt().tolist())
    weighted = loss(answers, Batch(inputs, Values(wanted), weight=weight))
    torch.testing.assert_close(weighted, (errors * weight[..., 0]).mean((1, 2)) / weight.mean((1, 2, 3)))


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("target", {"target": Values(torch.zeros(MEMBERS, 1, TIME, OUTPUTS))}),
        ("target", {"target": Classes(torch.zeros(MEMBERS, SEQUENCES, 1, dtype=torch.int64))}),
        ("lengths", {"lengths": torch.ones(SEQUENCES, dtype=torch.int64)}),
        ("weight", {"weight": torch.ones(MEMBERS, SEQUENCES, TIME, 1), "target": Classes(labels(1))}),
    ],
)
def test_a_batch_of_which_a_part_is_of_other_sequences_is_refused(what, changes):
    inputs, answers = drawn(0)
    with pytest.raises(ValueError, match=f"^{what} of a batch begins with the axes"):
        Batch(**{"inputs": inputs, "target": Values(answers)} | changes)


@pytest.mark.parametrize("target", ["values", "classes"])
@given(seed=st.integers(0, 2**31 - 1), washout=st.integers(0, 3))
def test_what_lies_outside_of_a_sequence_or_in_the_washout_counts_for_nothing(target, seed, washout):
    inputs, answers = drawn(seed)
    lengths = torch.randint(washout + 1, TIME + 1, (MEMBERS, SEQUENCES), generator=torch.Generator().manual_seed(seed))
    wanted = Values(torch.randn_like(answers)) if target == "values" else Classes(labels(seed, TIME))
    batch = Batch(inputs, wanted, lengths, washout=washout)
    time = torch.arange(TIME)
    outside = (time < washout) | (time >= lengths[..., None])
    spoilt = torch.where(outside[..., None], 1e3 * torch.randn_like(answers), answers)
    other = Classes(wanted.labels.masked_fill(outside, -100)) if target == "classes" else wanted.values
    if target == "values":
        other = Values(other.masked_fill(outside[..., None], torch.nan))
    after = inputs.masked_fill((time >= lengths[..., None])[..., None], torch.nan)
    padded = Batch(after, other, lengths, washout=washout)
    assert torch.equal(padded.inputs, batch.inputs)
    assert torch.equal(loss(spoilt, padded), loss(answers, batch))
    assert metrics(spoilt, padded) == metrics(answers, batch)
    assert confusion(spoilt, padded) == confusion(answers, batch)
    assert target == "values" or sum(map(sum, confusion(spoilt, padded))) == int((~outside).sum())


def test_the_error_is_told_in_standard_deviations_of_what_counts():
    inputs, answers = drawn(7)
    lengths, wanted = torch.full((MEMBERS, SEQUENCES), 5), torch.randn_like(answers)
    counted, right = answers[:, :, 2:5], wanted[:, :, 2:5]
    wanted[:, :, :2] = 1e3
    [nrmse, _] = metrics(answers, Batch(inputs, Values(wanted), lengths, washout=2))
    spread = (right - right.mean((1, 2), keepdim=True)).square().mean((1, 2, 3))
    expected = ((counted - right).square().mean((1, 2, 3)) / spread).sqrt()
    assert nrmse.values == pytest.approx(expected.tolist())


def test_a_weight_of_two_counts_as_two_sequences():
    inputs, answers = drawn(1)
    wanted = torch.randn_like(answers)
    weight = torch.ones(MEMBERS, SEQUENCES, TIME, 1)
    weight[:, 0] = 2.0
    twice = [torch.cat([one[:, :1], one], dim=1) for one in (inputs, answers, wanted)]
    found = loss(answers, Batch(inputs, Values(wanted), weight=weight))
    torch.testing.assert_close(found, loss(twice[1], Batch(twice[0], Values(twice[2]))))


def test_no_gradient_of_a_member_depends_on_another():
    inputs, answers = drawn(2)
    answers.requires_grad_()
    batch = Batch(inputs, Classes(labels(2)))
    loss(answers[:, :, -1:], batch)[0].backward()
    assert bool((answers.grad[1] == 0).all()) and bool((answers.grad[0] != 0).any())


def test_answers_that_are_right_have_the_best_figures():
    inputs, answers = drawn(3, 1)
    right = labels(3)
    best = torch.nn.functional.one_hot(right, OUTPUTS)[:, :, None].float()
    batch = Batch(inputs, Classes(right))
    [accuracy] = metrics(best, batch)
    assert (accuracy.name, accuracy.values, accuracy.better(0.9, 0.8)) == ("accuracy", [1.0, 1.0], True)
    assert [one.tolist() for one in right_answers(best, batch)] == [[SEQUENCES, SEQUENCES]] * 2
    assert torch.tensor(confusion(best, batch)).diagonal().sum() == MEMBERS * SEQUENCES
    values = torch.randn(MEMBERS, SEQUENCES, TIME, OUTPUTS)
    nrmse, rmse = metrics(values, Batch(inputs, Values(values)))
    assert (nrmse.name, nrmse.values, rmse.values, nrmse.better(0.1, 0.2)) == ("nrmse", [0, 0], [0, 0], True)
    assert right_answers(values, Batch(inputs, Values(values))) is None


def test_an_answer_that_is_always_the_mean_has_an_nrmse_of_one():
    inputs, _ = drawn(4)
    values = torch.randn(MEMBERS, SEQUENCES, TIME, OUTPUTS)
    mean = values.mean((1, 2), keepdim=True).expand_as(values)
    assert metrics(mean, Batch(inputs, Values(values)))[0].values == pytest.approx([1.0, 1.0])


def test_batches_of_other_lengths_are_put_together():
    inputs, answers = drawn(8)
    one, other = Batch(inputs, Classes(labels(1, TIME))), Batch(inputs[:, :, :4], Classes(labels(1, 4)))
    both = joined([one, other])
    assert both.inputs.shape[:3] == both.target.labels.shape == (MEMBERS, 2 * SEQUENCES, TIME)
    assert both.lengths.tolist() == [[TIME] * SEQUENCES + [4] * SEQUENCES] * MEMBERS
    found = loss(torch.cat([answers, answers], 1), both)
    parts = loss(answers, one) * TIME, loss(answers[:, :, :4], other) * 4
    torch.testing.assert_close(found, sum(parts) / (TIME + 4))


@pytest.mark.parametrize("target", ["values", "classes"])
def test_batches_that_were_cut_are_put_together_again(target):
    inputs, answers = drawn(5)
    wanted = Values(answers) if target == "values" else Classes(labels(5, TIME))
    lengths, weight = labels(6) + 1, torch.rand(MEMBERS, SEQUENCES, TIME, 1)
    whole = Batch(inputs, wanted, lengths, weight)
    again = joined([chosen(whole, slice(0, 2)), chosen(whole, slice(2, None))])
    for name in ("inputs", "lengths", "weight"):
        assert torch.equal(getattr(again, name), getattr(whole, name))
    kept = ("values" if target == "values" else "labels",)
    assert all(torch.equal(getattr(again.target, name), getattr(whole.target, name)) for name in kept)
