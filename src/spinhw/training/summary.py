"""What came out of a run, as plain data: the contents of ``summary.json``."""

from collections.abc import Mapping
from typing import Any

from spinhw.energy import EnergyLedger, EnergyLine, Spent, ledger, software_ledger, spent_line
from spinhw.errors import ConfigError
from spinhw.network import NetworkSettings
from spinhw.tasks import Task, TaskSettings
from spinhw.training.run_folder import RunFolder
from spinhw.training.settings import RunSettings


def counts(network: NetworkSettings) -> tuple[int, int]:
    """Count hardware neurons and synapses of a network."""
    topology = network.topology()
    return topology.neurons, topology.synapses(network.readout == "hardware")


def energy_ledger(settings: RunSettings) -> EnergyLedger:
    """Estimate the energy of one inference; that of a software network is its arithmetic.

    Of unequal sequences it is the mean: each takes as long as it is. Where a network answers after each sample, the
    energy of one step stands beside it.
    """
    task, network = settings.task, settings.network
    duration_s = task.mean_samples * task.sample_interval_s
    if network.kind == "ctrnn":
        topology = network.topology()
        sizes = topology.neurons, topology.synapses(), task.mean_samples
        account = software_ledger(settings.energy, *sizes, duration_s, task.per_step)
    else:
        step_s = task.sample_interval_s if task.per_step else None
        tuned = counts(network)[1] if network.synapses.kind == "resonators" else 0
        account = ledger(settings.energy, *counts(network), duration_s, step_s, tuned)
    if task.shortest == task.samples:
        return account
    return account.with_note(f"the mean of sequences of {task.shortest} to {task.samples} samples")


def energy_facts(account: EnergyLedger) -> dict[str, Any]:
    """Write an account of one inference as plain data; what was spent here is a figure of its own."""
    spent = account.spent_per_inference_j
    return {
        **({"energy_per_image_spent_here_j": spent} if spent else {}),
        "energy_per_image_j": account.per_inference_j,
        "energy_per_image_scaled_j": account.scaled_per_inference_j,
        "energy_per_image_with_rest_j": account.with_rest_j,
        **({} if account.per_step_j is None else {"energy_per_step_j": account.per_step_j}),
        "energy_lines": account.as_json(),
    }


def with_spent(settings: RunSettings, account: EnergyLedger, spent: Spent | None) -> EnergyLedger:
    """Put what an inference took on this bench beside the account of the chip that the bench stands for."""
    return account if spent is None else account.beside(spent_line(settings.energy, spent))


def spent_lines(folder: RunFolder) -> list[EnergyLine]:
    """Read what a finished run spent on its bench; empty for one on a chip, and before it has finished."""
    if not folder.summary_file.is_file():
        return []
    lines = folder.summary().get("energy_lines", [])
    try:
        return [EnergyLine(**line) for line in lines if line["form"] == "spent"]
    except (LookupError, TypeError) as error:
        raise ConfigError(
            f"{folder.summary_file}: energy_lines: this is broken", seen=error, todo="write it anew with --resume"
        ) from error


def inference_facts(settings: RunSettings, task: Task, account: EnergyLedger, played: int = 0) -> dict[str, Any]:
    """Count the inferences of a whole run and what they would cost on the hardware.

    Args:
        settings: The run.
        task: Its task.
        account: Energy of one inference.
        played: Sequences played on the device while training.
    """
    training, members = settings.training, len(settings.training.seeds)
    held_out = members * task.held_out_sequences(settings.final_part)
    looked_at = members * task.held_out_sequences("validation") if "validation" in settings.task.parts else 0
    apart = members * sum(task.held_out_sequences(part) for part in settings.task.further_parts)
    shown_at, before = looks(settings, training.epochs), looks(settings, training.loop_start)
    shown = 0 if settings.device is None else (shown_at - before) * looked_at + held_out + apart
    found = {
        "training": training.loop_start * members * task.sequences,
        "evaluation": shown_at * looked_at + 2 * held_out + apart,
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


def looks(settings: RunSettings, epochs: int) -> int:
    """Count the epochs after which the validation part is shown, among the first of them."""
    return sum(settings.looks_after(epoch) for epoch in range(1, epochs + 1))


def told_of(task: TaskSettings) -> dict[str, Any]:
    """Say how what was measured is to be told: which measure counts, which way is better, and of what it is."""
    return {"measure": task.headline, "higher_is_better": task.higher_is_better, "noun": task.noun}


def headline(settings: RunSettings, task: Task) -> dict[str, Any]:
    """Say what was trained and on what it was measured."""
    neurons, synapses = counts(settings.network)
    return {
        "task": settings.task.kind,
        **told_of(settings.task),
        "network": settings.network.kind,
        "held_out": settings.final_part,
        "held_out_sequences": task.held_out_sequences(settings.final_part),
        "train_sequences": task.sequences,
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
            changed.append(f"{prefix}{key} ({_brief(before)} there, {_brief(after)} here)")
    return changed


def _brief(value: Any) -> str:
    """Write a value for a message; of a whole section its name or kind alone."""
    if isinstance(value, Mapping):
        return str(value.get("id") or value.get("kind") or "given")
    return repr(value)
