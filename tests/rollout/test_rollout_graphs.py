"""The rollout among torch's own transforms: compiled graphs use it as one node; what it cannot follow, it refuses."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from pytest_mock import MockerFixture
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.rollout import Extras, Neurons, Steps, rollout_driven
from spinhw.rollout.cpu import operator

LAYERS, TIMES = (4, 3), 3

# What torch itself, not this package, says when its transforms are first used.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.*` is deprecated:DeprecationWarning")


def network(seed: Any = 0, **changes: Any) -> SpintronicNetwork:
    settings = NetworkSettings(layers=LAYERS, outputs=3, readout_samples=2, **changes)
    return SpintronicNetwork(settings, Steps(1e-9, 2, 2), seed)


def inputs(*leading: int) -> Tensor:
    return torch.randn(*leading, TIMES, 1, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def compiled() -> Any:
    """torch.compile without a compiler of machine code: the tracing and its gradient are what is tested."""
    torch.compiler.reset()
    yield lambda model, backend="eager": torch.compile(model, backend=backend, fullgraph=True)
    torch.compiler.reset()


def loss_and_gradients(model: Callable[[Tensor], Tensor], leaves: list[Tensor], u: Tensor) -> list[Tensor]:
    loss = model(u).square().sum()
    return [loss.detach(), *torch.autograd.grad(loss, leaves)]


def check_same(some: list[Tensor], others: list[Tensor]) -> None:
    for one, other in zip(some, others, strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-7)


def test_compiled_ensemble_is_one_graph_with_the_same_gradient(compiled: Any) -> None:
    model = network((0, 1))
    u, leaves = inputs(2, 5), list(model.parameters())
    check_same(loss_and_gradients(compiled(model, "aot_eager"), leaves, u), loss_and_gradients(model, leaves, u))
    assert not operator.kept, "the trajectory outlived its last user"


def test_compiled_model_around_a_rollout_follows_changed_weights_and_batches(compiled: Any) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(1, 1), network(), torch.nn.Softmax(-1))
    graph, leaves = compiled(model), list(model.parameters())
    for batch in (5, 4):
        check_same(*(loss_and_gradients(each, leaves, inputs(batch)) for each in (graph, model)))
        with torch.no_grad():
            for leaf in leaves:
                leaf.mul_(0.9)


def test_compiled_driven_form(compiled: Any) -> None:
    neurons = Neurons.nominal(4, tau_s=5e-9, cutoff_hz=44e6)
    drive = (4e8 + 1e8 * torch.randn(1, 2, TIMES, 4, generator=torch.Generator().manual_seed(2))).requires_grad_()
    defect = 0.1 * torch.ones(1, 2, TIMES * 2 + 1, 4)

    def outputs(drive: Tensor) -> Tensor:
        return rollout_driven(drive, neurons, Steps(1e-9), extras=Extras(defect=defect)).filtered

    check_same(*(loss_and_gradients(each, [drive], drive) for each in (compiled(outputs), outputs)))


def test_compiled_record_of_the_drive(compiled: Any) -> None:
    model = network()

    def drive(u: Tensor) -> Tensor | None:
        return model.run(u, record_drive=True).drive

    with torch.no_grad():
        assert torch.allclose(compiled(drive)(inputs(5)), drive(inputs(5)))


def test_exported_network_gives_the_same() -> None:
    model = network()
    program = torch.export.export(model, (inputs(5),))
    assert "spinhw.integrate" in program.graph_module.code
    assert torch.allclose(program.module()(inputs(5)), model(inputs(5)))


class Noted(TorchDispatchMode):
    """Notes the arguments of the operator."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func is torch.ops.spinhw.integrate.default:
            self.calls.append(args)
        return func(*args, **(kwargs or {}))


def test_operator_keeps_the_rules_of_torch(mocker: MockerFixture) -> None:
    model = network()
    graph = mocker.patch("torch.compiler.is_compiling", return_value=True)
    with Noted() as noted:
        model(inputs(5))
    mocker.stop(graph)
    [(tensors, mask, mask_in, learns, *rest)] = noted.calls
    assert any(learns)
    leaves = [tensor.detach().requires_grad_(one) for tensor, one in zip(tensors, learns, strict=True)]
    torch.library.opcheck(torch.ops.spinhw.integrate.default, (leaves, mask, mask_in, learns, *rest))


def test_adjoint_without_its_trajectory_integrates_again(compiled: Any) -> None:
    """As where a graph moves what is saved for the adjoint out of memory and back."""
    model = network()
    leaves = list(model.parameters())
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor.clone(), lambda tensor: tensor):
        found = loss_and_gradients(compiled(model), leaves, inputs(5))
    check_same(found, loss_and_gradients(model, leaves, inputs(5)))


def test_transforms_of_torch_func_run_on_the_reference() -> None:
    model, u = network().double(), inputs(5).double()
    values = {name: value.detach() for name, value in model.named_parameters()}

    def loss(values: dict[str, Tensor], u: Tensor) -> Tensor:
        return torch.func.functional_call(model, values, (u,)).square().sum()

    found = torch.func.grad(loss)(values, u)
    check_same(list(found.values()), loss_and_gradients(model, list(model.parameters()), u)[1:])
    by_image = torch.func.vmap(lambda one: model(one[None])[0])(u)
    assert torch.allclose(by_image, model(u))
    _, slope = torch.func.jvp(lambda u: loss(values, u), (u,), (torch.ones_like(u),))
    assert slope.item() == pytest.approx((loss(values, u + 1e-6) - loss(values, u - 1e-6)).item() / 2e-6, rel=1e-5)


def test_forward_mode_derivatives_run_on_the_reference() -> None:
    model, u = network().double(), inputs(5).double()
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(u, torch.ones_like(u))
        slope = torch.autograd.forward_ad.unpack_dual(model(dual)).tangent
    assert torch.allclose(slope, (model(u + 1e-6) - model(u - 1e-6)) / 2e-6, rtol=1e-5)


def test_the_cpu_engine_refuses_what_it_cannot_follow() -> None:
    model, u = network(), inputs(5)
    with pytest.raises(ValueError, match=r"engine 'cpu' cannot do this, it lacks the transforms of torch\.func"):
        torch.func.vmap(lambda one: model.run(one[None], engine="cpu").filtered)(u)
    with (
        torch.autograd.forward_ad.dual_level(),
        pytest.raises(ValueError, match="it lacks forward-mode derivatives; use 'auto' or 'reference'"),
    ):
        model.run(torch.autograd.forward_ad.make_dual(u, u), engine="cpu")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_traced_network_is_not_a_frozen_copy_of_its_example() -> None:
    model, u = network(), inputs(5)
    traced = torch.jit.trace(model, u, check_trace=False)
    assert torch.allclose(traced(2 * u), model(2 * u), atol=1e-6)
    forced = network()
    forced.forward = lambda u: SpintronicNetwork.run(forced, u, engine="cpu").filtered  # type: ignore[method-assign]
    with pytest.raises(ValueError, match=r"engine 'cpu' cannot do this, it lacks a form for torch\.jit\.trace"):
        torch.jit.trace(forced, u)


def test_second_derivatives_are_refused() -> None:
    model, u = network(), inputs(5).requires_grad_()
    (slope,) = torch.autograd.grad(model(u).square().sum(), u, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        slope.sum().backward()
