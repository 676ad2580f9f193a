"""Damaged files: whoever reads one says so in one line that names it, or reads what was written; nothing in between.

The campaign: pytest tests/campaigns/test_damage.py --campaign. Each damage has a number and runs again by it.
"""

import json
import shutil
import sqlite3
from pathlib import Path
from random import Random

import h5py
import numpy as np
import pytest
import torch
import xarray

from fakes.damage import damaged
from fakes.runs import plain
from spinhw.calibration import load_taken
from spinhw.calibration.dataset import write_dataset
from spinhw.calibration.synapses import load_read
from spinhw.config import build, shipped
from spinhw.device import SimulatedSettings, open_device
from spinhw.device.batch_file import read_attributes, read_batch
from spinhw.device.recorder import Recorder
from spinhw.device.rehearsal import probe_inputs, probe_parameters
from spinhw.errors import ConfigError, SpinhwError
from spinhw.flipflop import read_keras
from spinhw.network import NetworkSettings
from spinhw.studies import Outcome, Point, PointStore
from spinhw.studies.outcome import PowerTrace
from spinhw.training import RunFolder
from spinhw.training.checkpoint import load_checkpoint, save_checkpoint
from spinhw.tuning import Search, SpaceSettings

# Damages of each kind of file: 1 000 and more in all.
ALWAYS, CAMPAIGN = 12, 150
ROWS = "".join(json.dumps({"epoch": one, "loss": 0.5**one, "accuracy": [0.1 * one, 0.2]}) + "\n" for one in range(1, 6))


def checkpoint(path: Path) -> None:
    save_checkpoint(path, {"network/w": torch.arange(60.0).view(3, 4, 5), "adam/t": torch.tensor(7)}, {"epoch": 3})


def batch(path: Path) -> None:
    profile = build(SimulatedSettings, {"kind": "simulated", "chip": {"output_readout": {"noise": 0.02}}}, "test")
    with open_device(profile, NetworkSettings(layers=(3, 2)), 1e-9) as device:
        device.record_with(Recorder(path.parent / "made"))
        about = device.describe()
        device.program(probe_parameters(about))
        device.run(probe_inputs(about))
    (path.parent / "made" / "000000.nc").rename(path)


def traces(path: Path) -> None:
    time = np.arange(40) * 1e-9
    about = {"experiment": '{"kind": "noise"}', "device_id": "chip", "interval_s": 1e-9, "bias_drive": 1e6}
    about |= {"averages": 4, "shots": 3, "started_unix_s": 1.7e9}
    axes = ("segment", "interval", "oscillator")
    values = {"drive": (axes, np.sin(np.arange(240.0)).reshape(2, 40, 3))}
    values |= {"power": (("segment", "sample", "oscillator"), np.cos(np.arange(246.0)).reshape(2, 41, 3))}
    values |= {"quality": (("segment", "sample", "oscillator"), np.zeros((2, 41, 3), np.uint8))}
    write_dataset(xarray.Dataset(values, {"interval": ("interval", time, {"units": "s"})}, about), path, "traces")


def readings(path: Path) -> None:
    both = (("point", "reading"), np.arange(12.0).reshape(6, 2))
    values = {"tuning": (("point", "resonator"), np.arange(18.0).reshape(6, 3)), "rf": ("point", np.arange(6.0))}
    values |= {"power": ("point", np.ones(6)), "voltage": both, "quality": (both[0], np.zeros((6, 2), np.uint8))}
    about = {"experiment": '{"kind": "detuning_sweep"}', "device_id": "chain", "started_unix_s": 1.7e9}
    write_dataset(xarray.Dataset(values, attrs=about), path, "readings")


def keras(path: Path) -> None:
    layers = [
        {"class_name": kind, "config": {"name": kind, "activation": how}}
        for kind, how in (("SimpleRNN", "tanh"), ("Dense", "linear"))
    ]
    shapes = {"r/r/kernel:0": (3, 6), "r/r/recurrent_kernel:0": (6, 6), "d/d/kernel:0": (6, 3), "d/d/bias:0": (3,)}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"config": {"layers": layers}})
        for name, shape in shapes.items():
            file[f"model_weights/{name}"] = np.ones(shape, np.float32)


def traced_point() -> Point:
    return Point.vary("digits_paper", (), traced=True)


def points(path: Path) -> None:
    trace = PowerTrace([0, 1], [[[0.5, 0.25], [0.5, 0.75]]])
    found = Outcome([0, 1], [0.5, None], [0.4, None], [0.1, 0.2], 3.5, "1.0", trace, [0.3, 0.2], 60, 2.5, 7, True)
    PointStore(path.parent).save(traced_point(), found)


def waveforms(path: Path) -> None:
    points(path.parent / "points.csv")
    (path.parent / "traces" / f"{traced_point().key}.json").rename(path)


def with_waveforms(path: Path) -> object:
    shutil.copy(path, path.parent / "traces" / f"{traced_point().key}.json")
    try:
        return PointStore(path.parent).outcome(traced_point())
    except ConfigError as error:
        raise ConfigError(str(error).replace(traced_point().key, path.stem)) from error


def metrics(path: Path) -> None:
    path.write_text(ROWS, encoding="utf-8")


