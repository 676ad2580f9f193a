"""What a device measured is kept whole or not at all, and is given again to the bit."""

import json
from dataclasses import replace

import h5py
import pytest
import torch
import xarray

from fakes.device import FakeDevice, inputs, parameters
from spinhw import NetworkSettings, SpintronicNetwork
from spinhw.config import build
from spinhw.device import ObservationPlan, Recorder, Recording, SimulatedSettings, load_device, open_bank, open_device
from spinhw.device.batch_file import read_batch
from spinhw.device.contract import check_device
from spinhw.device.network_promises import probe_inputs, probe_parameters
from spinhw.device.recorded_settings import RecordedSettings
from spinhw.errors import ConfigError, DeviceError

NETWORK = NetworkSettings(layers=(4, 3), outputs=2, readout_samples=2)
INTERVAL_S = 1e-9
NOISE = {"power_readout": {"noise": 0.02}, "output_readout": {"noise": 0.02, "adc": {"lowest": -0.02, "highest": 0.02}}}


def profile(channels=None, **chip) -> SimulatedSettings:
    data = {"kind": "simulated", "channels": channels, "chip": NOISE | {"thermal_power": 1e-3} | chip}
    return build(SimulatedSettings, data, "device.yaml")


def values(members=None, seed=0):
    seeds = seed if members is None else list(range(members))
    return SpintronicNetwork(NETWORK, seed=seeds).values()


def images(*axes, seed=0):
    return torch.rand(*axes, 6, 8, 1, generator=torch.Generator().manual_seed(seed)) * 3 - 1


def play(device, members, turns=2):
    """Play batches of several kinds."""
    axes, found = () if members is None else (members,), []
    for turn in range(turns):
        device.program(values(members, seed=turn))
        found.append(device.run(images(*axes, seed=turn), ObservationPlan.nothing()))
        found.append(device.run(images(*axes, seed=turn), ObservationPlan(((6, 1),)), averages=3))
        found.append(device.run(images(*axes, seed=turn)))
    return found


def record(folder, settings, members=None, observes_all=False, work=play):
    with open_device(settings, NETWORK, INTERVAL_S, members or 1) as device:
        device.record_with(Recorder(folder, observes_all))
        return work(device, members)


def replaying(folder, members=None, network=NETWORK, interval_s=INTERVAL_S):
    return open_device(load_device(str(folder / "device.yaml")), network, interval_s, members or 1)


def bits(tensor):
    return tensor.numpy().tobytes()


def assert_same(one, other):
    assert one.signals().keys() == other.signals().keys()
    for name, signal in one.signals().items():
        again = other.signals()[name]
        assert bits(signal.values) == bits(again.values)
        assert bits(signal.quality) == bits(again.quality)
        assert bits(signal.time_s) == bits(again.time_s)
        assert signal.noise == again.noise
    assert {name: bits(value) for name, value in one.applied.items()} == {
        name: bits(value) for name, value in other.applied.items()
    }
    assert (one.shots, one.averages, one.device_ids, one.seed) == (
        other.shots,
        other.averages,
        other.device_ids,
        other.seed,
    )


@pytest.mark.parametrize("members", [None, 2])
@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("observes_all", [False, True])
def test_a_recording_gives_the_same_bits_again(tmp_path, members, channels, observes_all):
    measured = record(tmp_path, profile(channels), members, observes_all)
    with replaying(tmp_path, members) as device:
        again = play(device, members)
    for one, other in zip(measured, again, strict=True):
        assert_same(one, other)


def test_a_recording_of_all_neurons_observes_those_that_were_not_asked_for(tmp_path):
    only_outputs, some, _ = record(tmp_path, profile(channels=3), observes_all=True)[:3]
    assert bool(only_outputs.power.good.all()) and bool(some.power.good.all())
    assert only_outputs.shots == (0, 3)  # seven neurons over three channels
    assert read_batch(tmp_path / "000001.nc").plan.repeats[0][:2] == (6, 1)


