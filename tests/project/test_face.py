"""What `import spinhw` offers: light, complete, and one meaning for each name."""

import subprocess
import sys
from pathlib import Path

import pytest

import spinhw
from spinhw import NetworkSettings, SpintronicNetwork, open_bank, open_device
from spinhw.config import recipe_names
from spinhw.device import load_device
from spinhw.errors import ConfigError
from spinhw.training import load_settings

FACE = {
    "HardwareInLoop",
    "NetworkSettings",
    "SpintronicNetwork",
    "Task",
    "Trace",
    "calibrate",
    "evaluate",
    "open_bank",
    "open_device",
    "open_run",
    "propose",
    "resume",
    "train",
}
HEAVY = ("torch", "numba", "scipy", "numpy", "matplotlib", "pyvisa", "pint", "pydantic", "xarray")


def fresh(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    return done.stdout.strip()


def test_the_face_is_the_daily_work_and_every_name_is_there():
    assert set(dir(spinhw)) == set(spinhw.__all__) == FACE
    assert all(callable(getattr(spinhw, name)) for name in FACE)


def test_importing_spinhw_imports_nothing_heavy():
    assert fresh(f"import sys, spinhw; dir(spinhw); print([one for one in {HEAVY} if one in sys.modules])") == "[]"


def test_settings_need_no_torch():
    code = "import sys; from spinhw import NetworkSettings; NetworkSettings.of('digits'); print('torch' in sys.modules)"
    assert fresh(code) == "False"


def test_a_room_is_a_module_whoever_imports_it_first():
    code = "import spinhw, spinhw.rollout, spinhw.training; spinhw.train; print(type(spinhw.rollout).__name__)"
    assert fresh(code) == "module"


def test_the_types_of_the_face_are_shipped():
    folder = Path(spinhw.__file__).parent
    assert (folder / "py.typed").is_file() and (folder / "__init__.pyi").is_file()


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="open_devise"):
        _ = spinhw.open_devise


@pytest.mark.parametrize("name", ["digits", "examples/digits.yaml", Path("digits.yaml")])
def test_the_network_of_a_recipe_is_had_by_its_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert NetworkSettings.of(name) == load_settings("digits").network
    assert NetworkSettings.of(name).readout_samples == 8


def test_a_recipe_is_found_although_a_folder_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert NetworkSettings.of("digits").readout_samples == 8
    (tmp_path / "digits.yaml").write_text("network: {gain: 0.7}\n", encoding="utf-8")
    assert NetworkSettings.of("digits.yaml").gain == 0.7


def test_what_is_wrong_with_a_recipe_is_said_with_file_and_key(tmp_path):
    with pytest.raises(ConfigError, match="there is no such file") as caught:
        NetworkSettings.of("digit")
    assert all(name in str(caught.value) for name in recipe_names())
    path = tmp_path / "mine.yaml"
    path.write_text("network: {gian: 0.7}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine.yaml: network: unknown key 'gian'; did you mean 'gain'"):
        NetworkSettings.of(path)


SMALL = NetworkSettings(layers=(3, 2), outputs=2)


@pytest.mark.parametrize("profile", ["imperfect-chip", load_device("imperfect-chip"), "file"])
def test_a_device_is_opened_by_name_file_or_profile(profile, tmp_path):
    if profile == "file":
        profile = tmp_path / "mine.yaml"
        profile.write_text(load_device("imperfect-chip").to_yaml(), encoding="utf-8")
    about = open_device(profile, SMALL).describe()
    assert about.device_ids == (f"{load_device('imperfect-chip').id}-0",)
    assert about.sample_interval_s == 1e-9
    assert open_bank(profile, SMALL, oscillators=4).describe().neurons == 4


def test_a_network_says_how_its_device_samples_and_how_many_chips_it_takes():
    steps = load_settings("digits", ["task.sample_interval=2 ns"]).steps
    one, three = (SpintronicNetwork(SMALL, steps, seed) for seed in (4, [4, 5, 6]))
    assert open_device("ideal", one).describe().sample_interval_s == 2e-9
    assert open_device("ideal", one, 3e-9).describe().sample_interval_s == 3e-9
    assert open_device("ideal", three).describe().members == 3
    assert open_device("ideal", three, members=[5]).describe().device_ids == ("ideal-5",)
    assert open_bank("ideal", three).describe().members == 3


def test_an_unknown_device_is_named():
    with pytest.raises(ConfigError, match="device profile 'imperfect' was not found; allowed: .*imperfect-chip"):
        open_device("imperfect", SMALL)