# Who writes, who reads, and whether a checksum guards what is in the file: what others wrote, and text, has none.
FILES = {
    "checkpoint.safetensors": (checkpoint, load_checkpoint, True),
    "000001.nc": (batch, lambda path: (read_batch(path), read_attributes(path)), True),
    "01-noise.nc": (traces, load_taken, True),
    "00-detuning_sweep.nc": (readings, load_read, True),
    "weights.h5": (keras, read_keras, False),
    "points.csv": (points, lambda path: PointStore(path.parent).outcome(traced_point()), False),
    "waveforms.json": (waveforms, with_waveforms, False),
    "metrics.jsonl": (metrics, lambda path: RunFolder(path.parent).metrics(), False),
}


def look(name: str, count: int, folder: Path) -> dict[str, int]:
    """Damage a file so many times; return how often it was refused and read."""
    make, read, guarded = FILES[name]
    path = folder / name
    make(path)
    data, wanted, seen = path.read_bytes(), plain(read(path)), {"refused": 0, "read": 0}
    for number in range(count):
        path.write_bytes(damaged(data, Random(f"{name} {number}")))
        try:
            found = read(path)
        except SpinhwError as error:
            assert error.exit_code == 2 and name in str(error) and "\n" not in str(error), (number, str(error))
            seen["refused"] += 1
        else:
            assert not guarded or plain(found) == wanted, number
            seen["read"] += 1
    return seen


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named_or_read_as_it_was(name, tmp_path, caplog):
    assert look(name, ALWAYS, tmp_path)["refused"]


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", FILES)
def test_campaign(name, tmp_path, caplog):
    assert look(name, CAMPAIGN, tmp_path)["refused"]


def test_a_changed_attribute_of_traces_and_recordings_is_noticed(tmp_path):
    for name, attribute in (("01-noise.nc", "bias_drive"), ("000001.nc", "duration_s")):
        make, read, _ = FILES[name]
        make(tmp_path / name)
        with h5py.File(tmp_path / name, "r+") as file:
            file.attrs[attribute] = 2.0
        with pytest.raises(ConfigError, match=rf"{name}.*damaged.*do not match their checksum"):
            read(tmp_path / name)
        with h5py.File(tmp_path / name, "r+") as file:  # Of a file without one all that can be read is taken.
            del file.attrs["contents_sha256" if name.startswith("01") else "attributes_sha256"]
        read(tmp_path / name)


def test_metrics_end_where_a_crash_cut_them_and_are_refused_where_they_are_damaged(tmp_path, caplog):
    path = tmp_path / "metrics.jsonl"
    path.write_text(ROWS + '{"epoch": 6, "lo', encoding="utf-8")
    assert [row["epoch"] for row in RunFolder(tmp_path).metrics()] == [1, 2, 3, 4, 5]
    assert "line 6 is cut short; it is left out" in caplog.text
    for damage in ('"epoch"', '{"epoch'):
        path.write_text(ROWS.replace(damage, "#", 1), encoding="utf-8")
        with pytest.raises(ConfigError, match=r"metrics.jsonl: line 1 is damaged.*take that line out"):
            RunFolder(tmp_path).metrics()


@pytest.mark.parametrize("text", ["[]", '{"energy_lines": [3]}', '{"energy_lines": [{"form": "spent"}]}', '"x"'])
def test_a_summary_that_is_none_is_named(tmp_path, spinhw, text):
    shutil.copy(shipped("examples") / "digits.yaml", tmp_path / "config.yaml")
    (tmp_path / "summary.json").write_text(text, encoding="utf-8")
    outcome = spinhw("energy", tmp_path)
    assert outcome.code == 2 and "summary.json" in outcome.err and len(outcome.err.splitlines()) == 1


def test_a_recipe_that_is_no_text_is_not_migrated(tmp_path, spinhw):
    (tmp_path / "old.yaml").write_bytes(b"task:\n  kind: \xff\n")
    outcome = spinhw("migrate", tmp_path / "old.yaml")
    assert outcome.code == 2 and "old.yaml: this file cannot be read" in outcome.err


def test_a_database_that_breaks_under_a_search_is_one_line(tmp_path, mocker):
    pytest.importorskip("optuna", reason="the extra 'tune' is not installed")
    axes = {"network.tau": {"kind": "range", "lowest": 2, "highest": 40, "unit": "ns"}}
    space = build(SpaceSettings, {"axes": axes, "seeds": [100]}, "space")
    mocker.patch("spinhw.tuning.trial.trial_score", return_value=0.5)
    found = Search(shipped("examples") / "digits_paper.yaml", space, f"sqlite:///{tmp_path / 'trials.db'}", "one")
    found.run(1, lambda tried: None)
    with sqlite3.connect(tmp_path / "trials.db") as database:
        database.execute("DROP TABLE trials")
    database.close()
    with pytest.raises(ConfigError, match=r"--storage: the database.*trials\.db.*restore a file that is damaged"):
        found.run(2, lambda tried: None)


def test_a_heap_that_has_no_end_is_refused_before_hdf5_looks_into_it(tmp_path):
    path = tmp_path / "weights.h5"
    keras(path)
    data = path.read_bytes()
    heap = data.index(b"GCOL\x01")
    path.write_bytes(data[: heap + 16] + bytes(4080) + data[heap + 4096 :])
    with pytest.raises(ConfigError, match=r"weights\.h5: .*seen: a heap of texts that has no end"):
        read_keras(path)
