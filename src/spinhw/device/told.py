"""What a device is told of a network: weights, tunings, or weights translated into tunings."""

import warnings

import torch
from torch import Tensor

from spinhw.device.description import Description
from spinhw.device.kinds import DeviceSettings
from spinhw.errors import ConfigError, SpinhwWarning, some_of
from spinhw.network import Chains, NetworkSettings, ResonatorSynapses, SpintronicNetwork
from spinhw.physics import Ladder

# A translated weight that misses what was wanted by more than this share of the largest one is named.
_MISSED = 1e-3
_NAMED = 3


def told(network: SpintronicNetwork, about: Description) -> dict[str, Tensor]:
    """Return every parameter as a device is told it, always with the member axis in front; no gradient for tunings.

    A network of weights is translated for a device that takes tunings: the whole chain is solved with its crosstalk, by
    what the network knows of the resonators (`use_resonators`), or as they are designed. What cannot be reached is
    named in a warning; absent synapses have the tails of the others, which no tuning takes away.

    Args:
        network: One network or an ensemble.
        about: The device.

    Raises:
        ConfigError: The network has tunings, and the device takes weights.
    """
    if about.parameters and network.chains is not None and not about.takes_tunings:
        raise _takes_weights(about.kind)
    if not about.takes_tunings or network.chains is not None or about.ladder is None:
        return network.member_programmed()
    chains, masks, values = chains_of_ladder(about.ladder), network.member_masks(), network.member_values()
    missed, found = [], {name: value.detach() for name, value in values.items()}
    for name, kind in about.kinds.items():
        if kind != "tuning":
            continue
        present = masks.get(name, torch.ones_like(found[name], dtype=torch.bool))
        wanted, here = found[name], chains.with_known(network.known(name))
        found[name] = here.translated(wanted, present)
        off = (here.weights(found[name].double(), present) - wanted).abs() * present
        for place in (off > _MISSED * chains.max_weight).nonzero().tolist():
            missed.append((float(off[tuple(place)]), f"{name} {place[1:]} of network {place[0]}"))
    if missed:
        _warn(missed, about)
    return found


def chains_of_ladder(ladder: Ladder) -> Chains:
    """Return the chains of a device as designed."""
    return Chains(_synapses_of(ladder), ladder.max_weight)


def refuse_other_synapses(settings: DeviceSettings, network: NetworkSettings) -> None:
    """Check that the resonators of a network are those of a device; a network of weights may be translated.

    Raises:
        ConfigError: The device takes weights, or its resonators are others than the network's.
    """
    synapses, ladder = network.synapses, settings.ladder
    if not isinstance(synapses, ResonatorSynapses):
        return
    if ladder is None:
        raise _takes_weights(settings.kind)
    there = _synapses_of(ladder).model_dump() | {"weight_limit": ladder.max_weight}
    here = synapses.model_dump() | {"weight_limit": network.weight_limit}
    other = [name for name, value in there.items() if not _alike(value, here[name])]
    if other:
        raise ConfigError(
            f"{settings.id}: the resonators of the device are others than the network is designed for",
            seen=", ".join(f"{name} {here[name]}" for name in other),
            allowed=", ".join(f"{name} {there[name]}" for name in other),
            todo="bring network.synapses and chip.synapses.rf together",
        )


def refuse_training_of_weights(network: NetworkSettings, about: Description) -> None:
    """Refuse to train a network of weights on a device that takes tunings.

    Raises:
        ConfigError: That is asked for.
    """
    if about.takes_tunings and network.synapses.kind == "weights":
        raise ConfigError(
            f"{about.name}: the device takes tunings of resonators, and the network is trained in weights",
            seen="network.synapses of kind weights",
            allowed="network.synapses of kind resonators; trained weights are translated where they are evaluated",
            todo="write network.synapses: {kind: resonators, ...}, or use another device",
        )


def _synapses_of(ladder: Ladder) -> ResonatorSynapses:
    return ResonatorSynapses(
        kind="resonators",
        half_linewidth_hz=ladder.half_linewidth_hz,
        first_tone_hz=ladder.frequency_hz,
        spacing_hz=ladder.spacing_hz,
        span_hz=ladder.tuning_span_hz,
    )


def _alike(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 1e-9 * abs(one)
    return one == other


def _takes_weights(kind: str) -> ConfigError:
    return ConfigError(
        f"a device of kind {kind} takes weights here, and the network has tunings of resonators",
        seen="network.synapses of kind resonators",
        allowed="network.synapses of kind weights, or a device that takes tunings, such as rf-chip",
        todo="name such a device, or leave network.synapses out",
    )


def _warn(missed: list[tuple[float, str]], about: Description) -> None:
    worst = [f"{name} by {off:.2g}" for off, name in sorted(missed, reverse=True)]
    warnings.warn(
        f"{about.name}: weights out of the reach of its resonators were approached and are missed: "
        + some_of(worst, _NAMED, "; "),
        SpinhwWarning,
        stacklevel=3,
    )
