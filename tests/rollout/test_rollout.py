"""The reference rollout: equalities, gradients, and everything the signature promises."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from pytest_mock import MockerFixture

from spinhw.physics import diffusion
from spinhw.rollout import Extras, Neurons, Rollout, Sparsity, Steps, Weights, rollout, rollout_driven

F64 = torch.float64

Run = Callable[..., Rollout]


@pytest.fixture(params=["reference", "cpu"])
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def run(engine: str) -> Run:
    """The rollout on each engine."""
    return partial(rollout, engine=engine)


@pytest.fixture
def run_driven(engine: str) -> Run:
    """The drive-only rollout on each engine."""
    return partial(rollout_driven, engine=engine)


LAYERS = (4, 3, 5)
TIMES = 6


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def weights(members: int = 1, inputs: int = 2, seed: int = 0, grad: bool = False) -> Weights:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return (torch.randn(members, *shape, generator=generator, dtype=F64) * 0.8).requires_grad_(grad)

    sources = (inputs, *LAYERS[:-1])
    return Weights(
        tuple(draw(size, source) for size, source in zip(LAYERS, sources, strict=True)),
        tuple(draw(size, size) for size in LAYERS),
        tuple(draw(size) for size in LAYERS),
    )


def neurons(members: int = 1, bounded: bool = True) -> Neurons:
    """Neurons that all differ, around tau = 5 ns."""
    base = Neurons.nominal(
        sum(LAYERS), tau_s=5e-9, cutoff_hz=44e6, gain=0.5, drive_over_gamma=(0.0, 4.0) if bounded else None, dtype=F64
    )
    spread = 0.8 + 0.4 * random(5, members, sum(LAYERS), seed=9)
    return replace(
        base,
        gamma=base.gamma * spread[0],
        sigma=base.sigma * spread[1],
        q=spread[2] - 0.7,
        cutoff_hz=base.cutoff_hz * spread[3],
        gain=base.gain * spread[4],
        bias_drive=base.bias_drive.expand(members, -1),
    )


def inputs(members: int = 1, batch: int = 3, channels: int = 2) -> torch.Tensor:
    return 4 * (random(members, batch, TIMES, channels, seed=3) - 0.3)


def test_one_neuron_without_synapses_rests(run: Run) -> None:
    quiet = Weights((torch.zeros(1, 1, 1),), (torch.zeros(1, 1, 1),), (torch.zeros(1, 1),))
    result = run(quiet, Neurons.nominal(1, tau_s=5e-9, cutoff_hz=1e6), torch.ones(1, 1, 5, 1), Steps(1e-9))
    assert torch.allclose(result.power, torch.full((1, 1, 5, 1), 0.5), atol=1e-6)
    assert result.filtered.abs().max() < 1e-6


@pytest.mark.parametrize("cell", ["spintronic", "ctrnn"])
def test_a_member_of_an_ensemble_equals_the_network_alone(cell: str, run: Run) -> None:
    w, n, u, steps = weights(3), neurons(3), inputs(3), Steps(1e-9)
    together = run(w, n, u, steps, cell=cell)
    for member in range(3):
        one = slice(member, member + 1)
        alone = run(
            Weights(*(tuple(part[one] for part in kind) for kind in (w.w_ext, w.w_int, w.bias))),
            replace(
                n,
                **{name: getattr(n, name)[one] for name in ("gamma", "sigma", "q", "cutoff_hz", "gain", "bias_drive")},
            ),
            u[one],
            steps,
            cell=cell,
        )
        assert torch.allclose(together.power[one], alone.power, rtol=1e-12, atol=1e-14)
        assert torch.allclose(together.filtered[one], alone.filtered, rtol=1e-12, atol=1e-14)


def test_all_layers_advance_together(run: Run) -> None:
    """The drive of a step uses every layer's y at its start: an input reaches layer 2 only in the third step."""
    w, n, steps = weights(), neurons(), Steps(1e-9, substeps=1, order=1)
    quiet = Weights(w.w_ext, w.w_int, tuple(torch.zeros_like(b) for b in w.bias))
    result = run(quiet, n, inputs(), steps)
    rest, last = result.power0[0, 0, 7:], result.power[0, 0, :, 7:]
    assert torch.allclose(last[:2], rest.expand(2, -1), atol=1e-12)
    assert (last[2] - rest).abs().max() > 1e-6


