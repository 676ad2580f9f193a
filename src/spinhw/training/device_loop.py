"""The device in the training loop of a run: what is put together for it, and what a checkpoint keeps of it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from spinhw.device import Device
from spinhw.device.batch import Keeper
from spinhw.gradients import ChannelMask, Choices, DeviceWatch, HardwareInLoop, NetworkRefit
from spinhw.network import SpintronicNetwork
from spinhw.surrogate import CalibratedChains
from spinhw.tasks import Batch
from spinhw.training.alignment import Gradients, Reference
from spinhw.training.deploy import device_for
from spinhw.training.drift_watch import make_watch
from spinhw.training.model import make_refits
from spinhw.training.settings import RunSettings
from spinhw.training.training_settings import TrainingSettings


@dataclass
class DeviceLoop:
    """A device, open, and the networks in the loop with it.

    Args:
        device: The device.
        hardware: The networks on it.
        reference: The device's own gradient, asked for now and then.
        alignments: Cosines with it since the epoch began.
    """

    device: Device
    hardware: HardwareInLoop
    reference: Reference
    alignments: list[float] = field(default_factory=list)

    @property
    def inferences(self) -> int:
        """Sequences played on the device for training so far."""
        return self.hardware.inferences + self.reference.loop.inferences

    @property
    def watch(self) -> DeviceWatch | None:
        """What watches the neurons for drift; None where nobody does."""
        return self.hardware.watch

    @property
    def masked(self) -> list[str]:
        """Channels that stayed bad and are not used any more, each with what was seen of it."""
        return [] if self.hardware.mask is None else [str(one) for one in self.hardware.mask.masked]

    def compare(self, batch: Batch, gradients: Gradients, step: int) -> None:
        """Compare gradients with the device's own.

        Args:
            batch: Images that they are of.
            gradients: By the mode of the loop.
            step: Steps of the optimiser so far: keys random directions.
        """
        self.alignments += self.reference.of(batch, step)(gradients)

    def state(self) -> dict[str, Any]:
        """Give what an interrupted run needs to go on, as plain data for JSON."""
        return {
            "device": self.device.state(),
            "hardware": self.hardware.state(),
            "reference": self.reference.loop.state(),
            "alignments": [one if math.isfinite(one) else None for one in self.alignments],
        }

    def tensors(self) -> dict[str, Tensor]:
        """Give the tensors that an interrupted run needs to go on: what refits and charts know."""
        return self.hardware.tensors()

    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go back to a state that `state` and `tensors` gave."""
        self.device.restore(state["device"])
        self.hardware.restore(state["hardware"], tensors)
        self.reference.loop.restore(state["reference"], {})
        self.alignments = [math.nan if one is None else one for one in state["alignments"]]


@contextmanager
def open_loop(
    settings: RunSettings,
    network: SpintronicNetwork,
    keeper: Keeper | None = None,
    known: Sequence[CalibratedChains] | None = None,
) -> Iterator[DeviceLoop]:
    """Open the device of a run and put its networks in the loop; it is left safe.

    Args:
        settings: The run.
        network: Its networks.
        keeper: Records what the device measures; None for nobody.
        known: What the run knows of the resonators of its chips; None to read it.

    Raises:
        ConfigError: Device, gradient and networks do not go together.
        DeviceError: Nothing answers.
    """
    training, profile = settings.training, settings.device
    if profile is None or training.gradient is None:
        raise RuntimeError("a run without a device has nothing to put into the loop")
    with device_for(settings, profile, keeper) as device:
        mask = None if training.loop.mask_after is None else ChannelMask(device, network, training.loop.mask_after)
        refits = make_refits(settings, device, known)
        watch = make_watch(settings, network, device, refits, known)
        hardware = put_in_loop(training, network, device, training.gradient, refits, mask, watch)
        yield DeviceLoop(device, hardware, Reference(hardware, training.label_smoothing))


def put_in_loop(
    training: TrainingSettings,
    network: SpintronicNetwork,
    device: Device,
    gradient: str,
    refits: Sequence[NetworkRefit] | None = None,
    mask: ChannelMask | None = None,
    watch: DeviceWatch | None = None,
) -> HardwareInLoop:
    """Put networks in the loop with a device as the settings say, by a gradient mode.

    Args:
        training: Settings.
        network: The networks; their neurons are the model's.
        device: The device.
        gradient: The mode.
        refits: Of the model, one for each chip.
        mask: Masks channels that stay bad; None for nobody.
        watch: Looks for drift of the neurons; None for nobody.
    """
    return HardwareInLoop(
        network,
        device,
        gradient,
        refit=refits,
        averages=training.loop.averages,
        choices=Choices(
            training.loop.perturbation,
            training.loop.directions,
            training.loop.observer_gain,
            training.loop.oracle_steps_per_ns,
        ),
        engine=training.engine,
        mask=mask,
        watch=watch,
    )
