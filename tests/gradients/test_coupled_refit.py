"""The refit of a running network from its own traces: oscillators, synapses, and errors that are honest."""

from dataclasses import replace

import pytest
import torch

from fakes.loops import INTERVAL_S, NOISE, SPREAD, make
from spinhw.estimate import NormalEquations
from spinhw.gradients import HardwareInLoop, NetworkRefit
from spinhw.gradients.modes import MODES
from spinhw.rollout import Weights
from spinhw.streams import torch_stream
from spinhw.surrogate import DYNAMICS, CoupledRefit, NetworkRecord, Oscillators
from spinhw.surrogate.evidence import evidence
from spinhw.surrogate.feedback import SUBSTEPS, Felt, felt_by_network
from spinhw.surrogate.synapses import Synapses

WRONG = {"synapses": {"scale_spread": 0.1}}
IMAGES, SAMPLES = 40, 32
# So that every neuron moves.
LIVELY = {"weight_scale": 6.0, "gain": 2.0, "density_input": 1.0, "density_inter": 1.0, "density_intra": 1.0}


def inputs(key: int = 0) -> torch.Tensor:
    return 4 * torch.rand(IMAGES, SAMPLES, 1, generator=torch_stream("coupled", key)) - 1.2


def measured(chip: dict, member: int = 0, key: int = 0) -> tuple[NetworkRecord, Oscillators, Weights]:
    """Measure a network on a chip: the record, the true oscillators and the weights that act."""
    network, device = make(chip, members=2, dtype=torch.float32, **LIVELY)
    with device:
        device.program({name: value.detach() for name, value in network.member_values().items()})
        trace = device.run(inputs(key).expand(2, -1, -1, -1)).of_member(member)
        hidden, acting = device.truth.hidden.neurons, device.truth.acting
    power, good = (
        torch.cat([getattr(trace.power0, what)[0][:, None], getattr(trace.power, what)[0]], 1)
        for what in ("values", "good")
    )
    start = network.settings.neurons(torch.float64)
    rate, noise = network.settings.drive_rate_per_s, trace.power.noise or 0.0
    weights = replace(network.weights(trace.applied), sparsity=None)
    record = NetworkRecord(weights, start, inputs(key), power, good, INTERVAL_S, rate, noise)
    true = replace(Oscillators.nominal(start), **{name: getattr(hidden, name)[member].double() for name in DYNAMICS})
    return record, true, network.weights({name: value[member : member + 1] for name, value in acting.items()})


def nominal(record: NetworkRecord) -> Oscillators:
    return Oscillators.nominal(record.neurons)


def off(one: Oscillators, true: Oscillators) -> torch.Tensor:
    """Give by how much gamma, sigma (relative) and Q are off, (parameter, oscillator)."""
    return torch.stack([(one.gamma / true.gamma).log(), (one.sigma / true.sigma).log(), one.q - true.q])


def moving(record: NetworkRecord) -> torch.Tensor:
    """Tell which neurons move by more than noise: of others nothing can be known."""
    return record.power.std((0, 1)) > 0.03


def test_derivatives_are_those_of_the_model():
    """The gradient of the squared residuals, against differences of these."""
    record, true, _ = measured(WRONG | SPREAD)
    record, synapses, start = record.in_single(), Synapses.of(record.weights), nominal(record)
    weights, every = synapses.listed(record.weights), torch.arange(true.count)
    felt = felt_by_network(record, start.neurons(record.neurons), record.weights)

    def look(oscillators: Oscillators, felt: Felt) -> NormalEquations:
        return evidence(record, felt, oscillators, synapses, weights, every)

    gradient, step = look(start, felt).gradient, 2e-3
    for row in range(3):
        change = torch.zeros(7, true.count, dtype=torch.float64)
        change[row] = step
        up, down = (look(start.moved(sign * change), felt).squares for sign in (1, -1))
        size = float(gradient[:, row].abs().max())
        torch.testing.assert_close((down - up) / (4 * step), gradient[:, row], rtol=0.02, atol=2e-3 * size)
    for slot in (0, 4):  # By the first and the fifth synapse of every neuron.
        carried = felt.sources[..., synapses.sources[:, slot]] * weights[:, slot]
        change = 10 * step * felt.slope * carried.repeat_interleave(SUBSTEPS, 1)
        up, down = (look(start, replace(felt, drive=felt.drive + sign * change)).squares for sign in (1, -1))
        size = float(gradient[:, 3 + slot].abs().max())
        torch.testing.assert_close((down - up) / (40 * step), gradient[:, 3 + slot], rtol=0.02, atol=2e-3 * size)


