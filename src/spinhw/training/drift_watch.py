"""The watch for drift of a run: made from its settings, or refused where it could not see anything."""

from collections.abc import Sequence

from spinhw.device import Device, ObservationPlan
from spinhw.errors import ConfigError
from spinhw.gradients import LEAST_SEQUENCES, MODES, DeviceWatch, NetworkRefit, NetworkWatch
from spinhw.network import SpintronicNetwork
from spinhw.surrogate import CalibratedChains
from spinhw.training.deploy import device_for
from spinhw.training.model import lacks, make_refits, online_refits
from spinhw.training.settings import RunSettings


def make_watch(
    settings: RunSettings,
    network: SpintronicNetwork,
    device: Device,
    refits: Sequence[NetworkRefit] | None,
    known: Sequence[CalibratedChains] | None = None,
) -> DeviceWatch | None:
    """Make what watches the neurons of a device for drift; None where nobody asked for it.

    Args:
        settings: The run.
        network: Its networks.
        device: The device.
        refits: Of the model of the gradient, by chip.
        known: What the run knows of the resonators of its chips; None to read it.

    Raises:
        ConfigError: The device or the gradient cannot show a drift, or a refit on alarm has nothing to refit.
        CalibrationError: A record is another device's.
    """
    asked, about = settings.training.drift, device.describe()
    if asked is None:
        return None
    lacking = lacks(settings, about)
    if lacking:
        raise ConfigError(
            f"training.drift: the neurons of {device.name} cannot be watched in its batches",
            seen=lacking,
            allowed="neurons of kind spintronic that start from rest, whose power is observed",
            todo="write drift: null, and calibrate the device now and then",
        )
    if asked.action == "refit" and refits is None:
        raise ConfigError(
            "training.drift.action: there is no model to refit on alarm",
            seen="action: refit, and no online refit in this run",
            allowed="log or stop, or training.refit.when: online with a gradient that has a model",
            todo="write action: log",
        )
    chains = bool(network.tuned()) and settings.training.refit.synapse_error > 0
    each = online_refits(settings, about.device_ids, 1.0, known)
    chips = [NetworkWatch(one, asked, about.members, chains) for one in each]
    return DeviceWatch(chips, about, network, asked, refits)


def refuse_model(settings: RunSettings, known: Sequence[CalibratedChains]) -> None:
    """Check before training that the model of the gradient can be refitted, and the device watched, as asked for.

    Args:
        settings: The run.
        known: What it knows of the resonators of its chips.

    Raises:
        ConfigError: It cannot; says why.
    """
    refuse_idle_watch(settings)
    if settings.device is not None and settings.training.loop_start < settings.training.epochs:
        device = device_for(settings, settings.device)
        refits = make_refits(settings, device, known)
        if settings.training.drift is not None:  # Drawing networks takes time that other runs need not spend.
            network = SpintronicNetwork(settings.network, settings.steps, settings.training.seeds)
            make_watch(settings, network, device, refits, known)


def refuse_idle_watch(settings: RunSettings) -> None:
    """Check before training that a watch which is asked for will judge at least one look.

    Raises:
        ConfigError: It will not; says why.
    """
    asked, training = settings.training.drift, settings.training
    if asked is None:
        return
    if settings.device is None or training.loop_start >= training.epochs:
        raise ConfigError(
            "training.drift: there is no device in the loop to watch",
            seen=f"device {'null' if settings.device is None else settings.device.kind}, "
            f"{training.epochs - training.loop_start} of {training.epochs} epochs in the loop",
            todo="write drift: null, or name a device and train in the loop with it",
        )
    shown = settings.open_task().sequences
    if min(training.batch_size, shown) < LEAST_SEQUENCES:
        raise ConfigError(
            "training.drift: the batches are too small to be judged",
            seen=f"training.batch_size {training.batch_size}"
            + (f", {shown} sequences in all" if shown < training.batch_size else ""),
            allowed=f"{LEAST_SEQUENCES} sequences or more",
            todo="raise training.batch_size, or write drift: null",
        )
    about = device_for(settings, settings.device).describe()
    in_turn = training.gradient is not None and MODES[training.gradient].measured != "neurons"
    in_turn = in_turn and settings.network.readout == "hardware"
    turns = len(ObservationPlan.split(about.neurons, about.channels).repeats) if in_turn else 1
    batches = (training.epochs - training.loop_start) * settings.open_task().batches
    # The first look that is judged is at the first multiple of `every` after those that learn.
    needed = turns * (-(-asked.learn // asked.every) * asked.every + 1)
    if batches < needed:
        raise ConfigError(
            "training.drift: the run ends before the first look that is judged",
            seen=f"{batches} batches in the loop, the first is judged after {needed}",
            allowed=f"{needed} batches or more",
            todo="lower training.drift.every or learn, train for longer, or write drift: null",
        )
