"""How well calibration does: recovery over VISA, honest errors, what is left of a mismatch, gradients, drift, time.

    python benchmarks/calibration.py                       # all of it, small: about ten minutes
    python benchmarks/calibration.py recovery --benches 256   # 2048 oscillators

Every figure is printed with what it is compared with. Truth is known because the benches are virtual.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch  # noqa: E402
import yaml  # noqa: E402
from torch import Tensor  # noqa: E402

from spinhw.calibration import CalibrationAnalysis, DriftChart, InspectionSettings, calibrate_bank, load_plan  # noqa: E402
from spinhw.calibration.measure import joined  # noqa: E402
from spinhw.calibration.traces import Taken  # noqa: E402
from spinhw.config import build  # noqa: E402
from spinhw.device import load_device, open_bank, open_device  # noqa: E402
from spinhw.instruments import StationSettings  # noqa: E402
from spinhw.network import NetworkSettings, SpintronicNetwork  # noqa: E402
from spinhw.rollout import Neurons, Steps, rollout  # noqa: E402
from spinhw.surrogate import (  # noqa: E402
    DYNAMICS,
    PARAMETERS,
    Calibrated,
    CoupledRefit,
    NetworkRecord,
    OnlineRefit,
    Oscillators,
    columns,
    misfit,
)
from spinhw.tasks import as_sequence, split  # noqa: E402
from spinhw.training import load_settings, train  # noqa: E402
from spinhw.training.checkpoint import load_checkpoint  # noqa: E402
from spinhw.virtual import BenchSettings  # noqa: E402
from spinhw.virtual.oscillator_physics import OscillatorPhysics  # noqa: E402

INTERVAL_S, GAMMA, NOISE = 1e-9, 2e8, 0.01
LATENCY_S, ASSUMED_S, BANDWIDTH_HZ = 0.6e-9, 0.4e-9, 500e6
PER_BENCH = 8
ROOT = Path(__file__).parent.parent
MOVES = 0.02  # Standard deviation of a power from which a neuron counts as one that oscillates.
SEED, EPOCHS = 100, 20  # Of the network whose traces are looked at.
NETWORK = load_settings(ROOT / "examples/digits.yaml").network


def bench_of(seed: int) -> dict[str, object]:
    """Describe a virtual bench with eight oscillators: 20 % spread, 5 % gains, 2 % offsets, 1 % noise, 500 MHz."""
    return {
        "id": "calibrated",
        "seed": seed,
        "network": {"layers": [PER_BENCH]},
        "chip": {
            "spread": {"gamma": 0.2, "sigma": 0.2, "q": 0.2},
            "power_readout": {"gain_spread": 0.05, "offset_spread": 0.02},
        },
        "conversion": {"threshold": "5 mA", "power": "100 mV"},
        "instruments": {
            "awg": {"model": "tektronix-awg5200"},
            "scope": {"model": "keysight-infiniivision"},
            "scope2": {"model": "keysight-infiniivision"},
            "bias": {"model": "keithley-2400"},
        },
        "wiring": {
            "kind": "oscillators",
            "drives": [f"awg:{channel + 1}" for channel in range(PER_BENCH)],
            "amperes_per_volt": 0.03,
            "bias": "bias",
            "drive_path": {"latency": "100 ps"},
        },
        "probes": [
            {
                "signal": "power",
                "numbers": list(range(first, first + 4)),
                "to": f"{scope}:1",
                "latency": "500 ps",
                "bandwidth": f"{BANDWIDTH_HZ} Hz",
                "noise": "1 mV",
            }
            for scope, first in (("scope", 0), ("scope2", 4))
        ],
    }


def user_of(truth: Path) -> StationSettings:
    """Write the bench file of whoever measures there."""
    power = {"lowest": "-20 mV", "highest": "130 mV"}
    volts = {"lowest": "-0.34 V", "highest": "0.34 V"}
    current = {"lowest": "0 mA", "highest": "12 mA", "compliance": "5 V", "ramp_step": "12 mA", "ramp_delay": "0 s"}
    parts = {
        "bias": ("current-source", "keithley-2400", {"1": current}),
        "awg": ("waveform-source", "tektronix-awg5200", {str(one + 1): volts for one in range(PER_BENCH)}),
        "scope": ("digitizer", "keysight-infiniivision", {str(one + 1): power for one in range(4)}),
        "scope2": ("digitizer", "keysight-infiniivision", {str(one + 1): power for one in range(4)}),
    }
    data = {
        "kind": "visa",
        "id": "calibrated",
        "backend": f"{truth}@spinhw",
        "instruments": {
            name: {"role": role, "driver": driver, "address": f"TCPIP0::{name}::5025::SOCKET", "channels": channels}
            for name, (role, driver, channels) in parts.items()
        },
        "wiring": {
            "kind": "oscillators",
            "timing": {
                "source_rate": "1 GHz",
                "digitizer_rate": "5 GHz",
                "rest": "150 ns",
                "latency": f"{ASSUMED_S} s",
            },
            "drives": [f"awg.{one + 1}" for one in range(PER_BENCH)],
            "transconductance": "30 mS",
            "powers": [f"{'scope' if one < 4 else 'scope2'}.{one % 4 + 1}" for one in range(PER_BENCH)],
            "supply": ["bias.1"],
            "supply_current": "10 mA",
        },
        "conversion": {"threshold": "5 mA", "power": "100 mV"},
    }
    return build(StationSettings, data, "benchmark")


def truth_of(bench: dict[str, object]) -> Oscillators:
    """Look behind the bench."""
    settings = build(BenchSettings, bench, "benchmark")
    physics = OscillatorPhysics(settings, settings.wiring)
    hidden, readout = physics.hidden.neurons, physics._readout  # noqa: SLF001
    one, lag = torch.ones(PER_BENCH, dtype=torch.float64), 1 / (2 * torch.pi * BANDWIDTH_HZ)
    delay = (LATENCY_S - ASSUMED_S + lag) * one
    return Oscillators(
        hidden.gamma[0], hidden.sigma[0], hidden.q[0], readout.gain[0], readout.offset[0], delay, lag * one
    )


def recovery(benches: int) -> None:
    """Recover parameters over VISA with plan full; coverage of the errors, and their ratio to the Cramer-Rao bound."""
    plan, off, errors, bounds, failed, shots, started = load_plan("full"), [], [], [], 0, 0, time.perf_counter()
    network = NetworkSettings(layers=(PER_BENCH,))
    for seed in range(benches):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "truth.yaml"
            place.write_text(yaml.safe_dump(bench_of(seed)), encoding="utf-8")
            with open_bank(user_of(place), network, INTERVAL_S) as bank:
                record, found, taken = calibrate_bank(bank, plan, network, Path(folder) / "record.yaml")
        true = truth_of(bench_of(seed))
        good = torch.tensor([number not in record.failed for number in range(PER_BENCH)])
        failed, shots = failed + int((~good).sum()), record.made.shots
        off.append((found.fit.oscillators.table() - true.table())[:, good])
        errors.append(found.fit.errors()[:, good])
        bounds.append(_bound(taken, true)[:, good])
    relative = torch.stack([torch.cat(one, dim=1) for one in (off, errors, bounds)])
    count = relative.shape[2]
    print(
        f"\nRecovery over VISA: {benches} benches, {benches * PER_BENCH} oscillators, {failed} failed, plan full, "
        f"{shots} shots of each bench, {time.perf_counter() - started:.0f} s"
    )
    print("1 % noise, 8-bit scopes, 14- to 16-bit source, 500 MHz read-out, latency 0.2 ns off")
    print(
        f"{'parameter':10} {'error':>12} {'reported':>12} {'within 1':>9} {'within 3':>9} {'over bound':>10}   medians"
    )
    for row, name in enumerate(PARAMETERS):
        apart, reported, bound = relative[:, row]
        seen = reported > 0
        score = (apart[seen] / reported[seen]).abs()
        print(
            f"{name:10} {apart.abs().median() / 0.6745:12.4g} {reported[seen].median():12.4g} "
            f"{(score < 1).double().mean():9.1%} {(score < 3).double().mean():9.1%} "
            f"{(reported[seen] / bound[seen]).median():10.2f}  ({int(seen.sum())} of {count})"
        )


def _bound(taken: list[Taken], true: Oscillators) -> Tensor:
    """Give the Cramer-Rao bound of every parameter: the noise is that of the probes and of the converter's steps."""
    step = 0.150 / 256 / 0.1
    variance = NOISE**2 + step**2 / 12
    found = misfit(joined(taken), true, timed=True)
    scale = found.normal.diagonal(dim1=1, dim2=2).sqrt()
    inverse = torch.linalg.inv(found.normal / scale[:, :, None] / scale[:, None, :])
    relative = (variance * inverse.diagonal(dim1=1, dim2=2)).sqrt() / scale
    return relative.T * true.scales()


