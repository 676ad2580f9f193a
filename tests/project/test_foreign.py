"""Another package adds a task, a device, a rate, a logger and a driver: found by name, never by an import path."""

import json
import logging
import re
import sys
from pathlib import Path

import pytest
import torch

from fakes.packages import FOREIGN, install, install_foreign
from spinhw.calibration import calibrate
from spinhw.config import build
from spinhw.device import device_schema, load_device, open_bank, open_device
from spinhw.device.contract import check_device
from spinhw.errors import ConfigError
from spinhw.instruments import StationSettings
from spinhw.instruments.discovery import driver_names
from spinhw.instruments.station import Station
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.training import RunSettings, budget, load_settings, resume, train
from spinhw.training.checkpoint import load_checkpoint

RATE = "network.rate={kind: quadratic_damping, q2: 0.3}"
PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")


@pytest.fixture
def on_path(monkeypatch):
    """Put folders on the path, and forget their modules afterwards."""
    known = set(sys.modules)
    yield lambda folders: [monkeypatch.syspath_prepend(folder) for folder in folders]
    for name in set(sys.modules) - known:
        if name.partition(".")[0] in ("foreign_lab", "more_loggers"):
            del sys.modules[name]


@pytest.fixture
def foreign(tmp_path, on_path):
    on_path(install_foreign(tmp_path / "installed"))


@pytest.fixture
def recipe(tmp_path):
    """The page's own recipe, with its device file beside it."""
    for name in ("slope.yaml", "twin.yaml"):
        [text] = re.findall(rf"```yaml\n(# {name}\n.*?)```", PAGE, re.DOTALL)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / "slope.yaml"


def weights(folder):
    return {name: one for name, one in load_checkpoint(folder / "checkpoint.safetensors")[0].items() if "/w_" in name}


def test_a_foreign_task_is_trained_on_a_foreign_device_with_a_foreign_logger(foreign, recipe, tmp_path):
    settings = load_settings(recipe)
    assert (settings.task.kind, settings.device.kind, settings.device.noise) == ("slope", "twin", 0.01)
    found = train(settings, tmp_path / "run")
    assert len(found.summary["accuracy_on_device"]["per_seed"]) == 2
    lines = (tmp_path / "run" / "notebook.txt").read_text(encoding="utf-8").split("\n")
    assert [line.split()[:2] for line in lines[:2]] == [["epoch", "1"], ["epoch", "2"]] and "summary" in lines[2]
    again = resume(tmp_path / "run", load_settings(recipe))
    assert again.summary["accuracy"] == found.summary["accuracy"]


@pytest.mark.parametrize("gradient", ["output", "layerwise", "observer"])
def test_a_network_of_a_foreign_rate_is_trained_with_every_model_of_a_device(foreign, recipe, tmp_path, gradient):
    changes = [RATE, f"training.gradient={gradient}", "training.seeds=[0]", "training.epochs=1"]
    settings = load_settings(recipe, changes)
    found = train(settings, tmp_path / "run")
    again = load_settings(tmp_path / "run" / "config.yaml")
    assert again.network == settings.network != load_settings(recipe).network
    assert 0 <= found.summary["accuracy_on_device"]["mean"] <= 1


