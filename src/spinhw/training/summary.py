"""What came out of a run, as plain data: the contents of ``summary.json``."""

from collections.abc import Mapping
from typing import Any

from spinhw.energy import EnergyLedger, EnergyLine, Spent, ledger, software_ledger, spent_line
from spinhw.network import NetworkSettings
from spinhw.training.data import EnsembleData
from spinhw.training.run_folder import RunFolder
from spinhw.training.settings import RunSettings, TrainingSettings


def counts(network: NetworkSettings) -> tuple[int, int]:
    """Count hardware neurons and synapses of a network."""
    topology = network.topology()
    return topology.neurons, topology.synapses(network.readout == "hardware")


def energy_ledger(settings: RunSettings) -> EnergyLedger:
    """Estimate the energy of one inference; that of a software network is its arithmetic."""
    task, network = settings.task, settings.network
    duration_s = task.samples * task.sample_interval_s
    if network.kind == "ctrnn":
        topology = network.topology()
        return software_ledger(settings.energy, topology.neurons, topology.synapses(), task.samples, duration_s)
    return ledger(settings.energy, *counts(network), duration_s)


def energy_facts(account: EnergyLedger) -> dict[str, Any]:
    """Write an account of one inference as plain data; what was spent here is a figure of its own."""
    spent = account.spent_per_inference_j
    return {
        **({"energy_per_image_spent_here_j": spent} if spent else {}),
        "energy_per_image_j": account.per_inference_j,
        "energy_per_image_scaled_j": account.scaled_per_inference_j,
        "energy_per_image_with_rest_j": account.with_rest_j,
        "energy_lines": account.as_json(),
    }


def with_spent(settings: RunSettings, account: EnergyLedger, spent: Spent | None) -> EnergyLedger:
    """Put what an inference took on this bench beside the account of the chip that the bench stands for."""
    return account if spent is None else account.beside(spent_line(settings.energy, spent))


def spent_lines(folder: RunFolder) -> list[EnergyLine]:
    """Read what a finished run spent on its bench; empty for one on a chip, and before it has finished."""
    if not folder.summary_file.is_file():
        return []
    return [EnergyLine(**line) for line in folder.summary()["energy_lines"] if line["form"] == "spent"]


def inference_facts(
    settings: RunSettings, data: EnsembleData, account: EnergyLedger, played: int = 0
) -> dict[str, Any]:
    """Count the inferences of a whole run and what they would cost on the hardware.

    Args:
        settings: The run.
        data: Its data.
        account: Energy of one inference.
        played: Sequences played on the device while training.
    """
    training, held_out = settings.training, data.test_labels.numel()
    shown_at, before = looks(training, training.epochs), looks(training, training.loop_start)
    shown = 0 if settings.device is None else (1 + shown_at - before) * held_out
    found = {
        "training": training.loop_start * data.train_labels.numel(),
        "evaluation": (shown_at + 2) * held_out,
        "on_device": played + shown,
    }
    total = sum(found.values())
    return {
        "inferences": found | {"total": total},
        "energy_of_all_inferences_j": total * account.scaled_per_inference_j,
        "energy_of_all_inferences_basis": (
            "estimated: power times duration (or arithmetic) of each, had every inference run there"
        ),
    }


def looks(training: TrainingSettings, epochs: int) -> int:
    """Count the epochs after which the held-out images are shown, among the first of them."""
    last = epochs == training.epochs and epochs % training.evaluate_every > 0
    return epochs // training.evaluate_every + last


def headline(settings: RunSettings, data: EnsembleData) -> dict[str, Any]:
    """Say what was trained and on what it was measured."""
    neurons, synapses = counts(settings.network)
    return {
        "task": settings.task.kind,
        "network": settings.network.kind,
        "held_out": settings.task.held_out,
        "held_out_images": data.test_labels.shape[1],
        "train_images": data.train_labels.shape[1],
        "seeds": list(settings.training.seeds),
        "start": settings.training.start,
        "epochs": settings.training.epochs,
        "neurons": neurons,
        "synapses": synapses,
        "in_the_loop": settings.device is not None and settings.training.loop_start < settings.training.epochs,
    }


def changed_keys(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """List the keys in which two nested mappings differ: ``training.epochs (45 there, 50 here)``."""
    changed = []
    for key in [*old, *(key for key in new if key not in old)]:
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            changed += changed_keys(before, after, f"{prefix}{key}.")
        elif before != after:
            changed.append(f"{prefix}{key} ({before!r} there, {after!r} here)")
    return changed