def noise_free() -> None:
    """Recover parameters without noise, exactly read: the bound is the arithmetic."""
    changes = ["chip.power_readout.noise=0", "chip.power_readout.adc={}", "chip.drive_dac={}"]
    found, true = _simulated("full", changes, dtype=torch.float64)
    worst = [
        float(((getattr(found.fit.oscillators, name) - getattr(true, name)) / scale).abs().max())
        for name, scale in (("gamma", true.gamma), ("sigma", true.sigma), ("q", torch.ones_like(true.q)))
    ]
    print("\nNoise-free, 96 oscillators, largest error: " + ", ".join(f"{one:.1e}" for one in worst), "(wanted 1e-4)")


def quick() -> None:
    """See what plan quick leaves of a mismatch of 20 %, and how long plans take."""
    for plan in ("quick", "full"):
        started, cpu = time.perf_counter(), time.process_time()
        found, true = _simulated(plan, [])
        took, worked = time.perf_counter() - started, time.process_time() - cpu
        left = _left(found.fit.oscillators, true)
        print(f"\nPlan {plan}, 96 oscillators on the simulated bank: {took:.0f} s ({worked:.0f} s of CPU time)")
        print("  left of the mismatch: " + ", ".join(f"{name} {share:.1%}" for name, share in left.items()))


