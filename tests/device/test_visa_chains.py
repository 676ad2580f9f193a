"""The chains of a chip measured one by one over VISA: what the network feels is read, calibrated, and all is off."""

import pytest
import torch

from fakes.chains import NETWORK, chain_bench, meters, network, profile, scores, truth
from spinhw.calibration import calibrate, calibrate_chains, load_plan, traces_folder
from spinhw.config import build
from spinhw.device import VisaSettings, open_chains, open_device
from spinhw.device.told import told
from spinhw.errors import ConfigError, DeviceError, LimitError
from spinhw.records import ChainsRecord, load_chains
from spinhw.surrogate import CalibratedChains
from spinhw.virtual import Bench

QUICK = load_plan("chains-quick")
DRIVEN = ("one", "two", "smu", "board", "tone")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Locks and what was left on are kept in the user's home."""
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)


def on(made: Bench) -> list[str]:
    """List what is on or closed."""
    driven = ((name, made.instruments[name]) for name in DRIVEN)
    lit = [name for name, one in driven if any(one.get("on", channel + 1) for channel in range(one.channels))]
    return lit + [name for name in ("matrix", "mux") if made.instruments[name].closed]


@pytest.fixture(scope="module")
def measured(tmp_path_factory, module_mocker):
    """A chip by the quick plan: the record, its file, the true resonators, what was switched on, what was left on."""
    folder = tmp_path_factory.mktemp("measured")
    module_mocker.patch("pathlib.Path.home", lambda: folder)
    with chain_bench(folder) as (made, settings):
        switched = []
        for name in DRIVEN:
            one, before = made.instruments[name], made.instruments[name].observer
            one.observer = lambda name=name, one=one, before=before: (
                switched.append(name) if one.get("on", 1) else None,
                before(),
            )
        record = calibrate(settings, QUICK, folder / "chip.yaml", NETWORK)
        return record, folder / "chip.yaml", made.network.chip.resonators(), set(switched), on(made)


def test_a_chip_is_calibrated_and_nothing_but_its_chains_is_switched_on(measured):
    record, _, true, switched, left = measured
    assert switched == {"board", "tone"} and left == []
    assert isinstance(record, ChainsRecord) and record.failed() == {}
    assert record.device.id == "bench" and record.device.kind == "visa"
    off, _ = scores(record, true)
    assert float(off.abs().max()) < 5.0 and 0.5 < float((off.abs() < 1).double().mean()) < 0.85  # Of 4 x 30 or so.
    resonances = torch.tensor(record.matrices["w_int.0"].errors["resonance"])
    assert float(resonances.max()) < 0.5e6  # Found from 6 MHz away.


def test_what_is_measured_at_a_tone_is_what_the_network_feels(tmp_path):
    net, tones = network(), torch.arange(4, dtype=torch.float64) * 160e6 + 2e9
    with chain_bench(tmp_path, truth("0 V", programming_error=0.01, scale_spread=0.1)) as (made, settings):
        with open_device(settings, NETWORK, 1e-9) as device:
            applied = device.program(told(net, device.describe()), net.masks())
            device.run(torch.zeros(1, 4, 1) + 0.5)
            acting = {name: value[0].double() for name, value in made.network.chip.acting.items()}
        seen = {}
        with open_chains(settings, net) as chains:
            for chain in chains:
                tuning = applied[chain.name][0, chain.destination, list(chain.sources)].double()
                at = tones[: acting[chain.name].shape[1]]
                with chain.bank as bank:
                    seen[chain.place] = bank.measure(tuning.expand(len(at), -1), at, torch.ones_like(at)).values
                felt = acting[chain.name][chain.destination]
                torch.testing.assert_close(seen[chain.place], felt, atol=2e-3, rtol=0)
        assert on(made) == []
    assert len(seen) == len(chains) > 10


def test_a_resonator_at_a_tuning_of_zero_still_is_there(tmp_path):
    with chain_bench(tmp_path, truth("0 V")) as (made, settings), open_chains(settings, network()) as chains:
        chain = next(one for one in chains if len(one.sources) > 1)
        own = made.network.chip.resonators()[chain.name].at((0, chain.destination, list(chain.sources)))
        tuning = torch.tensor([[0.3], [0.0]], dtype=torch.float64).expand(2, len(chain.sources))
        rf_hz = torch.full((2,), 2.05e9, dtype=torch.float64)
        with chain.bank as bank:
            seen = bank.measure(tuning, rf_hz, torch.ones(2)).values
    torch.testing.assert_close(seen, own.weight(tuning, rf_hz), atol=2e-3, rtol=0)


