"""Promises of a device that runs a whole network. Each function raises `BrokenPromise` or returns what was seen."""

import torch
from torch import Tensor

from spinhw.device.base import Device
from spinhw.device.description import Description
from spinhw.device.plan import ObservationPlan
from spinhw.device.promises import (
    BATCH,
    TIMES,
    beyond_limit,
    check_trace,
    describes,
    expect,
    refused,
    same_again,
)
from spinhw.device.trace import Quality
from spinhw.errors import DeviceError, LimitError
from spinhw.streams import torch_stream

# A read-back may differ from the request by this share of the limit; without a limit, of the largest value requested.
_ROUNDING = 0.02


def probe_parameters(about: Description, scale: float = 0.3) -> dict[str, Tensor]:
    """Make small random parameters for a device, (member, ...) by name, the same every time."""
    generator = torch_stream("contract", "parameters")
    return {
        name: scale * (torch.rand(about.members, *one.shape, generator=generator) * 2 - 1)
        for name, one in about.parameters.items()
    }


def probe_inputs(about: Description) -> Tensor:
    """Make small random inputs, (member, batch, time, input), the same every time."""
    generator = torch_stream("contract", "inputs")
    return torch.rand(about.members, BATCH, TIMES, about.inputs, generator=generator) - 0.5


def _prepared(device: Device) -> Tensor:
    device.program(probe_parameters(device.describe()))
    return probe_inputs(device.describe())


def describes_network(device: Device) -> str:
    """Look at the description of a network device."""
    about = device.describe()
    expect(about.inputs >= 1 and bool(about.parameters), "a device needs inputs and parameters")
    for name, one in about.parameters.items():
        unit = device.conversion.of_parameter(one.kind).unit
        expect(one.unit == unit, f"{name} is said to be in {one.unit}, and a {one.kind} is sent in {unit}")
    expect(("outputs" in about.observables) == (about.outputs > 0), "outputs and observables disagree")
    return describes(device)


def reads_back(device: Device) -> str:
    """Program small values twice and compare the read-back."""
    wanted = probe_parameters(device.describe())
    applied = device.program(wanted)
    expect(set(applied) == set(wanted), f"read back other names: {sorted(applied)}")
    errors = []
    for name, value in wanted.items():
        expect(applied[name].shape == value.shape, f"{name} came back as {tuple(applied[name].shape)}")
        errors.append(float((applied[name] - value).abs().max()) / _full_scale(device, name, value))
    expect(max(errors) <= _ROUNDING, f"read-back differs from the request by {max(errors):.1%} of full scale")
    again = device.program(wanted)
    expect(all(torch.equal(again[name], applied[name]) for name in wanted), "the same request read back differently")
    return f"largest difference {max(errors):.2%} of full scale"


def _full_scale(device: Device, name: str, value: Tensor) -> float:
    kind = device.describe().parameters[name].kind
    limit = device.describe().limits.get(kind)
    if limit is None:
        return float(value.abs().max())
    return abs(float(device.conversion.of_parameter(kind).to_model(limit.highest)))


def refuses_wrong_parameters(device: Device) -> str:
    """Program sets of parameters with one thing wrong."""
    wanted = probe_parameters(device.describe())
    first = next(iter(wanted))
    refused(lambda: device.program(wanted | {"w_none": wanted[first]}), ValueError, "an unknown parameter")
    refused(lambda: device.program({first: wanted[first]}), ValueError, "an incomplete set of parameters")
    refused(lambda: device.program(wanted | {first: wanted[first][..., :0]}), ValueError, "a wrong shape")
    broken = torch.full_like(wanted[first], torch.nan)
    refused(lambda: device.program(wanted | {first: broken}), LimitError, "NaN as a parameter")
    return "unknown, missing, misshapen and NaN parameters"


def refuses_unprogrammed(device: Device) -> str:
    """Run without programming."""
    return refused(lambda: device.run(probe_inputs(device.describe())), DeviceError, "a run without parameters")


