"""What a rollout says of bad input: numbers that are not finite, steps too long or too many, too little memory."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pytest_mock import MockerFixture
from torch import Tensor

from spinhw.config import build
from spinhw.errors import ConfigError, SpinhwWarning
from spinhw.network import NetworkSettings, NoSaturation, SigmoidSaturation, SpintronicNetwork
from spinhw.rollout import Neurons, Rollout, Steps, memory, reference, rollout, rollout_driven, soundness
from spinhw.rollout.problem import NetworkProblem
from spinhw.training.load import load_settings
from spinhw.training.settings import RunSettings

BATCH, TIMES = 3, 4
ENGINES = pytest.mark.parametrize("engine", ["reference", "cpu"])


@pytest.fixture(autouse=True)
def nothing_said_before(mocker: MockerFixture) -> Iterator[None]:
    mocker.patch.object(soundness, "said", set())
    mocker.patch.object(soundness, "LOOK_EVERY", 1)
    yield


def network(*seeds: int, **changes: Any) -> SpintronicNetwork:
    return SpintronicNetwork(NetworkSettings(layers=(4, 3), outputs=2, **changes), Steps(1e-9, 1, 2), seeds or (0,))


def inputs(members: int = 1) -> Tensor:
    return torch.rand(members, BATCH, TIMES, 1, generator=torch.Generator().manual_seed(0))


def run(model: SpintronicNetwork, u: Tensor, **options: Any) -> Rollout:
    weights, neurons = options.pop("weights", model.weights()), options.pop("neurons", model.neurons())
    return rollout(weights, neurons, u, options.pop("steps", model.steps), **options)


@ENGINES
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weight_that_is_not_finite_is_named_with_its_member(engine: Any, value: float) -> None:
    model = network(0, 1, 2, saturation=NoSaturation())
    with torch.no_grad():
        model.bias[1][2, 1] = value
    with pytest.raises(
        ValueError, match=rf"weights\.bias\[1\] of member 2 holds {value} at \(2, 1\); every number must"
    ):
        run(model, inputs(3), engine=engine)


@ENGINES
def test_input_that_is_not_finite_is_named(engine: Any) -> None:
    u = inputs()
    u[0, 1, 2] = torch.nan
    with pytest.raises(ValueError, match=r"inputs of member 0 holds nan at \(0, 1, 2, 0\)"):
        run(network(), u, engine=engine)


def test_whole_numbers_are_no_inputs() -> None:
    with pytest.raises(ValueError, match=r"inputs is of torch\.int64; it must be of a floating-point type"):
        run(network(), inputs().long())


def test_types_must_not_be_mixed() -> None:
    model = network()
    with pytest.raises(ValueError, match=r"neurons\.gamma is of torch\.float64 and inputs of torch\.float32"):
        run(model, inputs(), neurons=model.neurons().to(torch.float64))
    with pytest.raises(ValueError, match=r"initial is of torch\.float64 and inputs of torch\.float32"):
        run(model, inputs(), initial=torch.full((1, 1, 7), 0.5, dtype=torch.float64))


def test_bounds_must_fit_the_neurons() -> None:
    bounds = Neurons.nominal(5, tau_s=5e-9, drive_over_gamma=(0.0, 4.0)).bounds
    with pytest.raises(ValueError, match=r"neurons\.bounds\.lowest has shape \(1, 5\); it must be \(1 or 1, 7\)"):
        run(network(), inputs(), neurons=replace(network().neurons(), bounds=bounds))


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"inputs has shape \(1, 0, 4, 1\), a batch of nothing"):
        run(network(), inputs()[:, :0])


def warned(model: SpintronicNetwork, steps: Steps) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            run(model, inputs(), steps=steps)
    assert all(each.category is SpinhwWarning for each in caught)
    return [str(each.message) for each in caught]


def test_steps_too_long_for_a_bounded_drive_are_doubted_once() -> None:
    model = network(tau="1 ns", saturation=SigmoidSaturation(highest_over_gamma=6.0))
    (message,) = warned(model, Steps(1e-9, 1, 2))
    assert "steps of 1e-09 s are too long for the bounded drive" in message
    assert "can reach 5, and above 2" in message
    assert "take 3 or more substeps" in message
    soundness.said.clear()
    assert not warned(model, Steps(1e-9, 3, 2))


def test_steps_too_long_for_an_unbounded_drive_are_doubted() -> None:
    model = network(saturation=NoSaturation())
    assert not warned(model, Steps(1e-9, 1, 2))
    with torch.no_grad():
        model.bias[0][0, 0] = 20.0  # 10 / ns with S = 1/2
    (message,) = warned(model, Steps(1e-9, 1, 2))
    assert "too long for the unbounded drive" in message
    assert "exceeds, in a hundredth of the neurons and sequences," in message


def test_the_drive_that_is_judged_is_that_of_the_reference() -> None:
    model = network(0, 1, saturation=NoSaturation())
    problem = NetworkProblem(model.weights(), model.neurons(), inputs(2), Steps(1e-9, 128, 1), record_drive=True)
    for overrides in ({}, {1: torch.full((2, BATCH, TIMES * 128 + 1, 4), 0.1)}):
        check_last_drive(replace(problem, overrides=overrides))


def check_last_drive(problem: NetworkProblem) -> None:
    result = reference.rollout(problem)
    assert result.drive is not None
    # A mean over the last interval, in which the drive hardly changes any more beside its value at the end.
    assert torch.allclose(soundness.last_drive(problem, result), result.drive[:, :, -1], rtol=0.1, atol=1e7)


@pytest.mark.parametrize("recipe", ["digits", "digits_paper", "ctrnn"])
def test_shipped_recipes_take_steps_that_are_short_enough(recipe: str) -> None:
    """Their coarse epochs too; for the unbounded drive of the paper's at its initial weights."""
    settings = load_settings(Path(f"examples/{recipe}.yaml"))
    model = SpintronicNetwork(
        settings.network, replace(settings.steps, substeps=settings.training.substeps_in(0)), (0,)
    )
    assert not warned(model, model.steps)


