"""The GPU engine, in Triton's interpreter: the same numbers and gradients as the reference, in float32."""

import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pytest_mock import MockerFixture

from fakes.processes import python
from spinhw.rollout import Extras, Neurons, Rollout, Steps, Weights, rollout, rollout_driven

pytest.importorskip("triton", reason="the package triton, which exists for Linux only, is not installed")

from spinhw.rollout.gpu import adapter, engine, launch  # noqa: E402

MEMBERS, BATCH, SAMPLES, SUBSTEPS, CHANNELS, LAYERS = 2, 5, 2, 2, 2, (4, 3, 5)
SIZE, STEPS = sum(LAYERS), SAMPLES * SUBSTEPS
PER_NEURON = ("gamma", "sigma", "q", "cutoff_hz", "gain", "bias_drive")


class Case:
    """A rollout with fresh leaves, the same for every engine."""

    def __init__(
        self,
        *,
        order: int = 2,
        bounded: bool = True,
        cell: str = "spintronic",
        extras: bool = False,
        started: bool = False,
    ) -> None:
        self.generator = torch.Generator().manual_seed(1)
        self.leaves: list[torch.Tensor] = []
        sources = (CHANNELS, *LAYERS[:-1])
        self.weights = Weights(
            tuple(self.masked(size, source) for size, source in zip(LAYERS, sources, strict=True)),
            tuple(self.masked(size, size) for size in LAYERS),
            tuple(self.leaf(0.8 * self.normal(MEMBERS, size)) for size in LAYERS),
        )
        self.neurons = self.spread(bounded)
        self.inputs = self.leaf(self.normal(MEMBERS, BATCH, SAMPLES, CHANNELS))
        self.steps = Steps(1e-9, SUBSTEPS, order)
        self.options: dict[str, Any] = {"cell": cell}
        if started:
            self.options["initial"] = self.leaf(self.normal(MEMBERS, BATCH, SIZE))
        if extras:
            self.options |= self.everything()

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self.generator)

    def leaf(self, values: torch.Tensor) -> torch.Tensor:
        self.leaves.append(values.requires_grad_())
        return values

    def masked(self, *shape: int) -> torch.Tensor:
        """Weights of which each member has its own half."""
        values = self.leaf(0.8 * self.normal(MEMBERS, *shape))
        return values * (self.normal(MEMBERS, *shape) > 0)

    def spread(self, bounded: bool) -> Neurons:
        base = Neurons.nominal(
            SIZE, tau_s=5e-9, q=0.3, cutoff_hz=44e6, gain=0.5, drive_over_gamma=(0.0, 4.0) if bounded else None
        )
        factor = 1 + 0.1 * self.normal(len(PER_NEURON), MEMBERS, SIZE)
        return replace(
            base, **{name: self.leaf(getattr(base, name) * factor[at]) for at, name in enumerate(PER_NEURON)}
        )

    def everything(self) -> dict[str, Any]:
        power = torch.rand(MEMBERS, BATCH, SIZE, generator=self.generator)
        return {
            "extras": Extras(
                noise=self.normal(MEMBERS, BATCH, STEPS, SIZE, 2),
                diffusion_per_s=torch.full((MEMBERS, SIZE), 1e5),
                defect=self.leaf(0.05 * self.normal(MEMBERS, BATCH, STEPS + 1, SIZE)),
            ),
            "overrides": {2: self.leaf(0.5 * self.normal(MEMBERS, BATCH, STEPS + 1, LAYERS[1]))},
            "initial": self.leaf(0.2 + 0.6 * power),
            "record_last": 1,
        }

    def run(self, name: str) -> Rollout:
        return rollout(self.weights, self.neurons, self.inputs, self.steps, engine=name, **self.options)  # type: ignore[arg-type]


def values_and_gradients(result: Rollout, leaves: list[torch.Tensor]) -> list[torch.Tensor]:
    ramp = torch.linspace(-1, 2, result.power.numel()).reshape(result.power.shape)
    loss = (result.power * ramp).sum() + (result.filtered * ramp.flip(1, 2)).sum()
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
    filled = (torch.zeros_like(leaf) if found is None else found for leaf, found in zip(leaves, gradients, strict=True))
    return [result.power.detach(), result.filtered.detach(), *filled]