def test_the_connection_is_made_once_and_each_chain_leaves_the_bench_off(tmp_path):
    with chain_bench(tmp_path) as (made, settings):
        heard = []
        awg = made.instruments["one"]
        mocked = awg.execute
        awg.execute = lambda message, *more: (heard.append(message), mocked(message, *more))[1]
        with open_chains(settings, network()) as chains:
            for chain in chains[:3]:
                with chain.bank as bank:
                    count = len(chain.sources)
                    bank.measure(torch.zeros(1, count) + 0.1, torch.tensor([2e9]), torch.ones(1))
                    assert on(made) != []
                assert on(made) == []
            identities = sum(b"*IDN?" in one for one in heard)
            with chains[3].bank:
                pass
        assert identities == sum(b"*IDN?" in one for one in heard) == 1
        with chains[0].bank as bank:  # Without the context each connects by itself.
            bank.measure(torch.zeros(1, len(chains[0].sources)), torch.tensor([2e9]), torch.ones(1))
        assert on(made) == []


def test_what_was_read_before_an_interruption_is_kept_and_everything_is_off(tmp_path):
    def stopped(matrix: str, place: int, count: int) -> None:
        if place == 3:
            raise KeyboardInterrupt

    with chain_bench(tmp_path) as (made, settings):
        net, out = network(), tmp_path / "chip.yaml"
        with pytest.raises(KeyboardInterrupt):
            calibrate_chains(open_chains(settings, net), net, QUICK, out, told=stopped)
        assert on(made) == []
        files = {path: path.stat().st_mtime_ns for path in traces_folder(out).glob("*.nc")}
        assert len(files) == 3
        calibrate_chains(open_chains(settings, net), net, QUICK, out)
        assert {path: path.stat().st_mtime_ns for path in files} == files
        assert load_chains(out, settings.id).failed() == {}
        assert on(made) == []


@pytest.mark.parametrize(
    ("instrument", "kind"),
    [
        ("tone", "silent"),
        ("tone", "overload"),
        ("nvm", "half"),
        ("board", "dropped"),
        ("mux", "reboot"),
        ("mux", "error"),
    ],
)
def test_a_fault_is_recovered_from_or_told_of_and_everything_is_off(instrument, kind, tmp_path):
    said = truth("0 V") | {"faults": {"seed": 1, "instruments": [instrument], "most": 2, kind: 0.05}}
    with chain_bench(tmp_path, said) as (made, settings):
        own = made.network.chip.resonators()
        try:
            with open_chains(settings, network()) as chains:
                for chain in chains[:4]:
                    tuning = torch.full((12, len(chain.sources)), 0.2, dtype=torch.float64)
                    rf_hz = torch.linspace(1.98e9, 2.08e9, 12, dtype=torch.float64)
                    with chain.bank as bank:
                        seen = bank.measure(tuning, rf_hz, torch.ones(12)).values
                    true = own[chain.name].at((0, chain.destination, list(chain.sources))).weight(tuning, rf_hz)
                    torch.testing.assert_close(seen, true, atol=2e-3, rtol=0)
        except DeviceError as error:
            assert "\n" not in str(error)
        assert made.faults.log and on(made) == []


def test_a_crosspoint_that_somebody_else_moves_is_noticed_and_what_was_read_is_read_again(tmp_path, caplog):
    with chain_bench(tmp_path, truth("0 V")) as (made, settings), open_chains(settings, network()) as chains:
        chain, mux, at = chains[0], made.instruments["mux"], torch.tensor([2e9], dtype=torch.float64)
        own = made.network.chip.resonators()[chain.name].at((0, chain.destination, list(chain.sources)))
        with chain.bank as bank:
            bank.measure(torch.zeros(1, len(chain.sources)) + 0.1, at, torch.ones(1))
            mux.closed.add("1110")
            tuning = torch.full((1, len(chain.sources)), 0.2, dtype=torch.float64)
            seen = bank.measure(tuning, at, torch.ones(1)).values
            assert bank.faults == 1 and "mux: crosspoints have changed" in caplog.text
    torch.testing.assert_close(seen, own.weight(tuning, at), atol=2e-3, rtol=0)


