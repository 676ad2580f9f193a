"""A fault campaign: a thousand things go wrong, and no answer is wrong, no batch is lost, no output stays on unsaid."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from fakes.visa import BANK_TRUTH, CHIP_TRUTH, INTERVAL_S, NETWORK, bank_settings, by_hand_off, chip_settings, standing
from spinhw.device import Signal, open_bank, open_device
from spinhw.errors import DeviceError
from spinhw.instruments import StationSettings
from spinhw.network import SpintronicNetwork
from spinhw.streams import torch_stream
from spinhw.virtual import Bench
from spinhw.virtual.faults import KINDS, PHYSICAL, Faults, FaultSettings

# A thousand in all by --campaign, and of every kind so many at least.
FAULTS = {"device": (50, 250), "bank": (60, 750)}
OF_EACH = {"device": (1, 5), "bank": (1, 5)}
MOST_SESSIONS = 12  # By then a batch that was refused must have been played.
BATCHES_OF_A_SESSION = 20
# Played in turns, each with weights of its own: what an earlier batch left behind would be a wrong answer.
VARIANTS = 3
IMAGES = torch.rand(VARIANTS, 2, 4, 1, generator=torch_stream("campaign images")) * 4 - 2
DRIVES = torch.rand(VARIANTS, 2, 4, 2, generator=torch_stream("campaign drives")) * 8e8
NOISE = 0.04
# By message; a batch of the device takes more of them, and bringing a bench into a known state again some hundred: in a
# long campaign most of these attempts shall succeed. Digitizers alone have gaps, clip or stick, and few questions ask
# for an identity.
RATE = {"device": (0.0003, 0.0001), "bank": (0.0005, 0.00015)}
OFTEN = {"nan": 2.0, "clipped": 3.0, "stuck": 3.0, "identity": 60.0}
# No busy machine takes as long for a message.
DELAYS = {"slow_delay": "1 ms", "late_delay": "350 ms"}
TIMEOUT = {"timeout": "250 ms"}

Signals = tuple[Signal, ...]


def device_session(settings: StationSettings) -> Any:
    return open_device(settings, NETWORK, INTERVAL_S)


def device_batch(device: Any, variant: int) -> Signals:
    device.program(SpintronicNetwork(NETWORK, seed=variant).values())
    trace = device.run(IMAGES[variant])
    return trace.power, trace.outputs


def bank_session(settings: StationSettings) -> Any:
    return open_bank(settings, NETWORK, INTERVAL_S)


def bank_batch(bank: Any, variant: int) -> Signals:
    return (bank.play(DRIVES[variant]).power,)


@dataclass
class Campaign:
    """Batches numbered from 0, played in order whatever goes wrong.

    Args:
        bench: Where they are played.
        session: Opens a device or bank.
        batch: Plays one variant.
        outputs: Instruments with outputs.
        wanted: Answers without faults, by variant.
        faults: What goes wrong.
    """

    made: Bench
    bench: StationSettings
    session: Callable[[StationSettings], Any]
    batch: Callable[[Any, int], Signals]
    outputs: tuple[str, ...]
    wanted: list[Signals]
    faults: Faults
    played: int = 0  # Batches that gave the right answer; the next one has this number.
    noticed: int = 0  # Faults before the last of them began.
    refused: list[int] = field(default_factory=list)  # Numbers of those that stopped a session, in order.

    def run_session(self) -> None:
        """Play batches until one is refused; it is the first of the next session."""
        device = self.session(self.bench)
        try:
            with device:
                for _ in range(BATCHES_OF_A_SESSION):
                    self.play(device)
        except DeviceError as error:
            assert "next:" in str(error)
            self.refused.append(self.played)
        self.check_off(device)
        by_hand_off(self.made)

    def play(self, device: Any) -> None:
        """Play the next batch; it is right or raises."""
        before = len(self.faults.log)
        variant = self.played % VARIANTS
        signals = self.batch(device, variant)
        # A disturbance stays until the next acquisition, which may be this one: it shows, but in the flags. Those from
        # before the last batch that was played are over.
        disturbed = any(fault.kind in PHYSICAL for fault in self.faults.log[self.noticed :])
        for signal, reference in zip(signals, self.wanted[variant], strict=True):
            good = signal.good
            np.testing.assert_allclose(signal.values[good], reference.values[good], atol=NOISE)
            assert disturbed or bool(good.all()), "samples were thrown away that nothing had disturbed"
        self.played, self.noticed = self.played + 1, before

    def check_off(self, device: Any) -> None:
        """Compare what is on with what the session said."""
        on = {
            f"{name}.{channel}"
            for name in self.outputs
            for channel in (1, 2)
            if self.made.instruments[name].settings.get(("on", channel))
        }
        said = {one.replace("board.all", "board.1") for one in device.unconfirmed}
        assert on <= said, f"left on without a word: {on - said}"


@pytest.mark.timeout(1200)  # The campaign takes minutes; the rest is for loaded machines. What hangs ends here too.
@pytest.mark.parametrize(
    ("kind", "truth", "settings", "session", "batch", "outputs"),
    [
        ("device", CHIP_TRUTH, chip_settings, device_session, device_batch, ("awg", "smu", "board")),
        ("bank", BANK_TRUTH, bank_settings, bank_session, bank_batch, ("awg", "bias")),
    ],
)
def test_faults_cost_time_and_nothing_else(
    kind, truth, settings, session, batch, outputs, tmp_path, caplog, pytestconfig
):
    size = int(pytestconfig.getoption("campaign"))
    caplog.set_level(logging.CRITICAL)
    truth = truth | {"probes": [probe | {"noise": "0.3 mV"} for probe in truth["probes"]]}
    with standing(truth, "in process", tmp_path) as (made, addresses, backend):
        bench = settings(addresses, backend, **TIMEOUT)
        with session(bench) as device:
            wanted = [batch(device, variant) for variant in range(VARIANTS)]
        for first, second in combinations(wanted, 2):
            assert any(far_apart(*pair) for pair in zip(first, second, strict=True))
        rates = {one: RATE[kind][size] * OFTEN.get(one, 1.0) for one in KINDS}
        faults = Faults(FaultSettings(seed=1, **rates, **DELAYS))
        campaign = Campaign(made, bench, session, batch, outputs, wanted, faults)
        fail(made, faults)
        while len(faults.log) < FAULTS[kind][size]:
            campaign.run_session()
        fail(made, Faults(FaultSettings()))
        for panel in made.instruments.values():
            panel.take_disturbance(*PHYSICAL)  # Those that were still to come do not come.
        sessions, played = len(campaign.refused), campaign.played
        campaign.run_session()
    # Nothing is lost: what was refused was played next, right, and now that all is well every batch is.
    assert len(campaign.refused) == sessions
    assert campaign.played == played + BATCHES_OF_A_SESSION
    assert max(Counter(campaign.refused).values(), default=0) <= MOST_SESSIONS
    # Most faults are got over without giving up.
    assert sessions < len(faults.log) / 4
    counts = Counter(fault.kind for fault in faults.log)
    assert {one: counts[one] for one in KINDS if counts[one] < OF_EACH[kind][size]} == {}


def far_apart(first: Signal, second: Signal) -> bool:
    return float((first.values - second.values).abs().max()) > 3 * NOISE


def fail(made: Bench, faults: Faults) -> None:
    for port in made.ports.values():
        port.faults = faults
