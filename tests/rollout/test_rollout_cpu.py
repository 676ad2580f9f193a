"""The CPU engine: what its threads, checkpoints, pooled memory and compiled code must not change."""

import inspect
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numba.core.dispatcher import Dispatcher
from pytest_mock import MockerFixture

from spinhw.rollout import Extras, Neurons, Rollout, Sparsity, Steps, Weights, choice, rollout, rollout_driven
from spinhw.rollout.cpu import coefficients, job, kernels, pattern, plain
from spinhw.rollout.cpu.kernels import adjoint, adjoint_rows, forward, plain_adjoint, sources, tiles
from spinhw.rollout.cpu.kernels import plain as plain_forward
from spinhw.rollout.cpu.kernels.plan import trajectory_shapes
from spinhw.rollout.cpu.workspace import Workspace

MEMBERS, SAMPLES, SUBSTEPS, CHANNELS, LAYERS = 2, 3, 2, 2, (4, 3, 5)
SIZE, STEPS = sum(LAYERS), SAMPLES * SUBSTEPS
PER_NEURON = ("gamma", "sigma", "q", "cutoff_hz", "gain", "bias_drive")
CLOSE = {torch.float64: 1e-10, torch.float32: 1e-5}


class Case:
    """A rollout with fresh leaves, the same numbers every time; each choice says what takes part."""

    def __init__(
        self,
        *,
        dtype: torch.dtype = torch.float64,
        batch: int = 5,
        order: int = 2,
        cell: str = "spintronic",
        bounded: bool = True,
        overridden: bool = False,
        defect: bool = False,
        noise: bool = False,
        neurons_learn: bool = True,
        inputs_learn: bool = True,
        last: int | None = None,
    ) -> None:
        self.generator, self.dtype, self.batch = torch.Generator().manual_seed(1), dtype, batch
        self.leaves: list[torch.Tensor] = []
        self.masks: list[torch.Tensor] = []
        sources = (CHANNELS, *LAYERS[:-1])
        self.weights = Weights(
            tuple(self.masked(size, source) for size, source in zip(LAYERS, sources, strict=True)),
            tuple(self.masked(size, size) for size in LAYERS),
            tuple(self.leaf(0.8 * self.normal(MEMBERS, size)) for size in LAYERS),
        )
        self.weights = replace(self.weights, sparsity=Sparsity.of(self.masks[:3], self.masks[3:]))
        self.neurons = self.spread(bounded, neurons_learn)
        self.inputs = self.leaf(self.normal(MEMBERS, batch, SAMPLES, CHANNELS), inputs_learn)
        self.steps = Steps(1e-9, SUBSTEPS, order)
        start = self.leaf(0.2 + 0.6 * torch.rand(MEMBERS, batch, SIZE, generator=self.generator))
        self.options: dict[str, Any] = {"cell": cell, "initial": start, "record_last": last}
        self.options["extras"] = self.extras(defect, noise)
        if overridden:
            self.options["overrides"] = {2: self.leaf(0.5 * self.normal(MEMBERS, batch, STEPS + 1, LAYERS[1]))}

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64)

    def leaf(self, values: torch.Tensor, learns: bool = True) -> torch.Tensor:
        values = values.to(self.dtype)
        if learns:
            self.leaves.append(values.requires_grad_())
        return values

    def masked(self, *shape: int) -> torch.Tensor:
        """Weights of which each member has its own half."""
        mask = self.normal(MEMBERS, *shape) > 0
        self.masks.append(mask)
        return self.leaf(0.8 * self.normal(MEMBERS, *shape)) * mask

    def spread(self, bounded: bool, learn: bool) -> Neurons:
        limits = (0.0, 4.0) if bounded else None
        base = Neurons.nominal(
            SIZE, tau_s=5e-9, q=0.3, cutoff_hz=44e6, gain=0.5, drive_over_gamma=limits, dtype=torch.float64
        ).to(self.dtype)
        factor = 1 + 0.1 * self.normal(len(PER_NEURON), MEMBERS, SIZE)
        return replace(
            base, **{name: self.leaf(getattr(base, name) * factor[at], learn) for at, name in enumerate(PER_NEURON)}
        )

    def extras(self, defect: bool, noise: bool) -> Extras:
        shape = (MEMBERS, self.batch, STEPS + 1, SIZE)
        return Extras(
            noise=self.normal(MEMBERS, self.batch, STEPS, SIZE, 2).to(self.dtype) if noise else None,
            diffusion_per_s=torch.full((MEMBERS, SIZE), 1e5, dtype=self.dtype) if noise else None,
            defect=self.leaf(0.05 * self.normal(*shape)) if defect else None,
        )

    def run(self, engine: str = "cpu") -> Rollout:
        return rollout(self.weights, self.neurons, self.inputs, self.steps, engine=engine, **self.options)  # type: ignore[arg-type]


