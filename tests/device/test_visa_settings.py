"""Bad benches are one line that names the file and the key or the instrument, before anything is connected."""

import json

import pytest

from fakes.visa import (
    BANK_INSTRUMENTS,
    BANK_WIRING,
    CHIP_INSTRUMENTS,
    CHIP_TRUTH,
    CHIP_WIRING,
    INTERVAL_S,
    NETWORK,
    bench_file,
    standing,
)
from spinhw.config import build
from spinhw.device import load_device, open_bank, open_device
from spinhw.device.rehearsal import rehearse_device
from spinhw.errors import ConfigError, DeviceError
from spinhw.instruments import StationSettings

ADDRESSES = {name: f"TCPIP0::{name}::5025::SOCKET" for name in CHIP_INSTRUMENTS}

BIAS = {"bias": "GPIB0::9::INSTR"}


@pytest.fixture
def loaded(tmp_path):
    """Write a bench file, with something changed, and load it as a device."""

    def load(change=lambda data: None, addresses=ADDRESSES, backend="chip@spinhw"):
        data = json.loads(json.dumps(bench_file(CHIP_INSTRUMENTS, CHIP_WIRING, addresses, backend)))
        change(data)
        path = tmp_path / "mine.yaml"
        path.write_text(json.dumps(data), encoding="utf-8")
        return load_device(str(path))

    return load


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["instruments"]["awg"].update(driver="keysight-3360"), r"mine\.yaml: instruments\.awg\.driver"),
        (lambda d: d["instruments"]["awg"].update(role="wave-source"), r"mine\.yaml: instruments\.awg\.role"),
        (lambda d: d["wiring"].update(outputs=["tek.1", "tek.1"]), r"outputs\[0\] and outputs\[1\] are on one channel"),
        (lambda d: d["wiring"].update(gate="awg.1"), r"wiring: inputs\[0\] and gate are on one output .*seen: awg\.1"),
        (lambda d: d["wiring"].update(inputs=["awg.2", "awg.2"]), r"inputs\[0\] and inputs\[1\] are on one output"),
        (lambda d: d["instruments"]["awg"]["channels"].update({"1": {}}), r"awg\.channels\.1\.lowest.*missing"),
        (lambda d: d["wiring"].update(gate_open="2 V"), r"wiring\.gate_open: this is beyond the limits of awg\.2"),
        (lambda d: d["wiring"].update(gate="awg.3"), r"wiring\.gate: 'awg' has no channel '3'"),
    ],
)
def test_bad_benches_are_refused_when_they_are_loaded(loaded, change, message):
    with pytest.raises(ConfigError, match=message):
        loaded(change)


@pytest.mark.parametrize(
    ("filtered", "message"),
    [
        ({2: "scope.1"}, r"filtered names oscillator 2; there are 0 to 1"),
        ({1: "scope.2"}, r"powers\[1\] and filtered\[1\] are on one channel without a switch"),
        ({1: "scope.3"}, r"wiring\.filtered\[1\]: 'scope' has no channel '3'"),
    ],
)
def test_wrong_inputs_behind_a_high_pass_are_refused(filtered, message):
    data = bench_file(BANK_INSTRUMENTS, BANK_WIRING | {"filtered": filtered}, ADDRESSES | BIAS, "@py")
    with pytest.raises(ConfigError, match=message):
        build(StationSettings, data, "mine.yaml")


def test_broken_template_names_its_profile(loaded, tmp_path):
    from spinhw.config import shipped

    text = (shipped("devices") / "instruments" / "keysight-33600.yaml").read_text(encoding="utf-8")
    (tmp_path / "own.yaml").write_text(text.replace("{value:.12g}", "{valu:.12g}"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"own\.yaml: commands\.rate\.send: broken template"):
        loaded(lambda data: data["instruments"]["awg"].update(driver="own.yaml"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["wiring"]["timing"].update(source_rate="1.5 GHz"), r"timing\.source_rate: inputs do not fall"),
        (lambda d: d["wiring"]["timing"].update(source_rate="2 GHz"), r"timing\.source_rate: awg cannot do this"),
        (lambda d: d["wiring"]["timing"].update(digitizer_rate="0.5 GHz"), r"timing\.digitizer_rate: inputs would be"),
        (
            lambda d: d["wiring"]["timing"].update(digitizer_rate="100 GHz"),
            r"timing\.digitizer_rate: scope: sample rate",
        ),
        (
            lambda d: d["wiring"].update(neurons=["scope.1"]),
            r"wiring\.neurons: the network has more neurons",
        ),
    ],
)
def test_what_the_bench_cannot_do_is_refused_at_opening(loaded, change, message):
    with pytest.raises(ConfigError, match=message):
        open_device(loaded(change), NETWORK, INTERVAL_S)


def test_networks_that_no_bench_runs_are_refused(loaded):
    with pytest.raises(ConfigError, match="initial_state half"):
        open_device(loaded(), NETWORK.model_copy(update={"initial_state": "half"}), INTERVAL_S)
    with pytest.raises(ConfigError, match=r"wiring\.kind: a bank needs oscillators"):
        open_bank(loaded(), NETWORK, INTERVAL_S)
    bank = build(StationSettings, bench_file(BANK_INSTRUMENTS, BANK_WIRING, ADDRESSES | BIAS, "@py"), "bank.yaml")
    with pytest.raises(ConfigError, match=r"wiring\.kind: .*seen: oscillators; .*multiplexed"):
        open_device(bank, NETWORK, INTERVAL_S)
    with pytest.raises(ConfigError, match=r"wiring\.drives: .*seen: 3 asked for; allowed: 2"):
        open_bank(bank, NETWORK, INTERVAL_S, oscillators=3)
    with pytest.raises(ConfigError, match="a bench is one chip"):
        open_device(loaded(), NETWORK, INTERVAL_S, members=2)


def test_silent_addresses_and_other_models_are_named(loaded, tmp_path):
    with standing(CHIP_TRUTH, "in process", tmp_path) as (_, addresses, backend):
        silent = loaded(addresses=addresses | {"awg": "TCPIP0::nowhere::5025::SOCKET"}, backend=backend)
        with pytest.raises(DeviceError, match="awg: the instrument cannot be reached"):
            open_device(silent, NETWORK, INTERVAL_S).open()
        swapped = loaded(addresses=addresses | {"scope": addresses["tek"], "tek": addresses["scope"]}, backend=backend)
        with pytest.raises(DeviceError, match="another instrument answers than configured"):
            open_device(swapped, NETWORK, INTERVAL_S).open()


def test_a_rehearsal_sends_everything_to_nobody(loaded, caplog):
    said = rehearse_device(loaded(backend="@py"), NETWORK, INTERVAL_S)
    assert not caplog.records  # Nothing is wired: bad samples are no news.
    assert "awg > *TRG;:SYST:ERR?" in said
    off = [line for line in said if line.startswith(("smu > :OUTPut 0", "awg > :OUTPut1 0", "board > :OUTPut 0"))]
    assert len(off) >= 3 and "getclose" in said[-1]  # Crosspoints come last, behind all sources.
    assert any(line.startswith("board > :SYNapse:DATA 0,#") for line in said)
