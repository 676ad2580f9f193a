"""A chip with its synapses on the bench: inputs and gate played, weights from the controller, all signals out."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from spinhw.chip import Chip, Identity, Measurement
from spinhw.chip.readout import Readout
from spinhw.chip.synapses import ChipSynapses
from spinhw.network import NetworkSettings
from spinhw.physics import Chain
from spinhw.rollout import Neurons
from spinhw.virtual.lab import SourceOutput, refuse_long
from spinhw.virtual.records import holding, lowpass, runs
from spinhw.virtual.response import ChipResponse, Steady, Windows, relax, resting_power
from spinhw.virtual.settings import BenchSettings, ChannelGate, ChipWiring, RestGate, TimerGate, terminal

_log = logging.getLogger(__name__)

# Nodes are never further apart: at a digitizer's sample between them, polynomials are exact to 1e-5 of full power.
_LONGEST_NODE_S = 0.25e-9
_SMOOTH_NODE_S = 1e-9 / 16
# A rest that leaves more than this of a window's deviation is too short: the next window starts at rest all the same.
_LEFTOVER = 1e-3


def parameter_shapes(network: NetworkSettings) -> dict[str, tuple[int, ...]]:
    """Give the parameters in the order of the controller's addresses."""
    shapes: dict[str, tuple[int, ...]] = dict(network.topology().masked_shapes())
    shapes |= {f"bias.{layer}": (size,) for layer, size in enumerate(network.layers)}
    return shapes | ({"w_out": (network.outputs, network.layers[-1])} if network.readout == "hardware" else {})


@dataclass(frozen=True)
class _Batch:
    """Windows of inputs as they arrive at the chip.

    Args:
        inputs: u, (window, node interval, input).
        starts_s: Of the windows.
        step_s: Time for which each value is held.
        cell: Intervals between changes.
    """

    inputs: np.ndarray
    starts_s: np.ndarray
    step_s: float
    cell: int


