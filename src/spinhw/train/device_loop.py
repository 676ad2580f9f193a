"""The device in the training loop of a run: what is put together for it, and what a checkpoint keeps of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from spinhw.device import Device
from spinhw.gradients import Choices, HardwareInLoop
from spinhw.network import SpintronicNetwork
from spinhw.train.deploy import device_for
from spinhw.train.settings import RunSettings


@dataclass(frozen=True)
class DeviceLoop:
    """A device, open, and the networks in the loop with it.

    Args:
        device: The device.
        hardware: The networks on it.
    """

    device: Device
    hardware: HardwareInLoop

    def state(self) -> dict[str, Any]:
        """Give what an interrupted run needs to go on, as plain data for JSON."""
        return {"device": self.device.state(), "hardware": self.hardware.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state` gave."""
        self.device.restore(state["device"])
        self.hardware.restore(state["hardware"])


@contextmanager
def open_loop(settings: RunSettings, network: SpintronicNetwork) -> Iterator[DeviceLoop]:
    """Open the device of a run and put its networks in the loop; it is left safe.

    Raises:
        ConfigError: Device, gradient and networks do not go together.
        DeviceError: Nothing answers.
    """
    training, profile = settings.training, settings.device
    if profile is None or training.gradient is None:
        raise RuntimeError("a run without a device has nothing to put into the loop")
    with device_for(settings, profile) as device:
        hardware = HardwareInLoop(
            network,
            device,
            training.gradient,
            averages=training.averages,
            choices=Choices(training.perturbation, training.directions, training.observer_gain),
            engine=training.engine,
        )
        yield DeviceLoop(device, hardware)