def test_initial_states(run: Run) -> None:
    w, n, u, steps = weights(), neurons(), inputs(), Steps(1e-9)
    assert run(w, n, u, steps, initial="half").power0.unique().tolist() == [0.5]
    measured = random(1, 3, sum(LAYERS), seed=4)
    assert torch.equal(run(w, n, u, steps, initial=measured).power0, measured)
    a, c = n.sigma * n.bias_drive - n.gamma, n.sigma * n.bias_drive + n.gamma * n.q
    assert torch.allclose(run(w, n, u, steps).power0[0, 1], (a / c)[0])
    with pytest.raises(ValueError, match="initial must be"):
        run(w, n, u, steps, initial="warm")


def node_outputs(result_at: Rollout, source: slice) -> torch.Tensor:
    """The y of a layer at every node of a rollout with one substep: y(0) = 0 first."""
    y = result_at.filtered[..., source]
    return torch.cat([torch.zeros_like(y[:, :, :1]), y], dim=2)


def test_override_with_its_own_output_changes_nothing(run: Run) -> None:
    w, n, u, steps = weights(), neurons(), inputs(), Steps(1e-9, substeps=1, order=1)
    free = run(w, n, u, steps)
    held = run(w, n, u, steps, overrides={1: node_outputs(free, slice(0, 4)), 2: node_outputs(free, slice(4, 7))})
    assert torch.allclose(held.power, free.power, rtol=1e-12)


def test_override_replaces_the_layer_before(run: Run) -> None:
    w, n, u, steps = weights(), neurons(), inputs(), Steps(1e-9, substeps=2, order=2)
    silent = {1: torch.zeros(1, 3, TIMES * 2 + 1, 4, dtype=F64)}
    cut = Weights((w.w_ext[0], torch.zeros_like(w.w_ext[1]), w.w_ext[2]), w.w_int, w.bias)
    assert torch.allclose(run(w, n, u, steps, overrides=silent).power, run(cut, n, u, steps).power, rtol=1e-12)
    with pytest.raises(ValueError, match=r"layers 1 to 2, not 0"):
        run(w, n, u, steps, overrides={0: silent[1]})


def test_defect_acts_as_if_the_power_had_moved(run: Run) -> None:
    """A defect r changes y like a change of x by r: for f_cut = 0 the last layer's y is x - x(0) + r - r(0)."""
    w, u, steps = weights(), inputs(), Steps(1e-9, substeps=2)
    n = replace(neurons(), cutoff_hz=torch.zeros(1, sum(LAYERS), dtype=F64))
    defect = 0.01 * random(1, 3, TIMES * 2 + 1, sum(LAYERS), seed=6)
    result = run(w, n, u, steps, extras=Extras(defect=defect))
    shown = result.power - result.power0[:, :, None] + (defect - defect[:, :, :1])[:, :, 2::2]
    assert torch.allclose(result.filtered, shown, atol=1e-12)


def test_defect_constant_in_time_does_nothing(run: Run) -> None:
    w, n, u, steps = weights(), neurons(), inputs(), Steps(1e-9)
    constant = Extras(defect=torch.full((1, 3, TIMES * 2 + 1, sum(LAYERS)), 0.2, dtype=F64))
    assert torch.allclose(run(w, n, u, steps, extras=constant).power, run(w, n, u, steps).power, rtol=1e-12)


def test_whole_step_delay_equals_waiting() -> None:
    """With a delay d, y(t - d) drives: an input reaches the second layer d later than without."""
    w, n = weights(), neurons()
    quiet = Weights(w.w_ext, w.w_int, tuple(torch.zeros_like(b) for b in w.bias))
    steps = Steps(1e-9, substeps=2, order=1)
    late = rollout(quiet, n, inputs(), steps, loop_delay_s=2e-9)
    second, rest = late.power[0, 0, :, 4:7], late.power0[0, 0, 4:7]
    assert torch.allclose(second[:2], rest.expand(2, -1), atol=1e-12)
    assert (second[2] - rest).abs().max() > 1e-6