def test_a_compiled_engine_is_refused_a_foreign_rate(foreign, recipe, tmp_path):
    settings = load_settings(recipe, [RATE, "training.engine=cpu"])
    with pytest.raises(ConfigError, match="'cpu' cannot be used here, it lacks the rate 'quadratic_damping'"):
        train(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_knows_the_logistic_rate_alone_refuses_a_foreign_one(foreign, recipe, tmp_path):
    network = load_settings(recipe, [RATE]).network
    with pytest.raises(ConfigError, match=r"a calibration fits the logistic rate alone; seen: quadratic_damping"):
        calibrate("imperfect-chip", "quick", tmp_path / "record.yaml", network)
    with pytest.raises(ConfigError, match=r"cannot play this network; .*rate quadratic_damping; allowed: .*logistic"):
        open_device("one-oscillator", network)


def test_a_simulated_chip_stays_as_it_is_whatever_its_model(foreign, recipe):
    inputs = torch.linspace(-1, 1, 24).reshape(1, 3, 8, 1)
    traces = []
    for changes in ([], [RATE]):
        network = SpintronicNetwork(load_settings(recipe, changes).network, seed=[0])
        with open_device("imperfect-chip", network) as device:
            device.program(network.member_values())
            traces.append(device.run(inputs))
    assert torch.equal(*(one.filtered.values for one in traces))


def test_a_logger_changes_nothing_and_stops_nothing(foreign, recipe, tmp_path, on_path, caplog):
    (tmp_path / "more_loggers.py").write_text(
        "from typing import Literal\n"
        "from pydantic import Field\n"
        "from spinhw.training import LoggerSettings\n"
        "class Rude(LoggerSettings):\n"
        "    kind: Literal['rude'] = Field(description='Fails.')\n"
        "    def open(self, folder):\n"
        "        return self\n"
        "    def on(self, event):\n"
        "        event.clear()\n"
        "        raise KeyError('sorry')\n",
        encoding="utf-8",
    )
    install(tmp_path, "more", {"spinhw.loggers": {"rude": "more_loggers:Rude"}})
    on_path([str(tmp_path)])
    plain = load_settings(recipe, ["loggers=[]"])
    loud = load_settings(recipe, ["loggers=[{kind: rude}, {kind: notebook}]"])
    with caplog.at_level(logging.WARNING):
        train(plain, tmp_path / "plain")
        train(loud, tmp_path / "loud")
    assert [one.message for one in caplog.records if "rude" in one.message] == [
        "the logger 'rude' failed and is left out from here on: KeyError: 'sorry'"
    ]
    assert (tmp_path / "loud" / "notebook.txt").read_text(encoding="utf-8").startswith("epoch 1")
    one, other = weights(tmp_path / "plain"), weights(tmp_path / "loud")
    assert one and all(torch.equal(value, other[name]) for name, value in one.items())


def test_where_nothing_is_said_of_refits_a_foreign_rate_is_not_refitted(foreign, recipe, tmp_path):
    settings = load_settings(recipe, [RATE, "device={kind: simulated, id: mine}", "training.epochs=1"])
    assert (settings.training.gradient, settings.training.refit.when) == ("output", None)
    assert len(train(settings, tmp_path / "run").summary["accuracy_on_device"]["per_seed"]) == 2
    asked = load_settings(recipe, [RATE, "device={kind: simulated, id: mine}", "training.refit.when=online"])
    with pytest.raises(ConfigError, match=r"training.refit.when: .* cannot be refitted"):
        train(asked, tmp_path / "other")


def test_the_schema_knows_foreign_kinds(foreign):
    run = RunSettings.model_json_schema(by_alias=True)
    assert {"SlopeSettings", "TwinSettings", "QuadraticDampingSettings", "NotebookSettings", "DigitsSettings"} <= set(
        run["$defs"]
    )
    assert device_schema()["discriminator"]["mapping"]["twin"] == "#/$defs/TwinSettings"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("task.kind=slpoe", r"task.kind: this kind is not known; seen: slpoe; .*did you mean 'slope'"),
        ("device.kind=twins", r"device.kind: this kind is not known; seen: twins; .*did you mean 'twin'"),
        (
            "network.rate.kind=quadratic_dampin",
            r"network.rate.kind: this kind is not known; .*mean 'quadratic_damping'",
        ),
        ("network={kind: ctrnn, rate: {kind: quadratic_damping}, saturation: {kind: none}}", r"'ctrnn' .* no rate"),
        ("loggers=[{kind: notebok}]", r"loggers.*: this kind is not known; .*did you mean 'notebook'"),
        ("device.nois=1", r"device.nois: unknown key 'nois'; did you mean 'noise'"),
        ("device.noise=-1", r"device.noise: must be greater than or equal to 0"),
        ("loggers=[{kind: paper}]", r"logger 'paper' \(package foreign-lab\) .*next: pip install papertrail_of_nobody"),
        ("loggers=[{kind: os.system}]", r"this kind is not known; seen: os.system"),
    ],
)
def test_what_is_wrong_is_told_in_the_users_words(foreign, recipe, change, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_settings(recipe, [change])
    assert "\n" not in str(caught.value)


def test_a_kind_that_is_not_installed_is_told(recipe):
    with pytest.raises(ConfigError, match=r"twin.yaml: kind: .*seen: twin; .*install the package that adds it"):
        load_settings(recipe)


def test_a_class_of_another_sort_is_no_kind(tmp_path, on_path):
    install(tmp_path, "odd", {"spinhw.devices": {"odd": "builtins:dict"}})
    on_path([str(tmp_path)])
    (tmp_path / "odd.yaml").write_text("kind: odd\n", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"kind of device 'odd' \(package odd\) is none; seen: dict; allowed: .*Device"
    ):
        load_device(str(tmp_path / "odd.yaml"))


def test_a_foreign_device_keeps_the_contract(foreign, recipe, tmp_path, spinhw):
    profile, network = load_device(str(tmp_path / "twin.yaml")), NetworkSettings(layers=(3, 2))
    verdicts = check_device(lambda: open_device(profile, network, 1e-9))
    assert not [one for one in verdicts if not one.passed]
    with pytest.raises(ConfigError, match="twin: devices of kind twin are not a bank of oscillators"):
        open_bank(profile, network, 1e-9)
    assert budget(load_settings(recipe)).device == "twin-0 to twin-1"


def test_a_multiplexed_device_takes_a_foreign_bank_by_name(foreign, recipe, tmp_path):
    (tmp_path / "few.yaml").write_text("kind: multiplexed\nbank: twin.yaml\n", encoding="utf-8")
    settings = load_device(str(tmp_path / "few.yaml"))
    assert settings.bank.kind == "twin"
    assert json.loads(settings.model_dump_json(by_alias=True))["bank"]["noise"] == 0.01


def test_a_foreign_driver_is_found(foreign, tmp_path):
    assert "lab-source" in driver_names()
    limits = {"lowest": "0 mA", "highest": "8 mA", "compliance": "1 V", "ramp_step": "1 mA", "ramp_delay": "0 s"}
    one = {"driver": "lab-source", "role": "current-source", "address": "here", "channels": {"1": limits}}
    settings = build(StationSettings, {"kind": "bench", "instruments": {"a": one}}, "bench.yaml")
    with Station(settings, "bench.yaml", state_folder=tmp_path) as station:
        station["a"].set_output("1", True)
        assert station["a"].set_current("1", 0.004) == 0.004


def test_the_page_shows_the_package_as_it_is(foreign):
    files = {path.name: path.read_text(encoding="utf-8") for path in FOREIGN.rglob("*.*") if path.is_file()}
    shown = re.findall(r"```(?:python|toml)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
    assert {name for name, _ in shown} >= {
        "pyproject.toml",
        "slope_settings.py",
        "damping_settings.py",
        "damping.py",
        "notebook.py",
    }
    for name, code in shown:
        assert code.strip() in files[name], f"docs/extending.md shows another {name}"