def gives_trace(device: Device) -> str:
    """Run once and look at every signal."""
    about = device.describe()
    trace = device.run(_prepared(device))
    check_trace(trace, about)
    expect(set(trace.applied) == set(about.parameters), "the trace lacks the applied parameters")
    if trace.power is not None:
        ends = trace.power.time_s
        wanted = torch.arange(1, TIMES + 1, dtype=ends.dtype) * about.sample_interval_s
        expect(torch.allclose(ends, wanted, rtol=1e-3), "power is not given at the ends of the input intervals")
    good = {name: f"{signal.share(Quality.GOOD):.0%}" for name, signal in trace.signals().items()}
    return "good samples: " + ", ".join(f"{name} {share}" for name, share in good.items())


def observes_part(device: Device) -> str:
    """Observe one neuron, none, and one that does not exist."""
    about = device.describe()
    trace = device.run(_prepared(device), observe=ObservationPlan(((about.neurons - 1,),)))
    if trace.power is None:
        return "no power to observe"
    seen = (trace.power.quality != Quality.UNOBSERVED).any(0).any(0).any(0)
    expect(seen.tolist() == [False] * (about.neurons - 1) + [True], "other neurons than planned were observed")
    expect(bool(trace.power.values[..., :-1].isnan().all()), "unobserved samples have numbers")
    nothing = device.run(probe_inputs(about), observe=ObservationPlan.nothing())
    expect(nothing.power is None, "power was given though nothing was to be observed")
    refused(lambda: device.run(probe_inputs(about), ObservationPlan(((about.neurons,),))), ValueError, "a bad plan")
    return "one neuron, none, and one too many"


def averages(device: Device) -> str:
    """Average over three shots and count them."""
    inputs = _prepared(device)
    first, second = device.run(inputs), device.run(inputs, averages=3)
    expect(second.averages == 3, f"the trace says {second.averages} averages, not 3")
    taken = [trace.shots[1] - trace.shots[0] for trace in (first, second)]
    expect(second.shots[0] >= first.shots[1], f"shot numbers do not grow: {first.shots}, {second.shots}")
    expect(taken[1] == 3 * taken[0], f"three averages took {taken[1]} shots, one {taken[0]}")
    return f"shots {first.shots} and {second.shots}"


def refuses_inputs(device: Device) -> str:
    """Play an input beyond the limit and check that no shot was taken."""
    inputs = _prepared(device)
    beyond = beyond_limit(device.describe(), "input", device.conversion.input)
    before = device.run(inputs).shots[1]
    if beyond is None:
        wrong, said = torch.full_like(inputs, torch.nan), "no limit; NaN: "
    else:
        wrong, said = torch.cat([inputs[:, :-1], torch.full_like(inputs[:, -1:], beyond)], dim=1), ""
    said += refused(lambda: device.run(wrong), LimitError, "a batch with one input beyond the limit")
    expect(device.run(inputs).shots[0] == before, "a refused batch was played in part")
    return said


def refuses_parameters(device: Device) -> str:
    """Program one parameter of each kind beyond its limit and check that the old ones stay."""
    about, said = device.describe(), []
    for kind in sorted(set(about.kinds.values())):
        beyond = beyond_limit(about, kind, device.conversion.of_parameter(kind))
        if beyond is None:
            said.append(f"{kind}: no limit")
            continue
        wanted = probe_parameters(about)
        name = next(name for name, one in about.kinds.items() if one == kind)
        applied = device.program(wanted)
        wrong = wanted | {name: torch.full_like(wanted[name], beyond)}
        said.append(refused(lambda wrong=wrong: device.program(wrong), LimitError, f"a {kind} beyond the limit"))  # type: ignore[misc]
        kept = device.run(probe_inputs(about)).applied
        expect(torch.equal(kept[name], applied[name]), "a refused set of parameters changed the device")
    return "; ".join(said)


def replays(device: Device) -> str:
    """Run twice from the same state."""
    inputs = _prepared(device)
    if "replay" not in device.describe().capabilities:
        return "not claimed"
    return same_again(device, lambda: device.run(inputs))