def test_what_is_recorded_is_what_was_played(tmp_path):
    trace = record(tmp_path, profile(channels=3))[2]
    batch = read_batch(tmp_path / "000002.nc")
    assert bits(batch.inputs) == bits(images(seed=0))
    assert {name: bits(value[0]) for name, value in batch.requested.items()} == {
        name: bits(value.detach()) for name, value in values().items() if name != "b_out"
    }
    assert (batch.trace.started_unix_s, batch.trace.duration_s) == (trace.started_unix_s, trace.duration_s)
    assert batch.device.device_ids == ("chip-0",)
    assert batch.plan == ObservationPlan.split(7, 3)


def test_any_program_that_reads_netcdf_can_read_it(tmp_path):
    trace = record(tmp_path, profile())[2]
    with xarray.open_dataset(tmp_path / "000002.nc", engine="h5netcdf") as data:
        assert data["power"].dims == ("member", "batch", "power_time", "neuron")
        assert data["outputs"].dims == ("member", "batch", "outputs_time", "output")
        assert data["power"].attrs == {"units": "1", "noise": trace.power.noise}
        torch.testing.assert_close(torch.from_numpy(data["power"].values[0]), trace.power.values, rtol=0, atol=0)
        assert data.attrs["shots"].tolist() == list(trace.shots)


def test_faults_energy_and_settings_are_recorded(tmp_path, mocker):
    with FakeDevice(faults=["run", "run"]) as device:
        mocker.patch.object(device, "snapshot", return_value={"awg": {"rate_hz": 1e9}})
        device.record_with(Recorder(tmp_path))
        device.program(parameters())
        device.run(inputs())
    batch = read_batch(tmp_path / "000000.nc")
    assert batch.trace.repeats_after_faults == 2
    assert batch.settings == {"awg": {"rate_hz": 1e9}}
    assert batch.trace.energy_j is None
    assert len(list(tmp_path.glob("*.nc"))) == 1  # The batch that was good, once.


def test_a_batch_that_cannot_be_kept_leaves_the_device_safe(tmp_path):
    (tmp_path / "recording").write_text("a file where the folder should be")
    device = FakeDevice()
    with pytest.raises(ConfigError, match="recording: this could not be written"), device:
        device.record_with(Recorder(tmp_path / "recording"))
        device.program(parameters())
        device.run(inputs())
    assert device.log[-2:] == ["make_safe", "close"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": images(seed=0) + 1e-6}, r"batch 0 .*inputs: differences up to"),
        ({"values": {name: value * 1.5 for name, value in values().items()}}, r"batch 0 .*w_ext.0: differences up to"),
        ({"plan": ObservationPlan(((0,),))}, r"neurons \[\(0,\)\] are observed, not \[\(\)\]"),
        ({"averages": 2}, "averages are 2, not 1"),
        ({"inputs": images(seed=0)[:3]}, r"inputs has shape \(1, 3, 8, 1\), not \(1, 6, 8, 1\)"),
    ],
)
def test_anything_else_than_was_recorded_is_refused(tmp_path, change, message):
    asked = {"inputs": images(seed=0), "values": values(), "plan": ObservationPlan.nothing(), "averages": 1} | change

    def ask(device):
        device.program(asked["values"])
        device.run(asked["inputs"], asked["plan"], asked["averages"])

    record(tmp_path, profile(), work=lambda device, members: play(device, members, turns=1)[:1])
    with replaying(tmp_path) as device, pytest.raises(ConfigError, match=message) as error:
        ask(device)
    assert len(str(error.value).splitlines()) == 1
    assert "gave up" not in str(error.value)  # It is no fault of a device: nothing is tried again.


def test_a_recording_is_followed_in_its_order(tmp_path):
    record(tmp_path, profile())
    with replaying(tmp_path) as device:
        device.program(values())
        device.run(images(seed=0), ObservationPlan.nothing())
        with pytest.raises(ConfigError, match="batch 1 was recorded with something else.*averages are 1, not 3"):
            device.run(images(seed=0), ObservationPlan.nothing())
    with replaying(tmp_path) as device:
        device.program(values(seed=1))  # The first batch is looked for.
        device.run(images(seed=1))
        with pytest.raises(ConfigError, match="the recording ends here.*6 batches"):
            device.run(images(seed=1))