def test_small_delay_is_continuous() -> None:
    w, n, u, steps = weights(), neurons(), inputs(), Steps(1e-9, substeps=8)
    now, soon, later = (rollout(w, n, u, steps, loop_delay_s=d).filtered for d in (0.0, 1e-15, 1e-10))
    assert torch.allclose(now, soon, atol=1e-5)
    assert 1e-4 < (now - later).abs().max() < 0.1


@pytest.mark.parametrize("order", [1, 2])
def test_delay_converges_with_the_step(order: int) -> None:
    w, n, u = weights(), neurons(), inputs()
    fine = rollout(w, n, u, Steps(1e-9, 128, 2), loop_delay_s=0.37e-9).filtered
    gaps = [
        (rollout(w, n, u, Steps(1e-9, substeps, order), loop_delay_s=0.37e-9).filtered - fine).abs().max()
        for substeps in (4, 16)
    ]
    assert gaps[1] < gaps[0] / (3, 8)[order - 1]


def test_driven_form_equals_the_network_under_its_own_drive(run_driven: Run) -> None:
    w, n, u, steps = weights(), neurons(), inputs(), Steps(1e-9, substeps=1, order=1)
    coupled = rollout(w, n, u, steps, record_drive=True)
    assert coupled.drive is not None
    driven = run_driven(coupled.drive, n, steps)
    assert torch.allclose(driven.power, coupled.power, rtol=1e-10)
    assert torch.allclose(driven.filtered, coupled.filtered, atol=1e-12)


def test_driven_form_takes_nodes(run_driven: Run) -> None:
    n, steps = neurons(), Steps(1e-9, substeps=2)
    held = 4e8 * random(1, 3, TIMES, sum(LAYERS), seed=8)
    constant = held[:, :, :1].expand(-1, -1, TIMES, -1)
    nodes = held[:, :, :1].expand(-1, -1, TIMES * 2 + 1, -1)
    assert torch.allclose(run_driven(constant, n, steps).power, run_driven(nodes, n, steps, at_nodes=True).power)
    with pytest.raises(ValueError, match="whole number of intervals"):
        run_driven(nodes[:, :, 1:], n, steps, at_nodes=True)


def test_noise_is_explicit_and_has_the_right_size(run_driven: Run) -> None:
    """Uncoupled neurons at the bias: the spread of the power is that of linear theory, sqrt(p_T / 2)."""
    n = Neurons.nominal(400, tau_s=5e-9, dtype=F64)
    steps, p_t = Steps(1e-9, substeps=4), 1e-3
    normals = torch.randn(1, 4, 60 * 4, 400, 2, generator=torch.Generator().manual_seed(2), dtype=F64)
    drive = n.bias_drive[:, None, None].expand(1, 4, 60, 400)
    noisy = run_driven(drive, n, steps, extras=Extras(noise=normals, diffusion_per_s=diffusion(n.gamma, p_t)))
    assert noisy.power[:, :, -1].std().item() == pytest.approx(math.sqrt(p_t / 2), rel=0.1)
    again = run_driven(drive, n, steps, extras=Extras(noise=normals, diffusion_per_s=diffusion(n.gamma, p_t)))
    assert torch.equal(noisy.power, again.power)