def check_same(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> None:
    for place, (one, other) in enumerate(zip(found, wanted, strict=True)):
        assert one.shape == other.shape
        assert (one - other).norm() <= 1e-5 * other.norm(), f"tensor {place}: {one} is not {other}"


def check_case(**choices: Any) -> None:
    found, wanted = (
        values_and_gradients(case.run(name), case.leaves)
        for case, name in ((Case(**choices), "gpu"), (Case(**choices), "reference"))
    )
    check_same(found, wanted)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "choices",
    [{}, {"bounded": False}, {"cell": "ctrnn"}, {"cell": "ctrnn", "started": True}, {"extras": True}],
    ids=str,
)
def test_values_and_gradients_are_the_references(order: int, choices: dict) -> None:
    check_case(order=order, **choices)


def test_neither_layout_nor_checkpoints_change_the_result(mocker: MockerFixture) -> None:
    # Two tiles, the second not full; a matrix too large for shared memory; each interval integrated again.
    mocker.patch.object(engine, "launch_of", lambda width, device: launch.Launch(tile=4, warps=4, resident=False))
    mocker.patch.object(engine, "KEEP_BYTES", 0)
    check_case(extras=True)


def test_more_neurons_than_a_tile_is_wide(mocker: MockerFixture) -> None:
    mocker.patch.multiple(sys.modules[__name__], LAYERS=(7, 11), SIZE=18)
    check_case()


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("at_nodes", [False, True])
def test_drive_only_form(order: int, at_nodes: bool) -> None:
    case = Case(order=order)
    length = STEPS + 1 if at_nodes else SAMPLES
    drive = (4e8 + 3e8 * case.normal(MEMBERS, BATCH, length, SIZE)).requires_grad_()
    leaves = [drive, *(getattr(case.neurons, name) for name in ("gamma", "sigma", "q", "cutoff_hz"))]
    found, wanted = (
        values_and_gradients(
            rollout_driven(drive, case.neurons, case.steps, at_nodes=at_nodes, engine=name),  # type: ignore[arg-type]
            leaves,
        )
        for name in ("gpu", "reference")
    )
    check_same(found, wanted)


def test_same_bits_again_and_without_gradients() -> None:
    first, second = (values_and_gradients(case.run("gpu"), case.leaves) for case in (Case(), Case()))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    with torch.no_grad():
        plain = Case().run("gpu")
    assert torch.equal(plain.power, first[0])
    assert torch.equal(plain.filtered, first[1])


def test_too_large_a_network_runs_on_the_reference(mocker: MockerFixture, caplog: pytest.LogCaptureFixture) -> None:
    mocker.patch.object(adapter, "LARGEST_NETWORK", SIZE - 1)
    case = Case()
    with caplog.at_level(logging.INFO, "spinhw"):
        results = [case.run("gpu") for _ in range(2)]
    assert torch.equal(results[0].filtered, case.run("reference").filtered)
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "12 neurons are more than the 11 that one GPU program can hold"
    ]


def test_what_the_engine_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(extras=True)
    case.options["extras"].diffusion_per_s.requires_grad_()
    with pytest.raises(ValueError, match="engine 'gpu' cannot do this, it lacks gradients by the noise"):
        case.run("gpu")
    case = Case()
    case.inputs, case.neurons = case.inputs.double(), case.neurons.to(torch.float64)
    doubled = (tuple(t.double() for t in kind) for kind in (case.weights.w_ext, case.weights.w_int, case.weights.bias))
    case.weights = Weights(*doubled)
    with pytest.raises(ValueError, match=r"lacks tensors of torch\.float64: its state is torch\.float32"):
        case.run("gpu")
    monkeypatch.delenv("TRITON_INTERPRET")
    with pytest.raises(ValueError, match="lacks tensors on the device 'cpu'"):
        Case().run("gpu")


def test_layout_follows_width_and_shared_memory() -> None:
    assert [launch.padded_width(neurons) for neurons in (1, 16, 17, 96, 128, 512)] == [16, 16, 32, 128, 128, 512]
    h100, consumer = 227 * 1024, 99 * 1024
    assert [launch.matrix_fits(width, 16, h100) for width in (128, 256)] == [True, False]
    assert [launch.matrix_fits(width, 16, consumer) for width in (64, 128)] == [True, False]
    assert launch.launch_of(128, torch.device("cpu")).resident


def test_kernels_compile_for_a_gpu(tmp_path: Path) -> None:
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    with python("import fakes.compile_kernels", environment=environment) as child:
        said, complaints = child.communicate()
    assert child.returncode == 0, complaints
    assert said.count("_kernel ") == 4
