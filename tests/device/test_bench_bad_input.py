"""What is wrong with a bench is one line with four parts that names the file and the key, or the instrument."""

import json
import re

import pytest
import torch

from fakes.visa import (
    CHIP_INSTRUMENTS,
    CHIP_TRUTH,
    CHIP_WIRING,
    INTERVAL_S,
    NETWORK,
    bench_file,
    chip_settings,
    said_since,
    standing,
)
from spinhw.config import shipped
from spinhw.device import open_device
from spinhw.errors import LimitError
from spinhw.network import SpintronicNetwork

ADDRESSES = {name: f"TCPIP0::{name}::5025::SOCKET" for name in CHIP_INSTRUMENTS}
FOUR_PARTS = re.compile(r"[^;\n]+; seen: [^\n]+; allowed: [^\n]+; next: [^\n]+\.\n")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Locks and what was left on are kept in the user's home."""
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)


@pytest.fixture
def mine(tmp_path):
    """Write a bench file with something changed, and a profile with a broken template beside it."""
    good = (shipped("devices") / "instruments" / "keysight-33600.yaml").read_text(encoding="utf-8")
    (tmp_path / "own.yaml").write_text(good.replace("{value:.12g}", "{valu:.12g}"), encoding="utf-8")

    def write(change=lambda data: None, addresses=ADDRESSES, backend="chip@spinhw"):
        data = json.loads(json.dumps(bench_file(CHIP_INSTRUMENTS, CHIP_WIRING, addresses, backend)))
        change(data)
        path = tmp_path / "mine.yaml"
        path.write_text(json.dumps(data), encoding="utf-8")
        return path

    return write


def awg(**keys):
    return lambda data: data["instruments"]["awg"].update(keys)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (awg(driver="keysight-3360"), r"mine\.yaml: instruments\.awg\.driver: .*seen: keysight-3360;.*keysight-33600"),
        (awg(role="wave-source"), r"mine\.yaml: instruments\.awg\.role: .*seen: wave-source;.*waveform-source"),
        (lambda d: d["wiring"].update(outputs=["tek.1", "tek.1"]), r"mine\.yaml: wiring.*outputs\[0\].*outputs\[1\]"),
        (lambda d: d["instruments"]["awg"].pop("channels"), r"mine\.yaml: instruments\.awg\.channels: .*missing"),
        (lambda d: d["instruments"]["awg"]["channels"]["1"].pop("highest"), r"mine\.yaml: .*awg\.channels\.1\.highest"),
        (awg(driver="own.yaml"), r"own\.yaml: commands\.rate\.send: broken template .*seen: :SOURce"),
    ],
    ids=["driver", "role", "two on one channel", "no channels", "no limit", "template"],
)
def test_a_bad_file_is_one_line_that_names_file_and_key(spinhw, mine, change, named):
    for command in (["check"], ["train", "examples/digits.yaml"], ["off"]):
        refused = spinhw(*command, "--device", mine(change))
        assert refused.code == 2
        assert FOUR_PARTS.fullmatch(refused.err), refused.err
        assert re.search(named, refused.err), refused.err


def test_an_address_that_does_not_answer_is_one_line_that_names_the_instrument(spinhw, mine, tmp_path):
    with standing(CHIP_TRUTH, "in process", tmp_path) as (made, addresses, backend):
        file = mine(addresses=addresses | {"scope": "TCPIP0::nowhere::5025::SOCKET"}, backend=backend)
        checked = spinhw("check", "--device", file)
        with pytest.raises(Exception, match="scope: the instrument cannot be reached") as error:
            open_device(chip_settings(addresses | {"scope": "GPIB0::1::INSTR"}, backend), NETWORK, INTERVAL_S).open()
    assert checked.code == error.value.exit_code == 3
    assert re.search(r"scope .*cannot be reached.*FAILED", checked.out)
    assert FOUR_PARTS.fullmatch(checked.err), checked.err
    assert "seen: scope: the instrument cannot be reached" in checked.err
    assert FOUR_PARTS.fullmatch(f"{error.value}\n"), error.value


def test_another_model_than_configured_is_one_line_that_names_both(spinhw, mine, tmp_path):
    with standing(CHIP_TRUTH, "in process", tmp_path) as (made, addresses, backend):
        swapped = addresses | {"scope": addresses["tek"], "tek": addresses["scope"]}
        checked = spinhw("check", "--device", mine(addresses=swapped, backend=backend))
        with pytest.raises(Exception, match="another instrument answers than configured") as error:
            open_device(chip_settings(swapped, backend), NETWORK, INTERVAL_S).open()
        assert not any(made.instruments[name].get("on") for name in ("awg", "smu", "board"))
    assert checked.code == error.value.exit_code == 3
    assert "seen: scope: another instrument answers than configured" in checked.err and FOUR_PARTS.fullmatch(
        checked.err
    ), checked.err
    assert FOUR_PARTS.fullmatch(f"{error.value}\n"), error.value
    assert re.search(r"scope: .*seen: TEKTRONIX,MSO.*allowed: .*TECHNOLOGIES", str(error.value))


def test_a_drive_beyond_its_limit_is_refused_before_anything_is_sent(tmp_path):
    with (
        standing(CHIP_TRUTH, "in process", tmp_path) as (_, addresses, backend),
        open_device(chip_settings(addresses, backend), NETWORK, INTERVAL_S) as device,
    ):
        device.program(SpintronicNetwork(NETWORK, seed=0).values())
        before = device.station.traffic.recent()[-1]
        with pytest.raises(LimitError, match=r"input channel 0.*0\.55 V.*-0\.45 to 0\.45 V") as error:
            device.run(torch.full((1, 4, 1), 11.0))
        assert said_since(device.station.traffic, before) == []
    assert error.value.exit_code == 3
    assert FOUR_PARTS.fullmatch(f"{error.value}\n"), error.value


def test_a_network_beyond_the_limits_of_a_bench_is_refused_before_it_is_trained(spinhw, mine, tmp_path):
    refused = spinhw(
        "train", "examples/digits.yaml", "--set", "network.weight_limit=9", "--device", "bench-virtual",
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert refused.code == 2
    assert re.search(r"network\.weight_limit: .*bench-virtual.*4\.5 V.*-2 to 2 V", refused.err), refused.err
    assert FOUR_PARTS.fullmatch(refused.err), refused.err
    assert not (tmp_path / "run").exists()
