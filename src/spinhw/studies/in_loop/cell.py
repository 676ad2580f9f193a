"""One kind of chip: how far its oscillators, its synapses and its read-out are from ideal."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GridPoint:
    """What chips of one kind have in common.

    Args:
        device: Profile that the rest changes.
        mismatch: Spread of gamma, sigma and Q; 0 to 1.
        noise: Read-out noise of power and outputs, in units of full power.
        synapse_error: Spread of the synapses' scales, 0 to 1.
    """

    device: str
    mismatch: float
    noise: float
    synapse_error: float

    @property
    def overrides(self) -> tuple[str, ...]:
        """What makes such chips, as KEY=VALUE."""
        spread = (f"device.chip.spread.{name}={self.mismatch!r}" for name in ("gamma", "sigma", "q"))
        noise = (f"device.chip.{name}_readout.noise={self.noise!r}" for name in ("power", "output"))
        return (f"device={self.device}", *spread, *noise, f"device.chip.synapses.scale_spread={self.synapse_error!r}")

    @property
    def label(self) -> str:
        """Say what such chips are like."""
        return (
            f"mismatch {100 * self.mismatch:g} %, noise {100 * self.noise:g} %, synapses {100 * self.synapse_error:g} %"
        )
