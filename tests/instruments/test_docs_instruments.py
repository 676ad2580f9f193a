"""docs/instruments.md as a reader types it: the bench file, the prompt, a driver in a package of one's own."""

import re
import runpy
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml

from fakes.visa import BANK_TRUTH, standing
from spinhw.config import build
from spinhw.device import load_device
from spinhw.errors import LimitError
from spinhw.instruments import CurrentSource, StationSettings
from spinhw.instruments.station import Station

PAGE = (Path(__file__).parents[2] / "docs" / "instruments.md").read_text(encoding="utf-8")


def block(language: str, word: str) -> str:
    [found] = [one for one in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if word in one]
    return found


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Locks and what was left on are kept in the user's home."""
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install the page's own package, as pip does: a module, and its entry points beside it."""
    places = re.findall(r'^(\S+) = "(.*)"$', block("toml", "spinhw.drivers"), re.MULTILINE)
    (tmp_path / "mylab").mkdir()
    (tmp_path / "mylab" / "__init__.py").touch()
    (tmp_path / "mylab" / "drivers.py").write_text(block("python", "class MySource"), encoding="utf-8")
    facts = tmp_path / "mylab-0.1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: mylab\nVersion: 0.1\n", encoding="utf-8")
    lines = [f"{name} = {target}\n" for name, target in places]
    (facts / "entry_points.txt").write_text("[spinhw.drivers]\n" + "".join(lines), encoding="utf-8")
    (tmp_path / "my-source.yaml").write_text(block("yaml", "driver: my-source"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield [name for name, _ in places]
    for name in [one for one in sys.modules if one.partition(".")[0] == "mylab"]:
        del sys.modules[name]


def test_the_bench_file_of_the_page_loads(tmp_path):
    file = tmp_path / "lab3.yaml"
    file.write_text(block("yaml", "id: lab3"), encoding="utf-8")
    assert load_device(str(file)).id == "lab3"


def test_the_prompt_of_the_page_runs(tmp_path, monkeypatch, capsys):
    with standing(BANK_TRUTH, "in process", tmp_path) as (made, addresses, backend):
        data = yaml.safe_load(block("yaml", "id: lab3")) | {"backend": backend}
        for name, one in data["instruments"].items():
            one["address"] = addresses[name]
        (tmp_path / "bench.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        (tmp_path / "prompt.py").write_text(block("python", "open_station("), encoding="utf-8")
        runpy.run_path("prompt.py")
        assert "MODEL 2400" in capsys.readouterr().out
        assert not made.instruments["bias"].get("on")


def test_the_driver_of_the_page_works_in_a_package_of_its_own(package, tmp_path, spinhw):
    assert {point.name for point in entry_points(group="spinhw.drivers")} >= set(package)
    assert re.search(rf"{package[0]} +│ current-source", spinhw("devices").out)
    truth = BANK_TRUTH | {"instruments": BANK_TRUTH["instruments"] | {"bias": {"model": "keithley-6221"}}}
    profile = tmp_path / "my-source.yaml"
    # The page's instrument does not exist, not even virtually: another one stands in under its own name.
    text = profile.read_text(encoding="utf-8").replace("^OURLAB,SOURCE-2,", "MODEL 6221").replace(":CURR", ":SOUR:CURR")
    profile.write_text(text, encoding="utf-8")
    with standing(truth, "in process", tmp_path) as (made, addresses, backend):
        limits = {"lowest": "0 mA", "highest": "8 mA", "compliance": "1 V", "ramp_step": "1 mA", "ramp_delay": "0 s"}
        source = {"role": "current-source", "driver": "my-source.yaml", "address": addresses["bias"]}
        data = {"kind": "visa", "backend": backend, "instruments": {"mine": source | {"channels": {1: limits}}}}
        path = str(tmp_path / "bench.yaml")
        with Station(build(StationSettings, data, path), path) as station:
            mine = station.get("mine", CurrentSource)
            mine.set_output("1", True)
            assert mine.set_current("1", 2e-3) == 2e-3
            assert type(mine).__module__ == "mylab.drivers"
            with pytest.raises(LimitError, match="nothing was sent"):
                mine.set_current("1", 9e-3)
        assert not made.instruments["bias"].get("on")
        assert made.instruments["bias"].get("current_a") == 0