def test_a_replay_goes_on_from_its_state(tmp_path):
    measured = record(tmp_path, profile())
    with replaying(tmp_path) as device:
        device.program(values())
        device.run(images(seed=0), ObservationPlan.nothing())
        state = device.state()
    with replaying(tmp_path) as device:
        device.restore(state)
        device.program(values())
        assert_same(measured[1], device.run(images(seed=0), ObservationPlan(((6, 1),)), averages=3))


def test_a_recording_goes_on_where_the_state_says(tmp_path):
    settings = profile()
    with open_device(settings, NETWORK, INTERVAL_S) as device:
        device.record_with(Recorder(tmp_path))
        play(device, None, turns=1)
        state = device.state()
        lost = device.run(images(seed=5))  # Measured, but the process is killed before the next checkpoint.
    assert state["recorded"] == 3
    (tmp_path / ".000004.nc.17.tmp").write_bytes(b"half")  # What a crash may leave.
    with open_device(settings, NETWORK, INTERVAL_S) as device:
        device.record_with(Recorder(tmp_path))
        device.restore(state)
        device.program(values())
        again = device.run(images(seed=7))
    assert device.state()["recorded"] == 4
    assert bits(read_batch(tmp_path / "000003.nc").trace.outputs.values[0]) == bits(again.outputs.values)
    [aside] = (tmp_path / "set-aside").iterdir()
    assert bits(read_batch(aside).trace.outputs.values[0]) == bits(lost.outputs.values)
    assert again.shots == lost.shots  # The chip went back too.


def test_a_recorder_without_a_state_begins_anew_and_deletes_nothing(tmp_path):
    for _ in range(3):
        record(tmp_path, profile(), work=lambda device, members: play(device, members, turns=1))
    assert Recording(tmp_path).count == 3
    assert len(list((tmp_path / "set-aside").iterdir())) == 6


def test_missing_and_damaged_batches_are_named(tmp_path):
    record(tmp_path, profile())
    whole = (tmp_path / "000001.nc").read_bytes()
    for broken in (whole[:3000], b"", whole[:-2000] + bytes(2000)):
        (tmp_path / "000001.nc").write_bytes(broken)
        with pytest.raises(ConfigError, match="000001.nc: this is no batch of a recording, or it is damaged"):
            read_batch(tmp_path / "000001.nc")
    (tmp_path / "000001.nc").unlink()
    with pytest.raises(ConfigError, match="batch 1 of the recording is missing"):
        replaying(tmp_path)
    with pytest.raises(ConfigError, match="batch 1 of the recording is missing"):
        Recorder(tmp_path).rewind(2)
    with pytest.raises(ConfigError, match="batches of the recording are missing; seen: 0 batches; allowed: 2"):
        Recorder(tmp_path / "other").rewind(2)


def test_every_flipped_byte_of_the_numbers_is_noticed(tmp_path):
    record(tmp_path, profile(), work=lambda device, members: play(device, members, turns=1))
    path = tmp_path / "000002.nc"
    whole, batch = path.read_bytes(), read_batch(path)
    place = whole.find(batch.trace.outputs.values.numpy().tobytes())  # Small enough to stand there uncompressed.
    assert place > 0
    for offset in (0, 7):
        path.write_bytes(whole[: place + offset] + bytes([whole[place + offset] ^ 1]) + whole[place + offset + 1 :])
        with pytest.raises(ConfigError, match="contents that do not match their checksum"):
            read_batch(path)