def test_too_many_steps_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"16000000000 integration steps for each sample of 1 s are more than the 100000"
    ):
        Steps(1.0).at_least_per_ns(16)
    with pytest.raises(
        ConfigError, match=r"run\.yaml: task\.sample_interval is too long for training\.fine_steps_per_ns"
    ):
        build(RunSettings, {"task": {"sample_interval": "1 s"}}, "run.yaml")


@ENGINES
def test_memory_that_the_machine_lacks_is_refused_before_it_is_taken(engine: Any, mocker: MockerFixture) -> None:
    mocker.patch.object(memory, "machine_bytes", return_value=600)
    with pytest.raises(
        ConfigError,
        match=r"a rollout of 1 x 3 sequences of 4 samples, 7 neurons .* does not fit into memory; seen: it needs about "
        r".* GB on the engine .*; allowed: 6e-07 GB, .*; next: lower the batch, the members \(seeds\), the steps",
    ):
        run(network(), inputs(), engine=engine)
    with torch.no_grad():
        run(network(), inputs(), engine=engine, record_last=1)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 3 GiB"),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_memory_that_runs_out_is_explained(error: Exception, mocker: MockerFixture) -> None:
    def fail(problem: Any) -> Rollout:
        raise error

    mocker.patch.object(reference, "rollout_driven", fail)
    drive, neurons = torch.ones(1, 2, 3, 4), Neurons.nominal(4, tau_s=5e-9)
    with pytest.raises(ConfigError, match=r"does not fit into memory; .*; allowed: less: memory ran out; next: lower"):
        rollout_driven(drive, neurons, Steps(1e-9), engine="reference")


def test_other_errors_of_an_engine_stay_what_they_are(mocker: MockerFixture) -> None:
    def fail(problem: Any) -> Rollout:
        raise RuntimeError("a bug")

    mocker.patch.object(reference, "rollout", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        run(network(), inputs(), engine="reference")