@pytest.mark.parametrize(("order", "cell"), [(1, "spintronic"), (2, "spintronic"), (2, "ctrnn")])
def test_gradcheck_of_everything(order: int, cell: str, run: Run) -> None:
    w, n = weights(grad=True), neurons()
    u = inputs(batch=1)[:, :, :2].requires_grad_()
    start = (0.3 + 0.4 * random(1, 1, sum(LAYERS))).requires_grad_()
    defect = (0.01 * random(1, 1, 5, sum(LAYERS), seed=6)).requires_grad_()
    override = (0.1 * random(1, 1, 5, 3, seed=7)).requires_grad_()
    per_neuron = [
        (getattr(n, name) / scale).clone().requires_grad_()
        for name, scale in (("gamma", 1e9), ("sigma", 1), ("q", 1), ("cutoff_hz", 1e9), ("gain", 1))
    ]
    flat = [*w.w_ext, *w.w_int, *w.bias]

    def ends(*tensors: torch.Tensor) -> torch.Tensor:
        ext, own, bias = tensors[:3], tensors[3:6], tensors[6:9]
        gamma, sigma, q, cutoff, gain, u, start, defect, override = tensors[9:]
        changed = replace(n, gamma=gamma * 1e9, sigma=sigma, q=q, cutoff_hz=cutoff * 1e9, gain=gain)
        extras = Extras(defect=defect) if cell == "spintronic" else Extras()
        result = run(
            Weights(ext, own, bias),
            changed,
            u,
            Steps(1e-9, 2, order),
            cell=cell,
            initial=start,
            extras=extras,
            overrides={2: override},
        )
        return torch.cat([result.power[:, :, -1], result.filtered[:, :, -1]])

    assert torch.autograd.gradcheck(ends, (*flat, *per_neuron, u, start, defect, override), check_undefined_grad=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": torch.zeros(1, 3, TIMES, 5)}, r"inputs has shape \(1, 3, 6, 5\); it must be \(1, any, any, 2\)"),
        ({"neurons": Neurons.nominal(7, tau_s=1e-9)}, r"neurons.gamma has shape \(1, 7\); it must be \(1 or 1, 12\)"),
        ({"extras": Extras(noise=torch.zeros(1))}, "noise and diffusion_per_s belong together"),
        ({"extras": Extras(defect=torch.zeros(1, 3, 12, 12))}, r"extras.defect has shape \(1, 3, 12, 12\)"),
    ],
)
def test_wrong_shapes_are_named(change: dict, message: str, run: Run) -> None:
    arguments = {"weights": weights(), "neurons": neurons(), "inputs": inputs(), "steps": Steps(1e-9)} | change
    with pytest.raises(ValueError, match=message):
        run(**arguments)


def test_steps_per_ns() -> None:
    assert Steps(1e-9, 2).at_least_per_ns(16) == Steps(1e-9, 16)
    assert Steps(0.4e-9, 2).at_least_per_ns(16).substeps == 7
    assert Steps(1e-9, 32).at_least_per_ns(16).substeps == 32
    with pytest.raises(ValueError, match="positive interval"):
        Steps(0.0)


def test_engines_agree_in_values_and_gradients() -> None:
    """The compiled adjoint equals autograd through the reference, to rounding, for every kind of argument."""
    results = {}
    for engine in ("reference", "cpu"):
        w, n = weights(2, grad=True), neurons(2)
        n = replace(n, **{name: getattr(n, name).clone().requires_grad_() for name in ("gamma", "sigma", "q", "gain")})
        u = inputs(2).requires_grad_()
        result = rollout(w, n, u, Steps(1e-9, 3, 2), engine=engine)
        (result.power.square().sum() + result.filtered.sin().sum()).backward()
        leaves = [*w.w_ext, *w.w_int, *w.bias, n.gamma, n.sigma, n.q, n.gain, u]
        results[engine] = [result.power.detach(), result.filtered.detach(), *(leaf.grad for leaf in leaves)]
    for slow, fast in zip(*results.values(), strict=True):
        assert (slow - fast).norm() <= 1e-10 * slow.norm()


def test_engines_agree_in_single_precision() -> None:
    grads = []
    for engine in ("reference", "cpu"):
        w = Weights(
            *(
                tuple(t.float().detach().requires_grad_() for t in kind)
                for kind in (weights().w_ext, weights().w_int, weights().bias)
            )
        )
        result = rollout(w, neurons().to(torch.float32), inputs().float(), Steps(1e-9), engine=engine)
        result.filtered[:, :, -1].sum().backward()
        grads.append(torch.cat([leaf.grad.flatten() for kind in (w.w_ext, w.w_int, w.bias) for leaf in kind]))
    assert (grads[0] - grads[1]).norm() <= 1e-5 * grads[0].norm()