def test_what_was_on_before_is_refused_and_left_as_it_is(tmp_path):
    with chain_bench(tmp_path) as (made, settings):
        smu = made.instruments["smu"]
        smu.store("on", 1, True)
        with (
            pytest.raises(DeviceError, match=r"smu.*not ours|smu.*is on"),
            open_chains(settings, network()) as chains,
            chains[0].bank as bank,
        ):
            bank.measure(torch.zeros(1, len(chains[0].sources)), torch.tensor([2e9]), torch.ones(1))
        assert on(made) == ["smu"]


def test_limits_hold_before_anything_is_sent(tmp_path):
    with chain_bench(tmp_path) as (made, settings), open_chains(settings, network()) as chains:
        count = len(chains[0].sources)
        for tuning, rf_hz, power in ((0.0, 4.2e9, 1.0), (0.0, 2e9, 2.5), (1.2, 2e9, 1.0)):
            with chains[0].bank as bank, pytest.raises(LimitError):
                bank.measure(torch.full((1, count), tuning), torch.tensor([rf_hz]), torch.tensor([power]))
            assert on(made) == []


def test_the_record_brings_weights_onto_the_chip(measured, tmp_path):
    """The ladder as designed misses weights by half of the largest one or more."""
    net = network()
    with chain_bench(tmp_path) as (made, settings):
        known, wanted = CalibratedChains.of(load_chains(measured[1], settings.id)), net.member_values()

        def missed() -> float:
            with open_device(settings, NETWORK, 1e-9) as device:
                device.program(told(net, device.describe()), net.masks())
                device.run(torch.zeros(1, 4, 1) + 0.5)
                there = made.network.chip.acting
                return max(float((there[name] - wanted[name].detach()).abs().max()) for name in net.tuned())

        designed = missed()
        net.use_resonators(known.chains, keep_weights=True)
        assert missed() < 0.25 < 1.0 < designed


@pytest.mark.parametrize(
    ("wiring", "says"),
    [
        ({"chains": None}, r"wiring.chains: nothing is wired.*--plan synapses"),
        (
            {"chains": {"tone": "tone.1", "meters": meters() | {"w_int.7": ["nvm.1 via mux.1120"]}}},
            "w_int.7: the chip has no such",
        ),
        (
            {"chains": {"tone": "tone.1", "meters": meters() | {"w_out": meters()["w_out"][:1]}}},
            r"w_out: chains are not wired to a meter; seen: 1; allowed: 2",
        ),
    ],
)
def test_chains_that_are_not_wired_are_refused_in_one_line(wiring, says):
    settings = build(VisaSettings, profile(**wiring), "bench.yaml")
    with pytest.raises(ConfigError, match=says) as refused:
        open_chains(settings, network())
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("wiring", "says"),
    [
        ({"resonators": None}, "nothing says which resonators they have"),
        ({"chains": {"tone": "smu.1", "meters": meters()}}, "a rf-source is needed"),
        ({"chains": {"tone": "tone.1", "meters": meters() | {"w_out": ["scope.1", "scope.2"]}}}, "dc-voltmeter"),
        ({"chains": {"tone": "tone.1", "meters": meters() | {"w_out": ["nvm.1", "nvm.1"]}}}, "without a switch"),
        (
            {"chains": {"tone": "tone.1", "meters": meters() | {"w_out": meters()["w_ext.1"][:2]}}},
            r"are on one channel; seen: mux.1105",
        ),
        (
            {"chains": {"tone": "tone.1", "meters": meters() | {"w_out": ["nvm.1 via mux.1190"] * 2}}},
            "crosspoint '1190' is not listed",
        ),
        ({"chains": {"tone": "tone.1", "meters": {"weights": ["nvm.1"]}}}, "weights"),
        (
            {
                "resonators": {
                    "frequency": "1 GHz",
                    "spacing": "160 MHz",
                    "half_linewidth": "10 MHz",
                    "tuning_span": "80 MHz",
                }
            },
            r"wiring.resonators.frequency: this is beyond the limits of tone.1",
        ),
    ],
)
def test_bench_files_whose_chains_make_no_sense_are_refused_in_one_line(wiring, says):
    with pytest.raises(ConfigError, match=says) as refused:
        build(VisaSettings, profile(**wiring), "bench.yaml")
    assert "\n" not in str(refused.value)