def test_what_a_recording_is_not_is_said(tmp_path):
    record(tmp_path, profile())
    with pytest.raises(ConfigError, match="there is no recording here; seen: no such folder"):
        open_device(RecordedSettings(kind="recorded", folder=str(tmp_path / "none")), NETWORK, INTERVAL_S)
    other = NETWORK.model_copy(update={"layers": (5, 3)})
    with pytest.raises(ConfigError, match="another network: the shapes of the parameters"):
        replaying(tmp_path, network=other)
    with pytest.raises(ConfigError, match="another network: the sample interval.*seen: 2e-09; allowed: 1e-09"):
        replaying(tmp_path, interval_s=2e-9)
    with pytest.raises(ConfigError, match="no batch of member 0, 1; allowed: chip-0"):
        replaying(tmp_path, members=2)
    with pytest.raises(ConfigError, match="cannot be opened as a bank of oscillators"):
        open_bank(load_device(str(tmp_path / "device.yaml")), NETWORK, INTERVAL_S)


def test_the_run_folder_will_do_for_its_recording(tmp_path):
    measured = record(tmp_path / "recording", profile())
    with open_device(RecordedSettings(kind="recorded", folder=str(tmp_path)), NETWORK, INTERVAL_S) as device:
        assert_same(measured[0], play(device, None)[0])


def test_each_chip_has_its_own_place_in_a_recording(tmp_path):
    """Seeds that ran one after another, each on a chip of its own, may be asked for in any order."""
    recorder, measured = Recorder(tmp_path), {}
    for member in (3, 13):
        with open_device(profile(), NETWORK, INTERVAL_S, members=[member]) as device:
            device.record_with(recorder)
            measured[member] = play(device, None)
    for member in (13, 3):
        with open_device(load_device(str(tmp_path / "device.yaml")), NETWORK, INTERVAL_S, [member]) as device:
            for one, other in zip(measured[member], play(device, None), strict=True):
                assert_same(one, other)


def test_a_recording_keeps_the_contract_that_it_was_made_under(tmp_path):
    """Each promise is kept on the chip while it is recorded, and once more on what was recorded then."""
    folders = iter(range(100))

    def chip():
        device = open_device(profile(channels=3), NETWORK, INTERVAL_S)
        device.record_with(Recorder(tmp_path / str(next(folders))))
        return device

    live = check_device(chip)
    for number in range(len(live)):
        if not (tmp_path / str(number)).exists():  # A promise that takes no shots: there must be something to replay.
            with open_device(profile(channels=3), NETWORK, INTERVAL_S) as device:
                device.record_with(Recorder(tmp_path / str(number)))
                about = device.describe()
                device.program(probe_parameters(about))
                device.run(probe_inputs(about))
    folders = iter(range(100))
    verdicts = check_device(lambda: replaying(tmp_path / str(next(folders))))
    assert [f"{one.name}: {one.detail}" for one in verdicts if not one.passed] == []
    assert [one.name for one in verdicts] == [one.name for one in live if one.passed]


def test_a_recording_from_before_parameters_had_kinds_is_read(tmp_path):
    measured = record(tmp_path, profile())
    now = read_batch(tmp_path / "000000.nc").device
    for path in tmp_path.glob("*.nc"):
        with h5py.File(path, "r+") as file:
            about = json.loads(file.attrs["device"])
            about["parameter_shapes"] = {name: one["shape"] for name, one in about.pop("parameters").items()}
            file.attrs["device"] = json.dumps(about)
            del file.attrs["attributes_sha256"]
    assert read_batch(tmp_path / "000000.nc").device == now
    assert now.kinds["w_int.0"] == "weight" and now.kinds["bias.1"] == "bias"
    with replaying(tmp_path) as device:
        for one, other in zip(measured, play(device, None), strict=True):
            assert_same(one, other)


def test_a_replay_has_no_other_devices_powers(tmp_path):
    record(tmp_path, profile())
    about = replaying(tmp_path).describe()
    was = open_device(profile(), NETWORK, INTERVAL_S).describe()
    assert about.capabilities == {"replay"}
    assert replace(about, capabilities=was.capabilities, limits=was.limits, kind=was.kind) == was


def test_a_device_that_fails_records_nothing(tmp_path):
    with FakeDevice() as device:
        device.record_with(Recorder(tmp_path))
        device.program(parameters())
        device.failing = ["run"] * 4
        with pytest.raises(DeviceError):
            device.run(inputs())
    assert list(tmp_path.glob("*.nc")) == []
