"""The resonators of simulated chips as they are, or as a measurement of a stated error would find them."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from spinhw.device import SimulatedDevice, SimulatedSettings, open_device
from spinhw.errors import ConfigError
from spinhw.streams import torch_stream
from spinhw.surrogate import CalibratedChains
from spinhw.training.settings import RunSettings


def true_chains(settings: RunSettings, seeds: Sequence[int], error: float) -> list[CalibratedChains]:
    """Return what a record of the chips of a run would say if it had been made with a stated error.

    Args:
        settings: The run.
        seeds: Whose chips.
        error: Of each resonance (1 sigma) in half-linewidths, drawn for each chip, 0 or above.

    Raises:
        ConfigError: The device is no simulated one that takes tunings.
    """
    profile = settings.device
    if not isinstance(profile, SimulatedSettings) or profile.ladder is None:
        raise ConfigError(
            "calibration.resonators: nobody knows the resonators of this device",
            seen="no device" if profile is None else f"{profile.id}, of kind {profile.kind}",
            allowed="truth for a simulated device that takes tunings, such as rf-chip; else a record",
            todo="name such a device or a record, or leave calibration.resonators out",
        )
    device = open_device(profile, settings.network, settings.task.sample_interval_s, seeds, answer=settings.answer)
    if not isinstance(device, SimulatedDevice):
        raise TypeError(f"a simulated chip was expected, not {type(device).__name__}")
    truth = device.true_resonators()
    found = [
        CalibratedChains.known({name: chain.at([row]) for name, chain in truth.items()}, error, name)
        for row, name in enumerate(device.describe().device_ids)
    ]
    return [_missed(one, seed) for one, seed in zip(found, seeds, strict=True)] if error else found


def _missed(known: CalibratedChains, seed: int) -> CalibratedChains:
    """Put errors that are drawn on the resonances."""
    chains = {}
    for name, chain in known.chains.items():
        size, stream = known.resonance_errors()[name], torch_stream("known resonators", name, seed)
        off = size * torch.randn(size.shape, generator=stream, dtype=torch.float64)
        chains[name] = replace(chain, resonance_hz=chain.resonance_hz + off)
    return replace(known, chains=chains)