def everything(result: Rollout, leaves: list[torch.Tensor]) -> list[torch.Tensor]:
    """Values, and gradients of one sum over them."""
    ramp = torch.linspace(-1, 2, result.power.numel(), dtype=result.power.dtype).reshape(result.power.shape)
    loss = (result.power * ramp).sum() + (result.filtered * ramp.flip(1, 2)).sum()
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
    filled = (torch.zeros_like(leaf) if found is None else found for leaf, found in zip(leaves, gradients, strict=True))
    return [result.power.detach(), result.filtered.detach(), *filled]


def found(engine: str = "cpu", **choices: Any) -> list[torch.Tensor]:
    case = Case(**choices)
    return everything(case.run(engine), case.leaves)


def same(some: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


def check_close(some: list[torch.Tensor], others: list[torch.Tensor], tolerance: float) -> None:
    for place, (one, other) in enumerate(zip(some, others, strict=True)):
        assert (one - other).norm() <= tolerance * other.norm(), f"tensor {place}: {one} is not {other}"


@pytest.fixture
def plain_jobs(mocker: MockerFixture) -> list[plain.PlainJob]:
    """Calls that the kernels of plain networks took."""
    jobs: list[plain.PlainJob] = []
    forward = plain.PlainJob.forward
    mocker.patch.object(plain.PlainJob, "forward", lambda self, to: jobs.append(self) or forward(self, to))
    return jobs


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def segments(mocker: MockerFixture) -> Callable[[int], None]:
    """Keep checkpoints only, so many steps apart."""

    def choose(steps: int) -> None:
        mocker.patch.object(job, "segment_length", lambda *_: steps)

    return choose


KINDS = [
    {},
    {"bounded": False},
    {"cell": "ctrnn"},
    {"cell": "ctrnn", "overridden": True},
    {"overridden": True},
    {"defect": True},
    {"noise": True},
    {"overridden": True, "defect": True, "noise": True, "last": 1},
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("choices", KINDS, ids=str)
def test_values_and_gradients_are_the_references(dtype: torch.dtype, order: int, choices: dict) -> None:
    choices = choices | {"order": order}
    check_close(found(dtype=dtype, **choices), [x.to(dtype) for x in found("reference", **choices)], CLOSE[dtype])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("choices", [{}, {"last": 1}, {"inputs_learn": False}, {"batch": 75}], ids=str)
def test_plain_networks_are_the_references(
    dtype: torch.dtype, order: int, choices: dict, plain_jobs: list[plain.PlainJob], threads: Callable[[int], None]
) -> None:
    """Their own kernels: batches that fill tiles and blocks, and ones that do not; any number of threads."""
    choices = choices | {"order": order, "neurons_learn": False}
    wanted = [x.to(dtype) for x in found("reference", **choices)]
    threads(1)
    once = found(dtype=dtype, **choices)
    threads(3)
    assert same(found(dtype=dtype, **choices), once)
    check_close(once, wanted, CLOSE[dtype])
    assert len(plain_jobs) == 2


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("segment", [1, 2, 5])
def test_segments_of_plain_networks(order: int, segment: int, mocker: MockerFixture) -> None:
    choices = {"order": order, "neurons_learn": False}
    whole = found(**choices)
    mocker.patch.object(plain, "SEGMENT", segment)
    check_close(found(**choices), whole, 1e-13)


@pytest.mark.filterwarnings("ignore:steps of")  # Longer than a network should be trained with, with some weights.
def test_long_steps_are_not_plain(plain_jobs: list[plain.PlainJob]) -> None:
    case = Case(neurons_learn=False)
    case.steps = Steps(5e-9, SUBSTEPS, 2)  # z up to 1.5
    case.run()
    assert not plain_jobs
    check_close([case.run().power], [case.run("reference").power], 1e-10)


@pytest.mark.parametrize("at_nodes", [False, True])
@pytest.mark.parametrize("order", [1, 2])
def test_drive_only_form_is_the_references(order: int, at_nodes: bool) -> None:
    case = Case(order=order, bounded=False)
    length = STEPS + 1 if at_nodes else SAMPLES
    drive = (4e8 + 3e8 * case.normal(MEMBERS, 5, length, SIZE)).requires_grad_()
    leaves = [drive, *(getattr(case.neurons, name) for name in ("gamma", "sigma", "q", "cutoff_hz"))]
    results = [
        everything(rollout_driven(drive, case.neurons, case.steps, at_nodes=at_nodes, engine=engine), leaves)  # type: ignore[arg-type]
        for engine in ("cpu", "reference")
    ]
    check_close(*results, 1e-10)


@pytest.mark.parametrize("order", [1, 2])
def test_bits_do_not_depend_on_threads(order: int, threads: Callable[[int], None]) -> None:
    results = []
    for number in (1, 2, 5):
        threads(number)
        results.append(found(dtype=torch.float32, batch=150, order=order, defect=True))
    assert same(results[0], results[1])
    assert same(results[0], results[2])


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_checkpoints_change_nothing(order: int, steps: int, segments: Callable[[int], None]) -> None:
    choices = {"order": order, "overridden": True, "defect": True, "noise": True}
    whole = found(**choices)
    segments(steps)
    # Sums over steps are taken in the same order, whatever the segments: not even the rounding differs.
    assert same(found(**choices), whole)


def test_memory_grows_as_the_root_of_the_steps(mocker: MockerFixture) -> None:
    mocker.patch.object(job, "KEEP_BYTES", 0)
    kept: list[int] = []
    plain = job.Job

    class Watched(plain):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            again = trajectory_shapes(self.plan, self.plan.segment + 1, 64)
            kept.append(self.kept_bytes + 4 * sum(int(np.prod(shape)) for shape in again))

    mocker.patch("spinhw.rollout.cpu.engine.Job", Watched)
    n = Neurons.nominal(4, tau_s=5e-9, cutoff_hz=44e6)
    for samples in (100, 10_000):
        drive = torch.full((1, 8, samples, 4), 4e8, requires_grad=True)
        rollout_driven(drive, n, Steps(1e-9, 1), engine="cpu").power.sum().backward()
        assert drive.grad is not None and drive.grad.isfinite().all()
    assert kept[1] < 12 * kept[0]  # a hundred times the steps
    assert kept[1] < 4 * (2 * 100 + 2 * 4 * 101) * 64 * 4  # 100 checkpoints of x and y, segments of 100 steps


def test_hundred_thousand_steps_of_the_papers_network_would_fit() -> None:
    plan = job.CpuPlan(**dict.fromkeys(job.CpuPlan._fields, 0))._replace(neurons=96, inputs=1, order=2, steps=100_000)
    segment = job.segment_length(plan, 1, 64, 4)  # batch 32: one tile, which has room for 64
    kept = 2 * (100_000 // segment + 1) * 96 * 64 * 4
    again = 4 * sum(int(np.prod(shape)) for shape in trajectory_shapes(plan, segment + 1, 64))
    assert kept + again < 1e8


def poisoned(mocker: MockerFixture) -> None:
    """Fill memory that nobody has written with NaN."""
    take, empty = Workspace.take, np.empty

    def taken(self: Workspace, size: int) -> np.ndarray:
        buffer = take(self, size)
        buffer.fill(0xFF)  # NaN in either precision
        return buffer

    def emptied(shape: Any, dtype: Any = float) -> np.ndarray:
        fresh = empty(shape, dtype)
        fresh.reshape(-1).view(np.uint8).fill(0xFF)
        return fresh

    mocker.patch.object(Workspace, "take", taken)
    mocker.patch("spinhw.rollout.cpu.engine.np.empty", emptied)


OPTIONAL = ("overridden", "defect", "noise", "neurons_learn", "inputs_learn", "bounded")


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("segment", [None, 3])
def test_nothing_unwritten_is_read(
    order: int, segment: int | None, segments: Callable[[int], None], mocker: MockerFixture
) -> None:
    if segment is not None:
        segments(segment)
    cases = [dict(zip(OPTIONAL, each, strict=True)) for each in itertools.product((False, True), repeat=len(OPTIONAL))]
    cases += [{"cell": "ctrnn", "overridden": each, "neurons_learn": learn} for each, learn in _PAIRS]
    clean = [found(order=order, **choices) for choices in cases]
    poisoned(mocker)
    for choices, wanted in zip(cases, clean, strict=True):
        again = found(order=order, **choices)
        assert all(each.isfinite().all() for each in again), choices
        assert same(again, wanted), choices


_PAIRS = list(itertools.product((False, True), repeat=2))


@pytest.mark.parametrize("order", [1, 2])
def test_nothing_unwritten_is_read_in_the_drive_only_form(order: int, mocker: MockerFixture) -> None:
    def run(at_nodes: bool, defect: bool, learn: bool) -> list[torch.Tensor]:
        case = Case(order=order, neurons_learn=learn, defect=defect)
        drive = case.leaf(4e8 + 3e8 * case.normal(MEMBERS, 5, STEPS + 1 if at_nodes else SAMPLES, SIZE))
        extras = case.options["extras"]
        result = rollout_driven(drive, case.neurons, case.steps, at_nodes=at_nodes, extras=extras, engine="cpu")
        return everything(result, case.leaves)

    choices = list(itertools.product((False, True), repeat=3))
    clean = [run(*each) for each in choices]
    poisoned(mocker)
    for each, wanted in zip(choices, clean, strict=True):
        assert same(run(*each), wanted), each


def test_ctrnn_starts_with_the_output_of_its_state() -> None:
    """Every engine: y(0) = tanh x(0) drives the first step, and the start has the gradient of it."""
    for order in (1, 2):
        check_close(found(order=order, cell="ctrnn"), found("reference", order=order, cell="ctrnn"), 1e-10)
    case = Case(order=1, cell="ctrnn")
    silent = Case(order=1, cell="ctrnn")
    silent.options["initial"] = torch.zeros_like(case.options["initial"])
    first, second = (each.run().power[:, :, 0].detach() for each in (case, silent))
    # With y(0) = 0 both would have the same drive and differ by the decay of the start alone.
    alone = case.options["initial"].detach() * torch.exp(-case.neurons.gamma.detach() * 1e-9)[:, None]
    assert (first - second - alone).abs().max() > 0.01


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_extreme_rates(dtype: torch.dtype) -> None:
    """a = 0 exactly, strong growth and decay, cutoffs of every size: finite, and equal to the reference."""
    base = Neurons.nominal(4, tau_s=5e-9, dtype=dtype)
    n = replace(base, cutoff_hz=torch.tensor([[1e3, 1e6, 1e8, 1e10]], dtype=dtype))
    drive = torch.tensor([2e8, 2e11, -2e11, 2.0002e8], dtype=dtype).reshape(1, 1, 1, 4)
    results = []
    for engine, precision in (("cpu", dtype), ("reference", torch.float64)):
        given = drive.to(precision).requires_grad_()
        result = rollout_driven(given, n.to(precision), Steps(1e-9, 1, 1), initial="half", engine=engine)  # type: ignore[arg-type]
        (gradient,) = torch.autograd.grad(result.power.sum(), given)
        results.append([each.to(dtype) for each in (result.power.detach(), result.filtered.detach(), gradient)])
    assert all(each.isfinite().all() for each in results[0])
    check_close(*results, 10 * CLOSE[dtype])


def test_nan_is_not_hidden(mocker: MockerFixture) -> None:
    mocker.patch.object(choice, "check_finite", lambda problem, result: None)
    case = Case(dtype=torch.float32, inputs_learn=False)
    case.inputs[0, 3, 1, 0] = float("nan")
    power = case.run().power
    assert power[0, 3, 0].isfinite().all() and power[0, 3, 1:].isnan().any(dim=1).any()
    assert power[0, 4].isfinite().all() and power[1].isfinite().all()
    # The reference multiplies by the zeros of absent synapses too, so that there it spreads further.
    assert not (power.isnan() & ~case.run("reference").power.isnan()).any()


def test_change_in_place_is_noticed() -> None:
    case = Case(inputs_learn=False)
    result = case.run()
    case.inputs.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.power.sum().backward()


def test_pattern_is_remembered_while_the_masks_stay(mocker: MockerFixture) -> None:
    made: list[torch.Size] = []
    plain = pattern.Pattern.from_mask
    mocker.patch.object(pattern.Pattern, "from_mask", lambda mask: made.append(mask.shape) or plain(mask))
    case = Case()
    first = case.run()
    assert torch.equal(first.power, case.run().power)
    assert len(made) == 1
    assert case.weights.sparsity is not None
    case.weights.sparsity.recurrent[:] = False
    alone = case.run()
    assert len(made) == 2
    assert not torch.equal(first.power, alone.power)


def test_neurons_are_remembered_while_they_stay(mocker: MockerFixture) -> None:
    made: list[float] = []
    fold = coefficients.fold
    mocker.patch.object(
        coefficients,
        "fold",
        lambda neurons, step_s, *size, **how: made.append(step_s) or fold(neurons, step_s, *size, **how),
    )
    case = Case(neurons_learn=False)
    first = case.run()
    assert torch.equal(first.power, case.run().power)
    assert len(made) == 1
    case.neurons.gamma.mul_(1.1)
    case.neurons.bounds.highest.mul_(1.2)
    np.testing.assert_allclose(case.run().power.detach(), case.run("reference").power.detach(), rtol=1e-10)
    case.options["drive_rate_per_s"] = 2e9
    np.testing.assert_allclose(case.run().power.detach(), case.run("reference").power.detach(), rtol=1e-10)
    assert len(made) == 3


def test_neurons_that_learn_are_never_remembered() -> None:
    case = Case()
    case.run()
    (gradient,) = torch.autograd.grad(case.run().power.sum(), [case.neurons.gamma])
    assert gradient.abs().max() > 0


def test_record_of_the_drive_is_the_references() -> None:
    for choices in ({}, {"bounded": False}, {"cell": "ctrnn"}, {"last": 1, "noise": True}):
        for order in (1, 2):
            case = Case(order=order, **choices)
            with torch.no_grad():
                results = [
                    rollout(
                        case.weights,
                        case.neurons,
                        case.inputs,
                        case.steps,
                        engine=engine,  # type: ignore[arg-type]
                        record_drive=True,
                        **case.options,
                    )
                    for engine in ("cpu", "reference")
                ]
            assert results[0].drive is not None and results[1].drive is not None
            check_close([results[0].drive, results[0].power], [results[1].drive, results[1].power], 1e-10)


def test_gradients_that_the_engine_lacks_are_refused() -> None:
    case = Case(noise=True)
    case.options["extras"].diffusion_per_s.requires_grad_()
    with pytest.raises(ValueError, match="engine 'cpu' cannot do this, it lacks gradients by the noise"):
        case.run()
    case = Case()
    case.options["record_drive"] = True
    with pytest.raises(ValueError, match="it lacks gradients beside a record of the drive"):
        case.run()
    assert case.run("auto").drive is not None


def test_nothing_is_kept_without_gradients(mocker: MockerFixture) -> None:
    kept: list[int] = []

    def watch(kind: Any) -> None:
        forward = kind.forward
        mocker.patch.object(kind, "forward", lambda self, to: kept.append(self.kept_bytes) or forward(self, to))

    watch(job.Job)
    watch(plain.PlainJob)
    for choices in ({}, {"bounded": False}):
        with torch.no_grad():
            Case(**choices).run()
        Case(**choices).run()
    assert len(kept) == 4
    assert kept[0] == kept[2] == 0 < min(kept[1], kept[3])


def test_only_entry_points_are_cached_and_know_the_sources() -> None:
    compiled = {
        name: value
        for module in (forward, adjoint, adjoint_rows, plain_forward, plain_adjoint, tiles)
        for name, value in vars(module).items()
        if isinstance(value, Dispatcher)
    }
    cached = {name: each for name, each in compiled.items() if each.stats.cache_path is not None}
    assert set(cached) == set(kernels.__all__)
    for each in cached.values():
        assert inspect.signature(each.py_func).parameters["sources"].default == sources.SOURCES
    assert all(
        Path(each.py_func.__code__.co_filename).parent == Path(kernels.__file__).parent for each in cached.values()
    )


def test_code_compiled_from_older_sources_is_not_used(tmp_path: Path) -> None:
    """What the default argument is for: a changed callee in another file, while the entry's own file stays as it is."""
    package = tmp_path / "small"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "callee.py").write_text("from numba import njit\n\n@njit\ndef number():\n    return 1\n")
    (package / "sources.py").write_text(Path(sources.__file__).read_text())
    (package / "entry.py").write_text(
        "from numba import njit\nfrom small.callee import number\nfrom small.sources import SOURCES\n\n"
        "@njit(cache=True)\ndef entry(sources=SOURCES):\n    return number()\n\n"
        "print(entry(), sum(entry.stats.cache_hits.values()))\n"
    )

    def run() -> str:
        environment = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", "import small.entry"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout

    assert run().split() == ["1", "0"]
    assert run().split() == ["1", "1"]
    (package / "callee.py").write_text("from numba import njit\n\n@njit\ndef number():\n    return 2\n")
    assert run().split() == ["2", "0"]
    assert run().split() == ["2", "1"]


def test_an_index_of_an_older_version_that_cannot_be_read_counts_as_empty(tmp_path: Path) -> None:
    """Of any upgrade that renames or moves a type of an argument; numba alone raises an error at the first call."""
    (tmp_path / "entry.py").write_text(
        "from types_of import Plan\nfrom spinhw.rollout.compiled import kept\n\n"
        "@kept()\ndef entry(plan):\n    return plan.number\n\n"
        "print(entry(Plan(3)), sum(entry.stats.cache_hits.values()))\n"
    )
    newer = tmp_path / "types_of.py"

    def run() -> str:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
            "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
        }
        command = [sys.executable, "-B", "-c", "import entry"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout

    newer.write_text("from typing import NamedTuple\n\nclass Plan(NamedTuple):\n    number: int\n")
    assert [run().split(), run().split()] == [["3", "0"], ["3", "1"]]
    newer.write_text(
        "from typing import NamedTuple\n\nclass Newer(NamedTuple):\n    number: int\n\n"
        "def Plan(number):\n    return Newer(number)\n"
    )
    assert [run().split(), run().split()] == [["3", "0"], ["3", "1"]]
    for index in tmp_path.rglob("*.nbi"):
        index.write_bytes(index.read_bytes()[:-9])
    assert [run().split(), run().split()] == [["3", "0"], ["3", "1"]]


@pytest.mark.parametrize("delay", [1e-7, 0.3, 1.0, 1.6, 2.0, 4.7, 40.0])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "choices",
    [{}, {"batch": 70, "overridden": True}, {"bounded": False, "defect": True}, {"noise": True}, {"cell": "ctrnn"}],
    ids=str,
)
def test_a_loop_delay_is_that_of_the_reference(delay: float, order: int, choices: dict[str, Any]) -> None:
    case = Case(order=order, **choices)
    case.options["loop_delay_s"] = delay * case.steps.step_s
    with torch.no_grad():
        fast, slow = case.run("cpu"), case.run("reference")
    assert torch.allclose(fast.power, slow.power, rtol=1e-10, atol=1e-13)
    assert torch.allclose(fast.filtered, slow.filtered, rtol=1e-10, atol=1e-13)
    case.options["loop_delay_s"] = 0.0
    with torch.no_grad():
        assert not torch.allclose(fast.filtered, case.run("cpu").filtered, rtol=1e-10, atol=1e-13)
