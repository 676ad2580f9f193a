"""A fault campaign: a thousand things go wrong, and no answer is wrong, no batch is lost, no output stays on unsaid."""

import logging
import time

import numpy as np
import pytest
import torch

from fakes_visa import BANK_TRUTH, CHIP_TRUTH, INTERVAL_S, NETWORK, bank_settings, chip_settings, standing
from spinhw.device import Signal, open_bank, open_device
from spinhw.errors import DeviceError
from spinhw.network import SpintronicNetwork
from spinhw.streams import torch_stream
from spinhw.virtual.faults import KINDS, Faults, FaultSettings

# A thousand in all.
FAULTS = {"device": 250, "bank": 750}
LONGEST_S = 20.0  # No batch with all its repeats, no opening and no closing takes longer: it would hang.
IMAGES = torch.rand(2, 4, 1, generator=torch_stream("campaign images")) * 2 - 1
DRIVES = torch.rand(2, 4, 2, generator=torch_stream("campaign drives")) * 8e8
# A batch of the device takes more messages.
RATE = {"device": 0.0012, "bank": 0.0025}
RATES = dict.fromkeys(KINDS, 0.0) | {"slow_delay": "1 ms", "late_delay": "30 ms"}
TIMEOUT = {"timeout": "20 ms"}
NOISE = 0.04


def device_session(settings):
    return open_device(settings, NETWORK, INTERVAL_S)


def device_batch(device):
    device.program(SpintronicNetwork(NETWORK, seed=0).values())
    trace = device.run(IMAGES)
    return trace.power, trace.outputs


def bank_session(settings):
    return open_bank(settings, NETWORK, INTERVAL_S)


def bank_batch(bank):
    return (bank.play(DRIVES).power,)


@pytest.mark.timeout(400)  # Much of it on waits that a loaded machine draws out.
@pytest.mark.parametrize(
    ("kind", "truth", "settings", "session", "batch", "outputs"),
    [
        ("device", CHIP_TRUTH, chip_settings, device_session, device_batch, ("awg", "smu", "board")),
        ("bank", BANK_TRUTH, bank_settings, bank_session, bank_batch, ("awg", "bias")),
    ],
)
def test_faults_cost_time_and_nothing_else(kind, truth, settings, session, batch, outputs, tmp_path, caplog):
    caplog.set_level(logging.CRITICAL)
    truth = truth | {"probes": [probe | {"noise": "0.3 mV"} for probe in truth["probes"]]}
    with standing(truth, "in process", tmp_path) as (made, addresses, backend):
        bench = settings(addresses, backend, **TIMEOUT)
        with session(bench) as device:
            wanted = batch(device)
        faults = Faults(FaultSettings(seed=1, **RATES | dict.fromkeys(KINDS, RATE[kind])))
        for port in made.ports.values():
            port._faults = faults
        finished, stopped = 0, 0
        while len(faults.log) < FAULTS[kind]:
            done, gave_up = one_session(session, bench, batch, wanted, outputs, made)
            finished, stopped = finished + done, stopped + gave_up
    assert finished > stopped
    assert {fault.kind for fault in faults.log} == set(KINDS)


def one_session(session, bench, batch, wanted, outputs, made):
    """Play batches until one gives up; what gave up is played again by the next session."""
    finished, started = 0, time.monotonic()
    device = session(bench)
    try:
        with device:
            for _ in range(20):
                started = time.monotonic()
                right(batch(device), wanted)
                finished += 1
                assert time.monotonic() - started < LONGEST_S
    except DeviceError as error:
        assert "next:" in str(error)
        gave_up = 1
    else:
        gave_up = 0
    assert time.monotonic() - started < LONGEST_S
    on = {f"{name}.{channel}" for name in outputs for channel in (1, 2) if is_on(made, name, channel)}
    said = {one.replace("board.all", "board.1") for one in device.unconfirmed}
    assert on <= said, f"left on without a word: {on - said}"
    return finished, gave_up


def is_on(made, name, channel):
    return bool(made.instruments[name]._values.get(("on", channel)))


def right(signals: tuple[Signal, ...], wanted: tuple[Signal, ...]) -> None:
    for signal, reference in zip(signals, wanted, strict=True):
        good = signal.good
        np.testing.assert_allclose(signal.values[good], reference.values[good], atol=NOISE)