def refit() -> None:
    """See what one batch of ordinary traces leaves: of a bank (or multiplexer), and of a network's own training."""
    network, inputs = _ordinary()
    exact = ["chip.synapses.scale_spread=0", "chip.synapses.bits=null"]
    settings, nominal = load_device("imperfect-chip", exact), NETWORK.neurons(torch.float64)
    with open_bank(settings, NETWORK, INTERVAL_S, members=[0]) as bank:
        true = _hidden(bank)
        with torch.no_grad():
            drive = network.run(inputs, Steps(INTERVAL_S, 16), record_drive=True).drive[0]
        played = bank.play(drive)
    learner = OnlineRefit(Oscillators.nominal(nominal), noise=NOISE, prior=_weak(96))
    learner.update([_played(played, drive)])
    _tell("drives played to a bank", learner, true, played.power.values.std((0, 1)) > MOVES)
    for what, changes in {"exact synapses": [], "synapses wrong by 10 %": ["chip.synapses.scale_spread=0.1"]}.items():
        with open_device(load_device("imperfect-chip", [*exact, *changes]), NETWORK, INTERVAL_S, [0]) as device:
            applied = device.program(network.values())
            trace = device.run(inputs)
        power = torch.cat([trace.power0.values[:, None], trace.power.values], 1)
        good = torch.cat([trace.power0.good[:, None], trace.power.good], 1)
        one = {name: value[None] for name, value in applied.items()}
        record = NetworkRecord(
            replace(network.weights(one), sparsity=None),
            nominal,
            inputs,
            power,
            good,
            INTERVAL_S,
            NETWORK.drive_rate_per_s,
            NOISE,
        )
        for error in (0.0, 0.1):
            coupled = CoupledRefit(Oscillators.nominal(nominal), error)
            coupled.update(record)
            fitted = "synapses fitted too" if error else "synapses trusted"
            _tell(f"a network's own traces, {what}, {fitted}", coupled, true, power.std((0, 1)) > MOVES)


def gradient() -> None:
    """Compare the gradients of a nominal and of a calibrated surrogate with the device's own."""
    network, inputs = _ordinary()
    found, true = _simulated("quick", [])
    nominal = NETWORK.neurons(torch.float64)
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 10, (len(inputs),), generator=generator)

    def slope(neurons: Neurons) -> Tensor:
        network.zero_grad()
        run = rollout(network.weights(), neurons.to(torch.float32), inputs[None], Steps(INTERVAL_S, 8))
        loss = torch.nn.functional.cross_entropy(network.read_out(run.filtered)[0], labels)
        loss.backward()
        return torch.cat([one.grad.flatten() for one in network.parameters()])

    own = slope(true.neurons(nominal))
    apart = [
        1 - float(torch.nn.functional.cosine_similarity(slope(neurons), own, dim=0))
        for neurons in (nominal, found.fit.oscillators.neurons(nominal))
    ]
    print(f"\n1 - cosine to the true gradient: nominal {apart[0]:.4f}, calibrated (quick) {apart[1]:.5f}: ", end="")
    print(f"{apart[0] / apart[1]:.0f} times smaller (wanted 3)")


def drift(probes: int) -> None:
    """Count false alarms, and probes until a shift of 5 % is found."""
    settings, network = load_device("imperfect-chip"), NetworkSettings(layers=(16,))
    plan = load_plan("full")
    with tempfile.TemporaryDirectory() as folder, open_bank(settings, network, INTERVAL_S, members=[0]) as bank:
        record, found, _ = calibrate_bank(bank, plan, network, Path(folder) / "record.yaml")
        known, watch = Calibrated.of(record), InspectionSettings()
        chart = DriftChart(known, found.residual_rms, watch)
        from spinhw.calibration import BankWatch

        probe = BankWatch(bank, chart, GAMMA)
        quiet = sum(chart.look([probe.play()]).alarm for _ in range(probes))
        print(f"\nDrift: {quiet} false alarms in {probes} probes of 16 oscillators (wanted at most 1 in 1000)")
        for row, name in enumerate(PARAMETERS[:5]):
            step = torch.zeros(len(PARAMETERS), 16, dtype=torch.float64)
            step[row] = 0.05
            # A reference that is off by 5 % stands for a device that has moved by as much.
            moved = DriftChart(replace(known, oscillators=known.oscillators.moved(step)), found.residual_rms, watch)
            alarms = [len(moved.look([probe.play()]).moved) for _ in range(3)]
            print(f"  5 % of {name}: {alarms} of 16 oscillators found, probe by probe")