class NetworkPhysics:
    """The chip.

    Args:
        settings: The bench; its wiring is of kind "chip".
        wiring: That wiring.
    """

    def __init__(self, settings: BenchSettings, wiring: ChipWiring) -> None:
        self._settings, self._wiring = settings, wiring
        network = settings.network.model_copy(update={"initial_state": "rest"})
        self.identity = Identity(f"{settings.id}-0", settings.seed)
        # The time for which inputs are held follows from what is played, batch by batch.
        self.chip = Chip(settings.chip, network, [self.identity], _LONGEST_NODE_S)
        self.network, self._shapes = network, parameter_shapes(network)
        neurons = network.topology().neurons
        self._readout = Readout(settings.chip.power_readout, [self.identity], neurons, "power")
        self._synapses = ChipSynapses(settings.chip, [self.identity])
        self._acting_out: torch.Tensor | None = None
        weights = {name: shape for name, shape in self._shapes.items() if name.startswith("w")}
        # The chains are the rows of the weight matrices; so probes count them.
        self._chains = [(name, row) for name, shape in weights.items() for row in range(shape[0])]
        self._put: Callable[[str], Chain] | None = None  # Resonators of a matrix where they were put last.
        self._last: tuple[dict[tuple[str, int], SourceOutput], Windows] | None = None
        self.leftover = 0.0  # Largest deviation from rest with which a window of the last shot would have begun.

    @property
    def addresses(self) -> int:
        """Get the number of outputs of the controller that are wired."""
        return sum(math.prod(shape) for shape in self._shapes.values())

    @property
    def fluctuates(self) -> bool:
        """Whether two shots of the same batch differ, so that each must be integrated anew."""
        return self._settings.chip.thermal_power > 0 or self._settings.chip.drift.active

    def program(self, volts: np.ndarray, used: np.ndarray) -> None:
        """Take over the voltages of the controller, (address,), and which outputs were anything but 0 V so far.

        Nobody tells a bench which synapses the design has: an output that was at 0 V all the time since the controller
        was switched on is taken for one that nothing hangs on.
        """
        conversion, requested, wired, place = self._settings.conversion, {}, {}, 0
        for name, shape in self._shapes.items():
            size = math.prod(shape)
            per_unit = conversion.weight_v if name.startswith("w") else conversion.bias_v
            part = np.zeros(size)
            found = volts[place : place + size]
            part[: len(found)] = found / per_unit
            requested[name] = torch.from_numpy(part.reshape(shape)).float()[None]
            if name.startswith("w"):
                hangs = np.zeros(size, bool)
                hangs[: len(found)] = used[place : place + size]
                wired[name] = torch.from_numpy(hangs.reshape(shape))[None]
            place += size
        writes, shots = self.chip.state()["writes"], self.chip.shots
        applied = self.chip.program(requested, wired)
        # Worked out where somebody measures them; networks do not need it.
        self._put = cache(lambda name: self._synapses.tuned(name, applied[name], writes, wired[name], shots))
        if "w_out" in applied:
            self._acting_out = self._synapses.acting("w_out", applied["w_out"], writes, wired["w_out"])
        self._last = None

    def warm_up(self) -> None:
        """Integrate something small and forget it: compiling, or loading what was compiled, takes seconds."""
        state, leftover = self.chip.state(), self.leftover
        self.program(np.zeros(self.addresses), np.zeros(self.addresses, bool))
        self._measure(_Batch(np.zeros((1, 2, self.network.inputs)), np.zeros(1), _LONGEST_NODE_S, 2))
        self.chip.restore(state)
        self.leftover = leftover

    def chain(self, number: int, rf_hz: float, power: float) -> float:
        """Return what the resonators of a chain rectify of one tone, in units of weight times power.

        Args:
            number: Of the chain, matrix by matrix and row by row.
            rf_hz: Of the tone.
            power: Of the tone, in units of an oscillator's at x = 1.
        """
        name, row = self._chains[number]
        if power == 0 or self._put is None:
            return 0.0
        resonators = self._put(name).at((0, row))
        still = torch.zeros(resonators.count, dtype=torch.float64)
        return power * float(resonators.weight(still, torch.tensor(rf_hz, dtype=torch.float64)))

    def fire(self, played: dict[tuple[str, int], SourceOutput], supplied: bool) -> ChipResponse:
        """Play what sources put out after a trigger, by instrument and channel."""
        if supplied and self._last is not None and not self.fluctuates and _same(played, self._last[0]):
            return self._last[1]
        neurons = self.chip.hidden.at(self._walk(), torch.float64)
        if not supplied:
            return Steady(np.zeros(neurons.gamma.shape[1]))
        batch = self._batch(played)
        if batch is None:
            return Steady(self._measured(resting_power(neurons)[None])[0])
        measured = self._measure(batch)
        power = measured.power.values[0].numpy()  # (window, node, neuron)
        filtered = measured.filtered.values[0].numpy()
        filtered = np.concatenate([np.zeros_like(filtered[:, :1]), filtered], axis=1)
        self._check_rest(batch, power, neurons)
        response = Windows(
            starts_s=batch.starts_s,
            step_s=batch.step_s,
            cell=batch.cell,
            power=power,
            filtered=filtered,
            outputs=self._outputs(filtered),
            rest=lambda number, window, elapsed: self._rest(power, neurons, number, window, elapsed),
            before=self._measured(resting_power(neurons)[None])[0],
            decay_per_s=2 * math.pi * neurons.cutoff_hz[0].numpy(),
        )
        self._last = (dict(played), response)
        return response

    def _measure(self, batch: _Batch) -> Measurement:
        self.chip.sample_interval_s = batch.step_s
        everybody = [range(self.network.topology().neurons)]
        [measured] = self.chip.measure(torch.from_numpy(batch.inputs).float()[None], everybody)
        return measured

    def _outputs(self, filtered: np.ndarray) -> np.ndarray | None:
        if self._acting_out is None:
            return None
        last = filtered[:, :, -self.network.layers[-1] :]
        return last @ self._acting_out[0].numpy().T

    # Rests

    def _walk(self) -> torch.Tensor | None:
        walk = self.chip.state()["walk"]
        return None if walk is None else torch.tensor(walk, dtype=torch.float64)

    def _gain(self) -> np.ndarray:
        walk, gain = self._walk(), self._readout.gain
        return (gain if walk is None else gain * torch.exp(walk[:, 2]))[0].numpy()

    def _measured(self, power: np.ndarray) -> np.ndarray:
        return power * self._gain() + self._readout.offset[0].numpy()

    def _rest(
        self,
        power: np.ndarray,
        neurons: Neurons,
        number: int | slice,
        window: np.ndarray | slice,
        elapsed_s: np.ndarray,
    ) -> np.ndarray:
        gain, offset = self._gain()[number], self._readout.offset[0, number].numpy()
        start = (power[window, -1, number].astype(np.float64) - offset) / gain
        return relax(start, elapsed_s, neurons.bias_drive[0, number].numpy(), neurons, number) * gain + offset

    def _check_rest(self, batch: _Batch, power: np.ndarray, neurons: Neurons) -> None:
        """Note what a window leaves to the next one, and warn once for each batch where it is too much."""
        self.leftover = 0.0
        if len(batch.starts_s) < 2:
            return
        length = batch.inputs.shape[1] * batch.step_s
        rest_s = float(np.diff(batch.starts_s).min()) - length
        windows = slice(0, len(batch.starts_s) - 1)
        after = self._rest(power, neurons, slice(None), windows, np.asarray(rest_s))
        self.leftover = float(np.abs(after - self._measured(resting_power(neurons))).max())
        if self.leftover > _LEFTOVER:
            _log.warning(
                "virtual bench: a rest of %.3g s is too short: %.2g of full power is left over", rest_s, self.leftover
            )

    # What arrives

    def _batch(self, played: dict[tuple[str, int], SourceOutput]) -> _Batch | None:
        """Cut what is played into the windows of the gate; None where it never opens."""
        sources = [terminal(text) for text in self._wiring.inputs]
        present = [played[source] for source in sources if source in played]
        if not present:
            return None
        rate = max(one.rate_hz for one in present)
        points = max(one.points_at(rate) for one in present)
        refuse_long(points)
        silent = SourceOutput(np.zeros(1), rate)
        volts = np.stack(
            [played.get(key, silent).at(rate, points) for key in sources],
            axis=1,
        )  # (time, input)
        starts, length = self._windows(played, rate, volts)
        if not len(starts):
            return None
        return self._arriving(volts, starts, length, rate)

    def _windows(
        self, played: dict[tuple[str, int], SourceOutput], rate: float, volts: np.ndarray
    ) -> tuple[np.ndarray, int]:
        """Give the first sample of each window, and their length in samples: the longest, for all."""
        gate, points = self._wiring.gate, len(volts)
        if isinstance(gate, TimerGate):
            length, period = round(gate.open_s * rate), round((gate.open_s + gate.shut_s) * rate)
            starts = np.arange(round(gate.first_s * rate), max(1, points - length + 1), max(1, period))
            return (starts, length) if length > 0 else (starts[:0], 0)
        if isinstance(gate, RestGate):
            return _between_rests(volts, max(1, round(gate.rest_s * rate * (1 - 1e-6))))
        opener = played.get(terminal(gate.source)) if isinstance(gate, ChannelGate) else None
        if opener is None:
            return np.zeros(0, np.int64), 0
        is_open = opener.at(rate, points) > gate.above_v
        starts, ends = runs(is_open)
        return starts, int((ends - starts).max(initial=0))

    def _arriving(self, volts: np.ndarray, starts: np.ndarray, length: int, rate: float) -> _Batch:
        path, interval_s = self._wiring.input_path, 1 / rate
        per_unit = self._settings.conversion.input_v
        nodes = len(starts) * length * max(1.0, interval_s / _LONGEST_NODE_S)
        refuse_long(len(volts), nodes * self.network.topology().neurons)
        reach = starts[:, None] + np.arange(length)
        reach = np.minimum(reach, len(volts) - 1)
        starts_s = starts * interval_s + path.latency_s
        if path.bandwidth_hz is None:
            inputs = (volts[reach] * path.gain + path.offset_v) / per_unit  # (window, sample, input)
            held = holding(inputs)
            cell = max(2, math.ceil(held * interval_s / _LONGEST_NODE_S - 1e-9))
            repeated = np.repeat(inputs[:, ::held], cell, axis=1)
            return _Batch(repeated, starts_s, held * interval_s / cell, cell)
        finer = max(1, math.ceil(interval_s / _SMOOTH_NODE_S))
        refuse_long(len(volts) * finer)
        smooth = lowpass(np.repeat(volts, finer, axis=0), interval_s / finer, path.bandwidth_hz)
        fine = (starts[:, None] * finer) + np.arange(length * finer)
        inputs = (smooth[np.minimum(fine, len(smooth) - 1)] * path.gain + path.offset_v) / per_unit
        return _Batch(inputs, starts_s, interval_s / finer, length * finer)


def _same(played: dict[tuple[str, int], SourceOutput], before: dict[tuple[str, int], SourceOutput]) -> bool:
    """Say whether sources put out what they put out before."""
    return played.keys() == before.keys() and all(
        (one.rate_hz, one.delay_s) == (before[key].rate_hz, before[key].delay_s)
        and np.array_equal(one.samples, before[key].samples)
        for key, one in played.items()
    )


def _between_rests(volts: np.ndarray, least: int) -> tuple[np.ndarray, int]:
    """Find windows between stretches of at least so many samples in which all inputs are as in the first sample."""
    begins, ends = runs((volts == volts[0]).all(1))
    resting = ends - begins >= least
    starts, stops = ends[resting], np.append(begins[resting], len(volts))
    starts = starts[starts < len(volts)]
    following = [int(stops[stops > start][0]) for start in starts]
    return starts, max((stop - start for start, stop in zip(starts.tolist(), following, strict=True)), default=0)
