"""A run folder or a file of weights into an analysis folder: JSON, pictures and the page."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spinhw.atomic import not_written, write_atomically
from spinhw.errors import ConfigError
from spinhw.flipflop.analysis import Analysis, Tell, analyse, compare
from spinhw.flipflop.figures import draw_analysis
from spinhw.flipflop.load import COMMAND, network_files, task_of
from spinhw.flipflop.story import write_page
from spinhw.flipflop.weights import load_network
from spinhw.network.recurrent import RecurrentNetwork
from spinhw.plots.canvas import attempted
from spinhw.tasks.flipflop_settings import FlipFlopSettings
from spinhw.training import RunFolder

MOST_NETWORKS = 4  # For more, ask: each takes ten to twenty seconds.


@dataclass(frozen=True)
class Subject:
    """What is analysed.

    Args:
        networks: By name.
        task: What they were trained on.
        folder: Where the analysis goes by default.
    """

    networks: dict[str, RecurrentNetwork]
    task: FlipFlopSettings
    folder: Path


def find_subject(source: Path) -> Subject:
    """Find the networks of a run folder, or of a file of weights, which is measured on the published task.

    Raises:
        ConfigError: There are none, or they do another task.
    """
    task = task_of(source)
    if task is not None:
        networks = {path.stem: load_network(path) for path in network_files(RunFolder.open(source, COMMAND))}
        return Subject(networks, task, source / "analysis")
    network = load_network(source)
    inputs, outputs = network.settings.inputs, network.settings.outputs
    if inputs != outputs or inputs > 8:
        raise ConfigError(
            f"{source}: this is no flip-flop network",
            seen=f"{inputs} inputs and {outputs} outputs",
            allowed="as many outputs as inputs, 1 to 8",
        )
    return Subject({source.stem: network}, FlipFlopSettings.published(bits=inputs), Path(f"{source.stem}-analysis"))


def examine(
    subject: Subject, folder: Path, tell: Tell, hold_trials: int | None = None, most: int = MOST_NETWORKS
) -> list[Analysis]:
    """Analyse networks and write ``analysis.json``, ``figures/`` and ``index.html``.

    Args:
        subject: What to analyse.
        folder: Where to; what an earlier analysis left there is replaced.
        tell: Told which part is done; may raise to stop.
        hold_trials: Trials of the long hold; None for the usual number.
        most: At most so many networks, the first ones.

    Raises:
        ConfigError: The folder cannot be written.
    """
    chosen = list(subject.networks.items())[:most]
    more = {} if hold_trials is None else {"hold_trials": hold_trials}
    analyses = [analyse(network, subject.task, name, tell, **more) for name, network in chosen]
    write_analysis(analyses, folder)
    return analyses


def write_analysis(analyses: Sequence[Analysis], folder: Path) -> None:
    """Write what was found.

    Raises:
        ConfigError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(folder, error) from error
    facts = {"networks": [one.facts() for one in analyses], "comparison": compare(analyses)}
    write_atomically(folder / "analysis.json", (json.dumps(facts, indent=2, allow_nan=False) + "\n").encode())
    with attempted(folder / "figures"):
        write_page(analyses, draw_analysis(analyses, folder / "figures"), folder / "index.html")