def _simulated(
    plan: str, changes: list[str], dtype: torch.dtype = torch.float32
) -> tuple[CalibrationAnalysis, Oscillators]:
    settings = load_device("imperfect-chip", changes)
    with (
        tempfile.TemporaryDirectory() as folder,
        open_bank(settings, NETWORK, INTERVAL_S, members=[0], dtype=dtype) as bank,
    ):
        _, found, _ = calibrate_bank(bank, load_plan(plan), NETWORK, Path(folder) / "record.yaml")
        return found, _hidden(bank)


def _hidden(bank: object) -> Oscillators:
    hidden = bank.truth.hidden.neurons
    one = torch.ones_like(hidden.gamma[0])
    return Oscillators(hidden.gamma[0], hidden.sigma[0], hidden.q[0], one, one * 0, one * 0, one * 0)


def _ordinary() -> tuple[SpintronicNetwork, Tensor]:
    """Train a network on digits for a few epochs, and give 120 of its images."""
    settings = load_settings(ROOT / "examples/digits.yaml", [f"training.seeds=[{SEED}]", f"training.epochs={EPOCHS}"])
    network = SpintronicNetwork(NETWORK, Steps(INTERVAL_S, 2), seed=SEED)
    with tempfile.TemporaryDirectory() as folder:
        train(settings, Path(folder) / "run")
        tensors, _ = load_checkpoint(Path(folder) / "run/checkpoint.safetensors")
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            [key] = [key for key in tensors if key.endswith(name) and "adam" not in key and "average" not in key]
            parameter.copy_(tensors[key][0])
    return network, as_sequence(split(settings.task, SEED).train[:120], settings.task)


def _weak(count: int) -> Tensor:
    """Say that devices differ from the nominal one by some 30 %."""
    prior = torch.zeros(count, len(PARAMETERS), len(PARAMETERS), dtype=torch.float64)
    for place in columns(DYNAMICS).tolist():
        prior[:, place, place] = 1 / 0.3**2
    return prior


def _played(trace: object, drive: Tensor) -> object:
    from spinhw.surrogate import Played

    power = torch.cat([trace.power0.values[:, None], trace.power.values], 1).double()
    good = torch.cat([trace.power0.good[:, None], trace.power.good], 1)
    return Played(trace.drive_applied.values.double(), power, good, INTERVAL_S, 2 * GAMMA)


def _left(found: Oscillators, true: Oscillators, chosen: Tensor | slice = slice(None)) -> dict[str, float]:
    nominal = Oscillators.nominal(NETWORK.neurons(torch.float64))

    def rms(one: Oscillators, name: str) -> float:
        scale = torch.ones_like(true.q) if name == "q" else getattr(true, name)
        return float(((getattr(one, name) - getattr(true, name)) / scale)[chosen].square().mean().sqrt())

    return {name: rms(found, name) / rms(nominal, name) for name in DYNAMICS}


def _tell(
    what: str, learner: OnlineRefit | CoupledRefit, true: Oscillators, chosen: Tensor | slice = slice(None)
) -> None:
    left, errors = _left(learner.oscillators, true, chosen), learner.errors()[:3].clamp_min(1e-300)
    score = ((learner.oscillators.table()[:3] - true.table()[:3]) / errors)[:, chosen].abs()
    print(f"\nOnline refit from one batch of 120 images, {what}, {score.shape[1]} oscillators (wanted <= 15 % left):")
    for row, name in enumerate(DYNAMICS):
        within = [float((score[row] < many).double().mean()) for many in (1, 3)]
        rms = float(score[row].square().mean().sqrt())
        print(
            f"  {name}: {left[name]:.1%} left, {rms:.2f} reported errors; {within[0]:.0%} within one, {within[1]:.0%} "
            "within three"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="recovery, noise_free, quick, refit, gradient, drift; all by default")
    parser.add_argument("--benches", type=int, default=8, help="virtual benches of eight oscillators")
    parser.add_argument("--probes", type=int, default=300, help="probes of an unchanged device")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    parts: dict[str, Callable[[], None]] = {
        "quick": quick,
        "refit": refit,
        "gradient": gradient,
        "noise_free": noise_free,
        "drift": lambda: drift(asked.probes),
        "recovery": lambda: recovery(asked.benches),
    }
    for name in asked.parts or parts:
        parts[name]()


if __name__ == "__main__":
    main()
