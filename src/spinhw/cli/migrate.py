"""`spinhw migrate`: recipes and run folders of older versions, rewritten."""

import io
import re
from collections.abc import Iterator, Mapping, MutableMapping, MutableSequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinhw.atomic import write_atomically
from spinhw.cli.terminal import make_console
from spinhw.config import Settings, build, parse_yaml
from spinhw.config.migration import migrate, migrate_override
from spinhw.config.text import read_text
from spinhw.errors import ConfigError
from spinhw.flipflop.old_bridge import is_old_bridge, migrate_bridge, migrate_checkpoint
from spinhw.flipflop.settings import FlipFlopRun
from spinhw.training import RunFolder, RunSettings

if TYPE_CHECKING:
    from ruamel.yaml import YAML

# Beside each file that is rewritten its former text is kept under its name and this.
KEPT = ".before"
_RECURRENT = ("tanh", "gru", "lstm")
# What only the files of tuning and studies have: overrides of a run stand anywhere in them.
_AROUND_RUNS = ("axes", "protocols", "methods")


@dataclass(frozen=True)
class _Rewritten:
    """A file with keys of an older version.

    Args:
        path: The file.
        text: What it is to hold.
        changes: In words.
        bridge: Whether it is a run of oscillators on the flip-flop, as version 0.1 had them.
    """

    path: Path
    text: str
    changes: list[str]
    bridge: bool = False


def migrate_path(path: Path, dry_run: bool) -> None:
    """Rewrite the YAML files at or under a path, and the checkpoints of runs that need it; say what was changed.

    Args:
        path: A recipe, a run folder, or a folder with any of these.
        dry_run: Whether to say it alone.

    Raises:
        ConfigError: There is nothing there, or a file is no YAML or cannot be written.
    """
    if not path.exists():
        raise ConfigError(f"{path}: there is no such file or folder", todo="check the path")
    files = sorted(one for one in path.rglob("*") if one.suffix in (".yaml", ".yml")) if path.is_dir() else [path]
    console = make_console()
    rewritten = [found for one in files if (found := _rewritten(one)) is not None]
    for one in rewritten:
        console.print(f"{one.path}:", markup=False, soft_wrap=True)
        for change in one.changes:
            console.print(f"  {change}", markup=False, soft_wrap=True)
    if dry_run:
        console.print(f"{len(rewritten)} of {len(files)} files would be rewritten")
        return
    for one in rewritten:
        kept = _kept(one.path)
        if one.bridge and (one.path.parent / "checkpoint.safetensors").is_file():
            _rewrite_checkpoint(RunFolder(one.path.parent).checkpoint, one)
        write_atomically(kept, one.path.read_bytes())
        write_atomically(one.path, one.text.encode())
    console.print(
        f"{len(rewritten)} of {len(files)} files rewritten"
        + (f"; what they held is beside them, under {KEPT}" if rewritten else "")
    )


def _rewritten(path: Path) -> _Rewritten | None:
    """Return what a file is to hold; None where nothing in it is of an older version."""
    from ruamel.yaml.error import YAMLError

    text = read_text(path)
    yaml = _round_trip(text)
    try:
        data = yaml.load(text)
    except YAMLError as error:
        raise ConfigError(f"{path}: this is not YAML", seen=error, todo="correct the file") from error
    if not isinstance(data, MutableMapping):
        return None
    bridge, changes = False, list[str]()
    if any(key in data for key in _AROUND_RUNS):
        changes = list(_overrides(data))
    elif "training" in data or "network" in data:
        bridge = is_old_bridge(data)
        if bridge:
            migrate_bridge(data, (path.parent / "checkpoint.safetensors").exists())
            changes = ["a run of oscillators on the flip-flop -> a run of 'spinhw train'"]
        changes += [str(one) for one in migrate(data, _model(data))]
    if not changes:
        return None
    out = io.StringIO()
    yaml.dump(data, out)
    schema = ("schema/flipflop.json", "schema/run.json") if bridge else ("", "")
    return _Rewritten(path, out.getvalue().replace(*schema), changes, bridge)


def _round_trip(text: str) -> "YAML":
    """Return what reads and writes a file with its comments, order, quotes and way to indent lists."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 120
    in_list = re.search(r"^( *)[^\s#].*:(?: *#.*)?\n( *)- ", text, re.MULTILINE)
    offset = 0 if in_list is None else max(len(in_list[2]) - len(in_list[1]), 0)
    yaml.indent(mapping=2, sequence=2 + offset, offset=offset)
    yaml.representer.add_representer(
        type(None), lambda one, none: one.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return yaml


def _model(data: Mapping[str, Any]) -> type[Settings]:
    network = data.get("network")
    return FlipFlopRun if isinstance(network, Mapping) and network.get("kind") in _RECURRENT else RunSettings


def _overrides(data: Any) -> Iterator[str]:
    """Rewrite the overrides of a run and the axes that stand in the lists and mappings of a file; say each change."""
    places = list(data.items()) if isinstance(data, Mapping) else list(enumerate(data))
    for place, value in places:
        if isinstance(value, str) and isinstance(data, MutableSequence):
            now = migrate_override(value, RunSettings)
            if now != value:
                data[place] = now
                yield f"{value} -> {now}"
        elif isinstance(value, Mapping | MutableSequence):
            axis = _axis(str(place))
            if axis != str(place):
                data.insert(list(data).index(place), axis, data.pop(place))
                yield f"{place} -> {axis}"
            yield from _overrides(value)


def _axis(key: str) -> str:
    return migrate_override(f"{key}=null", RunSettings).removesuffix("=null")


def _kept(path: Path) -> Path:
    kept = path.with_name(path.name + KEPT)
    if kept.exists():
        raise ConfigError(f"{kept}: this exists already", todo="move it away; it is what the file once held")
    return kept


def _rewrite_checkpoint(path: Path, config: _Rewritten) -> None:
    from spinhw.training.checkpoint import load_checkpoint, save_checkpoint

    settings = build(RunSettings, parse_yaml(config.text, str(config.path)), str(config.path))
    tensors, facts = load_checkpoint(path)
    if "members" not in facts:
        return  # An earlier attempt came so far.
    now = migrate_checkpoint(tensors, facts, settings.open_task().batches, settings.training.batch_size)
    write_atomically(_kept(path), path.read_bytes())
    save_checkpoint(path, *now)