def test_sparse_weights_act_and_learn_only_where_they_exist() -> None:
    masks = [
        torch.rand(1, *weight.shape[1:], generator=torch.Generator().manual_seed(i)) < 0.5
        for i, weight in enumerate((*weights().w_ext, *weights().w_int))
    ]
    sparsity = Sparsity.of(masks[:3], masks[3:])
    full = [weight.detach() * mask for weight, mask in zip((*weights().w_ext, *weights().w_int), masks, strict=True)]
    grads = {}
    for engine in ("reference", "cpu"):
        leaves = [tensor.clone().requires_grad_() for tensor in full]
        w = Weights(tuple(leaves[:3]), tuple(leaves[3:]), weights().bias, sparsity)
        rollout(w, neurons(), inputs(), Steps(1e-9), engine=engine).filtered.square().sum().backward()
        grads[engine] = [leaf.grad for leaf in leaves]
    for mask, slow, fast in zip(masks, grads["reference"], grads["cpu"], strict=True):
        assert torch.allclose(slow * mask, fast * mask, rtol=1e-9, atol=1e-14)
        assert (fast[~mask] == 0).all()


def test_an_engine_refuses_what_it_cannot_do() -> None:
    learning = inputs().requires_grad_()
    with pytest.raises(ValueError, match="engine 'cpu' cannot do this, it lacks gradients beside a loop delay"):
        rollout(weights(), neurons(), learning, Steps(1e-9), engine="cpu", loop_delay_s=1e-9)
    rollout(weights(), neurons(), learning, Steps(1e-9), loop_delay_s=1e-9).power.sum().backward()
    assert learning.grad is not None


def test_unknown_engine_is_refused() -> None:
    with pytest.raises(ValueError, match="engine must be 'auto', 'reference', 'cpu' or 'gpu', not 'tpu'"):
        rollout(weights(), neurons(), inputs(), Steps(1e-9), engine="tpu")  # type: ignore[arg-type]


def test_engine_without_its_package_says_what_to_install(mocker: MockerFixture) -> None:
    mocker.patch("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"engine 'gpu' .* the package triton, .* pip install .spinhw\[gpu\]."):
        rollout(weights(), neurons(), inputs(), Steps(1e-9), engine="gpu")


def test_only_the_last_samples_when_asked(run: Run) -> None:
    whole = run(weights(), neurons(), inputs(), Steps(1e-9))
    last = run(weights(), neurons(), inputs(), Steps(1e-9), record_last=2)
    assert torch.equal(last.filtered, whole.filtered[:, :, -2:])
    assert torch.equal(last.power, whole.power[:, :, -2:])


@pytest.mark.parametrize("last", [0, -1, TIMES + 1])
def test_more_samples_than_there_are_cannot_be_asked_for(run: Run, last: int) -> None:
    with pytest.raises(ValueError, match=f"record_last is {last}; it must be 1 to {TIMES}"):
        run(weights(), neurons(), inputs(), Steps(1e-9), record_last=last)


def test_sequences_cannot_be_empty(run: Run, run_driven: Run) -> None:
    with pytest.raises(ValueError, match="inputs has 0 time samples"):
        run(weights(), neurons(), inputs()[:, :, :0], Steps(1e-9))
    for at_nodes, nodes in ((False, 0), (True, 1)):
        with pytest.raises(ValueError, match="drive has 0 time samples"):
            run_driven(torch.zeros(1, 2, nodes, sum(LAYERS), dtype=F64), neurons(), Steps(1e-9), at_nodes=at_nodes)


def test_weights_and_inputs_must_be_of_one_type(run: Run) -> None:
    with pytest.raises(ValueError, match=r"weights.w_ext\[0\] is of torch.float64 and inputs of torch.float32"):
        run(weights(), neurons(), inputs().float(), Steps(1e-9))


def test_tensors_must_be_on_one_device(run: Run) -> None:
    here, there = weights(), torch.device("meta")
    moved = replace(here, bias=(*here.bias[:2], here.bias[2].to(there)))
    with pytest.raises(ValueError, match=r"weights.bias\[2\] is on the device 'meta' and inputs on 'cpu'"):
        run(moved, neurons(), inputs(), Steps(1e-9))
    with pytest.raises(ValueError, match=r"neurons.gamma is on the device 'meta'"):
        run(here, neurons().to(there), inputs(), Steps(1e-9))
