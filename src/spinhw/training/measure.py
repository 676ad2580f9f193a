"""The closing measurement of trained networks: at the training step, converged, and on a device."""

from functools import partial
from typing import Any

from torch import Tensor

from spinhw.device import Device, SimulatedDevice, VerifyPlan, program_chip_and_verify
from spinhw.network import SpintronicNetwork
from spinhw.tasks import Batch, Task, confusion
from spinhw.training.deploy import answer_on_device
from spinhw.training.held_out import held_out_answers, refuse_non_finite
from spinhw.training.measures import headline_of
from spinhw.training.progress import NamedTick
from spinhw.training.settings import RunSettings
from spinhw.training.statistics import over_seeds


def measure_simulated(settings: RunSettings, network: SpintronicNetwork, task: Task, tick: NamedTick) -> dict[str, Any]:
    """Measure by simulation, on the task's final part.

    Each of the task's measures, such as ``accuracy``, at the step of the training and, as ``accuracy_converged``, at a
    fine one; of classes also ``confusion``, converged.

    Args:
        settings: The run.
        network: The trained networks.
        task: Their task.
        tick: Told of the progress; may raise to stop.

    Raises:
        ConfigError: The answers are not finite.
    """
    seeds, part = settings.training.seeds, settings.final_part
    headline = headline_of(settings.task).called
    coarse, batch = held_out_answers(network, task, seeds, part, settings, tick=partial(tick, headline))
    fine, _ = held_out_answers(
        network, task, seeds, part, settings, settings.fine_steps, partial(tick, f"{headline} converged")
    )
    found = {one.name: over_seeds(one.values) for one in task.metrics(coarse, batch)}
    found |= {f"{one.name}_converged": over_seeds(one.values) for one in task.metrics(fine, batch)}
    for apart in settings.task.further_parts:
        answers, batch_apart = held_out_answers(network, task, seeds, apart, settings, tick=partial(tick, apart))
        found[apart] = over_seeds(task.metrics(answers, batch_apart)[0].values)
    return found | _confusion(fine, batch)


def measure_on_device(
    settings: RunSettings, network: SpintronicNetwork, task: Task, device: Device | None, tick: NamedTick
) -> dict[str, Any]:
    """Measure on a device, open, on the task's final part: ``accuracy_on_device`` and ``device``; nothing without one.

    On a bench also ``instruments``: who answered, and all settings as last read back. Chains that were programmed by
    measuring are told of under ``device``: ``verified``.

    Args:
        settings: The run.
        network: The trained networks.
        task: Their task.
        device: The device.
        tick: Told of the progress; may raise to stop.
    """
    if device is None:
        return {}
    network, verified = _verified(settings, network, device)
    seeds, part = settings.training.seeds, settings.final_part
    told = partial(tick, f"{headline_of(settings.task).called} on the device")
    found = answer_on_device(network, task, seeds, part, device, told)
    refuse_non_finite(found.answers, seeds, settings)
    further = {}
    for apart in settings.task.further_parts:
        seen = answer_on_device(network, task, seeds, apart, device, partial(tick, f"{apart} on the device"))
        further[f"{apart}_on_device"] = over_seeds(task.metrics(seen.answers, seen.batch)[0].values)
    return {
        **further,
        **{f"{one.name}_on_device": over_seeds(one.values) for one in task.metrics(found.answers, found.batch)},
        "device": {
            "kind": device.describe().kind,
            "ids": list(found.device_ids),
            "seed": device.describe().seed,
            "good_share": found.good_share,
            "energy_per_image_j": found.energy_j,
            **_confusion(found.answers, found.batch),
            **verified,
        },
        **({"instruments": found.instruments} if found.instruments else {}),
    }


def _verified(
    settings: RunSettings, network: SpintronicNetwork, device: Device
) -> tuple[SpintronicNetwork, dict[str, Any]]:
    """Program the chains of simulated chips by measuring, where the run says so; return what is there, and facts."""
    known = settings.calibration
    if known is None or not known.verify_rounds or not isinstance(device, SimulatedDevice):
        return network, {}
    done = program_chip_and_verify(device, network, VerifyPlan(rounds=known.verify_rounds))
    facts = {"right_share": done.right.tolist(), "readings": done.readings.tolist(), "rounds": done.rounds}
    return done.network, {"verified": facts}


def _confusion(answers: Tensor, batch: Batch) -> dict[str, Any]:
    counts = confusion(answers, batch)
    return {} if counts is None else {"confusion": counts}
