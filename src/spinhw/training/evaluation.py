"""Measure the networks of a run once more, by simulation and on a device."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from spinhw.atomic import append_line
from spinhw.device import Device, DeviceSettings, is_bench, load_device
from spinhw.errors import ConfigError
from spinhw.training.checkpoint import load_checkpoint
from spinhw.training.deploy import device_for, refuse_weights
from spinhw.training.handed_over import with_data
from spinhw.training.interrupt import Interrupt
from spinhw.training.learner import Learner
from spinhw.training.measure import measure_on_device, measure_simulated
from spinhw.training.member import of_seeds
from spinhw.training.progress import SILENT, Progress
from spinhw.training.provenance import circumstances
from spinhw.training.run import measuring_tick, refuse_engine, threads
from spinhw.training.run_folder import RunFolder
from spinhw.training.settings import RunSettings
from spinhw.training.summary import energy_facts, energy_ledger, told_of, with_spent
from spinhw.training.surrogate import chains_of_chips, use_chains
from spinhw.training.versions import versions

_AGAIN = "the run is as it was", "give the same command again to measure it"


def evaluate(
    folder: str | Path,
    device: DeviceSettings | str | Path | None = None,
    progress: Progress = SILENT,
    note: str = "",
    seeds: Sequence[int] | None = None,
    task: Any = None,
    resonators: str | Path | None = None,
) -> dict[str, Any]:
    """Measure the networks of a run once more, by simulation and on a device; the run itself is not changed.

    What came out is also added as a line to ``evaluations.jsonl`` in the run folder.

    Args:
        folder: A run folder, finished or not.
        device: Name or file of a device profile, or the profile itself; None for the run's own, if it has one.
        progress: Told what happens.
        note: Written down with what came out, in place of ``run.note``.
        seeds: Of the networks to measure; None for all of the run.
        task: What `train` was given, where a task was handed over to it.
        resonators: A record of the chip's chains, or a folder with DEVICE_ID.yaml for each: the networks are tuned
            anew for those resonators, so that the weights act that were trained. None for those of the run.

    Returns:
        ``epochs`` that the networks were trained for, their ``seeds``, ``measure`` (the one that counts, such as
        "accuracy" or "nrmse") and whether ``higher_is_better``; each of the task's measures, such as ``accuracy``, also
        as ``accuracy_converged`` and, on a device, ``accuracy_on_device``; of classes ``confusion``; ``device``. Each
        is as in ``summary.json``; on a bench there is ``instruments`` too.

    Raises:
        ConfigError: It is no run folder, the checkpoint is missing or damaged, the run has no such seed, or the device
            cannot play these networks; said before anything is measured. Likewise a record that is missing or wrong.
        CalibrationError: The record is another chip's, or of other resonators than the networks have.
        LimitError: The networks are beyond a limit of the device; said before anything is measured.
        DeviceError: The device failed.
    """
    opened, other = RunFolder.open(Path(folder)), load_device(device) if isinstance(device, str | Path) else device
    settings = with_data(opened, opened.settings(), task)
    around = circumstances(settings.run, note)
    refuse_engine(settings)
    tensors, facts = load_checkpoint(opened.checkpoint)
    with threads(settings.training.threads or facts["threads"]), Interrupt() as interrupt:
        learner = Learner(settings)
        learner.restore(tensors, facts)
        settings, network = of_seeds(settings, learner.evaluated, seeds)
        profile = other or settings.device
        if resonators is not None:
            use_chains(network, chains_of_chips(Path(resonators), profile, settings.training.seeds))
        state = None if other is not None or learner.loop_state is None else learner.loop_state["device"]
        if state is not None and profile is not None and not is_bench(profile):
            _refuse_part(settings.training.seeds, learner.seeds)
        measuring = None if profile is None else device_for(settings, profile)  # Refuses what it cannot play.
        if measuring is not None:
            refuse_weights(network, measuring)
        shown = settings.open_task()
        tick = partial(measuring_tick, _AGAIN, progress, interrupt)
        found = {
            "epochs": learner.epoch,
            "seeds": list(settings.training.seeds),
            **told_of(settings.task),
            **measure_simulated(settings, network, shown, tick),
        }
        with measuring or nullcontext():
            if measuring is not None and state is not None:
                measuring.restore(state)
            found |= measure_on_device(settings, network, shown, measuring, tick)
            found |= _spent_facts(settings, measuring)
    append_line(
        opened.evaluations_file, json.dumps(found | {"versions": versions(), "provenance": around}, allow_nan=False)
    )
    return found


def _refuse_part(chosen: Sequence[int], seeds: Sequence[int]) -> None:
    """Refuse to measure some networks alone on simulated chips in the state that the run left all of them in.

    Raises:
        ConfigError: Says what to do instead.
    """
    if len(chosen) != len(seeds):
        raise ConfigError(
            "seeds (--seed): the chips of this run are measured as its training left them, all together",
            seen=", ".join(map(str, chosen)),
            allowed="another device, or all seeds",
            todo="leave out --seed, or name a device with --device",
        )


def _spent_facts(settings: RunSettings, device: Device | None) -> dict[str, Any]:
    """Say what an inference took on this bench, beside the chip that it stands for; nothing where it is the chip."""
    if device is None or device.spent() is None:
        return {}
    return energy_facts(with_spent(settings, energy_ledger(settings), device.spent()))
