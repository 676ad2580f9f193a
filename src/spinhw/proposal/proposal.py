"""From a file to a recipe: what is in it, how it is divided, and the numbers that follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinhw.config import apply_overrides, build
from spinhw.errors import ConfigError
from spinhw.network import NetworkSettings
from spinhw.proposal import rules
from spinhw.proposal.arrays import look_at_arrays, look_at_ts, look_at_wavs
from spinhw.proposal.asked import Inferred, Layout, Said, in_words_of_options
from spinhw.proposal.look import Contents
from spinhw.proposal.parts import parts_of
from spinhw.proposal.rules import TrainingAmount
from spinhw.proposal.tables import look_at_table
from spinhw.proposal.yaml_text import with_comments
from spinhw.tasks.series import SeriesSettings, read_series
from spinhw.tasks.series.packages import file_of
from spinhw.tasks.series.reading import ARRAYS, TABLES, arrays_in, read_table
from spinhw.tasks.series.settings import AnswerKind
from spinhw.training import RunSettings
from spinhw.units import show_quantity, spell_quantity

_TASK = "task."
_LONG = 1000  # Samples of a sequence.
_INTERVAL_S = 1e-9  # A sample for each ns: what the shipped benches play.


@dataclass(frozen=True)
class Rule:
    """A rule that decided something.

    Args:
        key: The key that it decided, such as "network.tau".
        name: What it decides, for people.
        value: What came of it.
        why: The rule, with its number.
    """

    key: str
    name: str
    value: str
    why: str


@dataclass(frozen=True)
class Proposal:
    """A recipe, and why it is so.

    Args:
        data: The recipe as plain data.
        settings: The same as settings.
        inferred: What nobody had said of the data.
        rules: What decided.
        effort: How much is trained.
    """

    data: Mapping[str, Any]
    settings: RunSettings
    inferred: tuple[Inferred, ...]
    rules: tuple[Rule, ...]
    effort: TrainingAmount

    @property
    def doubts(self) -> tuple[str, ...]:
        """What makes a first answer less than it could be."""
        samples, epochs = self.settings.task.samples, self.settings.training.epochs
        found = []
        if samples > _LONG:
            found.append(
                f"sequences are long ({samples} samples) and a neuron remembers some tens: fewer may tell more; "
                "average them, or take a coarser grid: --set task.resample=SPACING"
            )
        if self.effort.is_short:
            found.append(f"there is much to read, so this training is short: --set training.epochs={10 * epochs}")
        return tuple(found)

    def to_yaml(self, head: str) -> str:
        """Write the recipe with its rules as comments, below lines that stand above it."""
        return with_comments(self.data, {rule.key: self._comment(rule) for rule in self.rules}, head)

    def _comment(self, rule: Rule) -> str:
        """Write a rule behind its key, with its number where the key has another one."""
        section, _, key = rule.key.partition(".")
        return rule.why if self.data[section].get(key) == rule.value else f"{rule.name} {rule.value}: {rule.why}"


def propose(
    file: str | Path,
    *,
    target: str | Sequence[str] = (),
    inputs: str | Sequence[str] = (),
    sequence: str | None = None,
    time: str | None = None,
    group: str | None = None,
    layout: Layout | None = None,
    answers: AnswerKind | None = None,
    test_file: str | Path | None = None,
    seeds: int | None = None,
    changes: Sequence[str] = (),
) -> RunSettings:
    """Propose a run for a file of series, by the rules of Plouet et al. 2024, section IV, and the amount of data.

    `spinhw.train` takes what comes of it; ``to_yaml`` writes it.

    Args:
        file: CSV, Parquet, NPZ, NetCDF, .ts, or a folder of WAV.
        target: Column, or columns, to be answered; empty to take one that is called "label", "class", "target" or "y".
        inputs: Input columns; empty for all that are nothing else.
        sequence: Column that tells sequences apart.
        time: Column of times.
        group: Column of groups, which are held out whole.
        layout: What a row is; None to go by the columns.
        answers: What is answered; None to go by the target.
        test_file: A test part of its own.
        seeds: Networks that are trained side by side, at least 1; None for as many as the amount of data allows.
        changes: Further keys, such as ["training.epochs=20"].

    Raises:
        ConfigError: A column is not there, or the data are wrong; says where.
    """
    asked = Said(
        Path(file),
        (target,) if isinstance(target, str) else tuple(target),
        (inputs,) if isinstance(inputs, str) else tuple(inputs),
        sequence,
        time,
        group,
        layout,
        answers,
        None if test_file is None else Path(test_file),
    )
    return proposed(asked, changes, seeds).settings


def proposed(asked: Said, changes: Sequence[str] = (), seeds: int | None = None) -> Proposal:
    """Propose a run, and say why it is so.

    Args:
        asked: What was said of the file.
        changes: Keys that are set otherwise; those of the task before its data are read.
        seeds: Networks side by side; None for as many as the amount of data allows.

    Raises:
        ConfigError: A column is not there, or the data are wrong; says where, in words of the command's options.
    """
    with in_words_of_options():
        look = _looked(asked)
        parts = parts_of(look, asked)
        task = _task(asked, look, parts.task)
        of_task = [change.strip().removeprefix(_TASK) for change in changes if change.strip().startswith(_TASK)]
        others = [change for change in changes if not change.strip().startswith(_TASK)]
        task = apply_overrides(task, of_task)
        found = build(SeriesSettings, task, "--set task").resolved()
        data, effort, decided = _recipe(task, found, seeds)
        changed = apply_overrides(data, others)
        settings = build(RunSettings, {**changed, "task": found}, str(asked.file), others)
    said = [change.partition("=")[0].strip() for change in changes]
    ours = tuple(rule for rule in decided if not any(f"{key}.".startswith(f"{rule.key}.") for key in said))
    return Proposal(changed, settings, (*look.inferred, *parts.inferred), ours, effort)


def _looked(asked: Said) -> Contents:
    path = file_of(str(asked.file), "TRAIN", "task.file")
    form = path.suffix.lower()
    if path.is_dir():
        return look_at_wavs(path, asked)
    if path.is_file() and form in TABLES:
        return look_at_table(read_table(path), asked)
    if path.is_file() and form in ARRAYS:
        with arrays_in(path) as arrays:
            return look_at_arrays(arrays, path.name, asked)
    if path.is_file() and form == ".ts":
        return look_at_ts(path, asked)
    read_series(path, SeriesSettings())  # It says what is wrong.
    raise ConfigError(f"{path}: nobody knows how to look into this file")


def _task(asked: Said, look: Contents, parts: Mapping[str, Any]) -> dict[str, Any]:
    task: dict[str, Any] = {"kind": "series", "file": asked.named}
    if asked.test_file is not None:
        task["test_file"] = str(asked.test_file.absolute())
    return {
        **task,
        **look.task,
        "sample_interval": show_quantity(_INTERVAL_S, "s"),
        **parts,
        "scaling": {"kind": "range", "lowest": -2.0, "highest": 2.0},
    }


def _recipe(
    task: Mapping[str, Any], found: SeriesSettings, seeds: int | None
) -> tuple[dict[str, Any], TrainingAmount, tuple[Rule, ...]]:
    """Put network and training beside a task, and say what decided each number."""
    pieces, interval_s = found.prepared().parts["train"], found.sample_interval_s
    work = rules.effort(len(pieces), pieces.longest, found.inputs, found.outputs)
    remembered = rules.remembered(found.mean_samples, found.per_step)
    tau_s = rules.relaxation_time_s(interval_s)
    network: dict[str, Any] = {
        "kind": "spintronic",
        "layers": list(work.layers),
        "tau": show_quantity(tau_s, "s"),
        "cutoff": show_quantity(rules.corner_hz(remembered, interval_s), "Hz"),
        "gain": rules.GAIN,
        "drive_rate": spell_quantity(rules.drive_rate_per_s(interval_s), "1/s"),
        "saturation": {"kind": "sigmoid", "lowest_over_gamma": 0.0, "highest_over_gamma": rules.HIGHEST_OVER_GAMMA},
        "initial_state": "rest",
        "weight_scale": rules.weight_scale(),
        "weight_limit": 4.0,
        "readout": "hardware",
        "readout_samples": rules.readout_samples(found.shortest, found.per_step),
        "out_gain": 7.0,
    }
    per_weight = NetworkSettings.model_validate({**network, "inputs": 1, "outputs": 1}).drive_per_weight(interval_s)
    values = found.class_names is None
    training: dict[str, Any] = {
        "seeds": list(range(seeds or work.members)),
        "epochs": work.epochs,
        "batch_size": work.batch,
        "optimiser": {
            "learning_rate": rules.learning_rate(per_weight, not values),
            "schedule": "cosine",
            "gradient_clip": 1.0,
        },
        **({"solve_readout": True} if values else {"input_noise": 0.1, "label_smoothing": 0.1}),
        "substeps": rules.SUBSTEPS,
        "order": 2,
        "coarse_share": rules.COARSE_SHARE,
        "evaluate_every": max(1, -(-work.epochs // 8)),
    }
    told = _told(network, training, per_weight, remembered, found)
    return {"task": dict(task), "network": network, "training": training}, work, told


def _told(
    network: Mapping[str, Any], training: Mapping[str, Any], per_weight: float, remembered: float, task: SeriesSettings
) -> tuple[Rule, ...]:
    """Say what decided, a line for each."""
    optimum, rate = rules.optimal_weight(per_weight), training["optimiser"]["learning_rate"]
    low, high = task.input_range
    fades = f"outputs fade over {remembered:.2g} samples, " + (
        "a relaxation time" if task.per_step else "as long as a sequence, 50 at most"
    )
    return (
        Rule(
            "task.sample_interval",
            "dt",
            show_quantity(task.sample_interval_s, "s"),
            "a sample is held so long on the device",
        ),
        Rule("network.tau", "tau", network["tau"], "dt < tau <= 4 dt: outlives a sample, which yet moves it"),
        Rule(
            "network.weight_scale",
            "I dt",
            f"{rules.FIRST_DRIVE:g}",
            f"at first, to grow to about 1 (eq. 11), where weights are {optimum:.2g} in the mean",
        ),
        Rule(
            "training.optimiser",
            "learning rate",
            f"{rate:g}",
            f"{100 * rate / optimum:.0f} hundredths of these weights; the rule: about one, but a trial is short",
        ),
        Rule("network.cutoff", "high-pass", network["cutoff"], fades),
        Rule("task.scaling", "inputs", f"{low:.3g} to {high:.3g}", "shipped devices play -8 to 8"),
    )
