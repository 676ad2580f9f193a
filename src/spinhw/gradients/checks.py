"""What does not go together is refused before anything is measured, in one line each."""

from collections.abc import Mapping

import torch
from torch import Tensor

from spinhw.device import Description, Device, ObservationPlan, SimulatedDevice
from spinhw.errors import ConfigError
from spinhw.gradients.modes import MODES, Mode
from spinhw.gradients.names import refuse_unknown_mode
from spinhw.network import SpintronicNetwork
from spinhw.network.checks import shown
from spinhw.rollout import Neurons

# A rate this many times off the network's own is not a spread but another unit.
_OTHER_UNITS = 1e3


# Where a gradient mode is asked for in a file.
_IN_YAML = "training.gradient"


def mode_named(name: str, key: str = _IN_YAML) -> Mode:
    """Find a gradient mode that was asked for by a key of YAML, or an argument.

    Raises:
        ConfigError: There is none of this name.
    """
    refuse_unknown_mode(name, key)
    return MODES[name]


def refuse_loop(network: object, device: object) -> None:
    """Check what is put into a loop.

    Raises:
        ConfigError: One of them is something else.
    """
    if not isinstance(network, SpintronicNetwork):
        todo = "swap the first two arguments: the network comes before the device"
        raise ConfigError(
            "network: this is no network",
            seen=shown(network),
            allowed="a SpintronicNetwork",
            todo=todo if isinstance(device, SpintronicNetwork) else "write SpintronicNetwork(settings)",
        )
    if not isinstance(device, Device | None):
        raise ConfigError(
            "device: this is no device",
            seen=shown(device),
            allowed="a device that is open, or None",
            todo="write for instance: with open_device(profile, network) as device",
        )


def refuse_other_masks(before: Mapping[str, Tensor], network: SpintronicNetwork) -> None:
    """Check that the masks of a network are as they were.

    Args:
        before: By name, as the loop was made.
        network: The network.

    Raises:
        ConfigError: They are not; names those that differ.
    """
    changed = [name for name, mask in network.masks().items() if not torch.equal(mask.cpu(), before[name].cpu())]
    if changed:
        raise ConfigError(
            "the masks of the network have changed since it was put into the loop",
            seen=", ".join(changed),
            todo="put the network into a new HardwareInLoop",
        )


def refuse_mode(name: str, device: Device | None, key: str = _IN_YAML) -> None:
    """Check that a device gives what a mode needs.

    Args:
        name: The mode.
        device: None for none.
        key: Where the mode was asked for: a key of YAML, or an argument.

    Raises:
        ConfigError: It does not; names what is missing.
    """
    mode = mode_named(name, key)
    if mode.measured == "nothing":
        return
    if device is None:
        raise ConfigError(
            f"{key}: {name!r} needs a device to measure",
            seen="no device",
            todo=f"name a device, or {_write(key, 'surrogate')}",
        )
    about = device.describe()
    if name == "oracle" and not knows_truth(device):
        raise ConfigError(
            f"{about.name}: only a simulated chip knows its true gradient",
            seen=f"gradient 'oracle' on a device of kind {about.kind!r}",
            allowed="output, layerwise, observer, spsa, finite_difference",
            todo=_write(key, "output"),
        )
    if not {"outputs", "filtered"} & about.observables:
        raise _unobserved(key, name, about, "outputs, or filtered for a read-out in software")
    if mode.measured == "neurons" and not {"filtered", "power"} & about.observables:
        raise _unobserved(key, name, about, "filtered or power")


def knows_truth(device: Device) -> bool:
    """Tell whether a device knows its own gradient: a simulated chip does, no bench."""
    return isinstance(device, SimulatedDevice) and "oracle" in device.describe().capabilities


def refuse_plan(name: str, device: Device, plan: ObservationPlan | None, key: str = _IN_YAML) -> None:
    """Check that a plan of the user's fits the device and observes neurons where the mode needs some.

    Raises:
        ConfigError: It does not.
    """
    if plan is None:
        return
    about = device.describe()
    try:
        plan.check(about.neurons, about.channels)
    except ValueError as error:
        raise ConfigError(f"{about.name}: {error}", todo="use ObservationPlan.split(neurons, channels)") from error
    if mode_named(name).measured == "neurons" and not plan.neurons:
        raise _unobserved(key, name, about, "a plan that observes neurons", "a plan that observes none")


def refuse_surrogate(network: SpintronicNetwork, neurons: Neurons, device: Device | None) -> None:
    """Check that network, surrogate and device are about the same neurons, in the same units and time steps.

    Raises:
        ConfigError: They are not; names what differs.
    """
    count, nominal = network.neuron_count, network.settings.neurons(neurons.gamma.dtype)
    if neurons.gamma.shape[-1] not in (1, count):
        raise _misfit("another number of neurons than the network", neurons.gamma.shape[-1], count)
    ratio = (neurons.gamma.detach() / nominal.gamma).median()
    if not 1 / _OTHER_UNITS < float(ratio) < _OTHER_UNITS:
        seen = f"a median gamma of {float(neurons.gamma.median()):.3g}"
        raise _misfit(
            "rates of another order than the network: in another unit?", seen, f"near {nominal.gamma[0, 0]:.3g} 1/s"
        )
    if device is None:
        return
    about = device.describe()
    if about.neurons != count:
        raise ConfigError(
            f"{about.name}: the device has another number of neurons than the network",
            seen=about.neurons,
            allowed=str(count),
            todo="open the device with the network's settings",
        )
    _refuse_times(network, about)


def _refuse_times(network: SpintronicNetwork, about: Description) -> None:
    interval_s = network.steps.sample_interval_s
    for what, seen_s in (("holds inputs", about.sample_interval_s), ("records samples", about.readout_interval_s)):
        if abs(seen_s - interval_s) > 1e-6 * interval_s:
            raise ConfigError(
                f"{about.name}: the device {what} for other times than the surrogate steps",
                seen=f"{seen_s:.6g} s",
                allowed=f"{interval_s:.6g} s, the sample interval of the network's steps",
                todo="open the device with the sample interval of the task, and make the network with Steps of it",
            )


def _unobserved(key: str, name: str, about: Description, needed: str, seen: str = "") -> ConfigError:
    return ConfigError(
        f"{key}: {name!r} needs observations that {about.name} does not give",
        seen=seen or ", ".join(sorted(about.observables)) or "none",
        allowed=needed,
        todo=f"{_write(key, 'output')}, or let the device observe more",
    )


def _write(key: str, mode: str) -> str:
    """Say how a mode is asked for instead."""
    return f"write gradient: {mode}" if key == _IN_YAML else f"write {key}={mode!r}"


def _misfit(what: str, seen: object, allowed: object) -> ConfigError:
    return ConfigError(
        f"the surrogate has {what}",
        seen=seen,
        allowed=str(allowed),
        todo="calibrate the device that the network runs on",
    )