@pytest.mark.parametrize("chip", [SPREAD | NOISE, SPREAD | NOISE | WRONG], ids=["exact synapses", "wrong synapses"])
def test_one_batch_leaves_little_and_its_errors_are_honest(chip):
    scores, left, before = [], [], []
    for member in range(2):
        record, true, _ = measured(chip, member)
        refit = CoupledRefit(nominal(record))
        refit.update(record)
        known = moving(record)
        apart = off(refit.oscillators, true)[:, known]
        relative = refit.covariance().diagonal(dim1=1, dim2=2)[:, :3].T.sqrt()[:, known]
        scores.append(apart / relative)
        left.append(apart)
        before.append(off(nominal(record), true)[:, known])
    share = torch.cat(left, 1).abs().median(1).values / torch.cat(before, 1).abs().median(1).values
    assert (share < torch.tensor([0.3, 0.25, 0.4])).all()
    assert 0.25 < float(torch.cat(scores, 1).abs().median()) < 1.2  # 0.73 +- 0.14 over seeds.


def test_it_finds_errors_of_synapses_that_would_pass_for_errors_of_oscillators():
    record, true, acting = measured(SPREAD | WRONG)
    trusting, learning = CoupledRefit(nominal(record), synapse_error=0.0), CoupledRefit(nominal(record))
    for _ in range(2):
        for refit in (trusting, learning):
            refit.update(record)
    known = moving(record)
    wrong, right = (off(one.oscillators, true)[:, known].abs().median() for one in (trusting, learning))
    assert right < 0.25 * wrong  # 0.06 +- 0.03 over seeds.
    synapses = learning.synapses
    applied, real = synapses.listed(record.weights), synapses.listed(acting)
    apart = (applied * (1 + synapses.error) - real)[known].abs().median()
    assert apart < 0.45 * (applied - real)[known].abs().median()  # 0.18 +- 0.06.
    assert trusting.acting("w_int.1") is None
    torch.testing.assert_close(learning.acting("w_int.1"), synapses.factors[1][1])
    assert learning.acting("bias.0") is None


def test_more_batches_tell_more():
    refit = None
    for key in range(3):
        record, true, _ = measured(SPREAD | NOISE, key=key)
        refit = refit or CoupledRefit(nominal(record))
        refit.update(record)
        if key == 0:
            once = refit.errors()
    known = moving(record)
    assert (refit.errors()[:, known] < 0.9 * once[:, known]).all()


def test_a_neuron_that_nobody_saw_keeps_its_values():
    record, _, _ = measured(SPREAD | NOISE)
    record.good[..., 3] = False
    record.power[..., 3] = torch.nan
    refit = CoupledRefit(nominal(record))
    refit.update(record)
    moved = refit.oscillators.gamma != nominal(record).gamma
    assert not moved[3] and int(moved.sum()) == len(moved) - 1
    assert not refit.synapses.error[3].any()
    assert refit.oscillators.table().isfinite().all()


def test_what_is_known_from_before_holds_it():
    """A start that is known to 0.1 % stays, however the noise pulls."""
    record, true, _ = measured(SPREAD | NOISE)
    sure = torch.zeros(true.count, 7, 7, dtype=torch.float64)
    sure[:, :3, :3] = torch.eye(3) / 1e-3**2
    refit = CoupledRefit(true, prior=sure)
    refit.update(record)
    assert float(off(refit.oscillators, true).abs().max()) < 5e-3


def test_a_restored_refit_goes_on_with_the_same_bits():
    (first, _, _), (second, _, _) = (measured(SPREAD | NOISE | WRONG, key=key) for key in range(2))
    one, other = (CoupledRefit(nominal(first)) for _ in range(2))
    other.restore(one.state())  # Before anything was seen.
    one.update(first)
    other.restore({name: value.clone() for name, value in one.state().items()})
    assert torch.equal(other.acting("w_ext.1"), one.acting("w_ext.1"))
    for refit in (one, other):
        refit.update(second)
    assert one.state().keys() == other.state().keys()
    for name, value in one.state().items():
        assert torch.equal(value, other.state()[name]), name


def test_the_model_in_the_loop_runs_on_the_synapses_as_they_were_found(mocker):
    network, device = make(SPREAD | WRONG, members=2, weight_scale=6.0, dtype=torch.float32)
    refits = [NetworkRefit(CoupledRefit(Oscillators.nominal(network.settings.neurons()))) for _ in range(2)]
    model = mocker.Mock(side_effect=MODES["output"].model)
    mocker.patch.dict(MODES, output=replace(MODES["output"], model=model))
    with device:
        loop = HardwareInLoop(network, device, "output", refit=refits)
        loop(inputs().expand(2, -1, -1, -1))
    [[passed]] = [call.args for call in model.call_args_list]
    for name in ("w_ext.1", "w_int.2"):
        factor = torch.stack([refit.acting(name) for refit in refits])
        assert float((factor - 1).abs().max()) > 1e-4  # Something was found: else the rest says nothing.
        torch.testing.assert_close(passed.values[name], loop.trace.applied[name] * factor.float())
        slope = torch.autograd.grad(passed.values[name].sum(), network.get_parameter(name))[0]
        torch.testing.assert_close(slope, factor.float() * (network.mask(name) != 0))


def test_bad_settings_are_refused():
    record, _, _ = measured(SPREAD)
    with pytest.raises(ValueError, match="forgetting must be above 0"):
        CoupledRefit(nominal(record), forgetting=0.0)
    with pytest.raises(ValueError, match="error of a synapse must be 0 or above"):
        CoupledRefit(nominal(record), synapse_error=-0.1)
