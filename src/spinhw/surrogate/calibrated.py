"""The surrogate of a device that was calibrated: built from a record, with its uncertainty to draw from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from spinhw.conversion import Conversion, Scaling
from spinhw.errors import CalibrationError
from spinhw.network import NetworkSettings
from spinhw.records import CalibrationRecord, find_record, load_record
from spinhw.rollout import Neurons
from spinhw.surrogate.oscillators import DYNAMICS, LOGARITHMIC, PARAMETERS, Oscillators
from spinhw.surrogate.played import columns
from spinhw.surrogate.spread import normal_steps


@dataclass(frozen=True)
class Calibrated:
    """What a record says of one device.

    Args:
        oscillators: Their parameters; those that failed are nominal.
        covariance: In the coordinates of a fit, (oscillator, parameter, parameter); zero for what was not fitted, and
            for oscillators that failed.
        noise: Of one shot's sample in units of full power, (oscillator,).
        working: Which did not fail, boolean, (oscillator,).
        device_id: Whose.
        cutoff_hz: Corner of the high-pass behind each, (oscillator,); NaN where it is not known; None where none is.
    """

    oscillators: Oscillators
    covariance: Tensor
    noise: Tensor
    working: Tensor
    device_id: str
    cutoff_hz: Tensor | None = None

    @classmethod
    def of(cls, record: CalibrationRecord) -> "Calibrated":
        """Read it from a record."""
        count, nominal = record.device.oscillators, record.nominal
        fallback = {"gamma": 1 / nominal.tau_s, "sigma": nominal.sigma, "q": nominal.q, "gain": 1.0}
        table = torch.tensor(
            [
                [fallback.get(name, 0.0) if one is None else one for one in record.parameters[name].values]
                for name in PARAMETERS
            ],
            dtype=torch.float64,
        )
        noise = [0.0 if one is None else one for one in record.noise]
        working = torch.tensor([number not in record.failed for number in range(count)])
        return cls(
            Oscillators.of(table),
            _covariance(record, table) * working[:, None, None],
            torch.tensor(noise, dtype=torch.float64),
            working,
            record.device.id,
            _cutoff(record),
        )

    def neurons(self, nominal: Neurons) -> Neurons:
        """Put the measured dynamics into nominal neurons, (1, neuron); bias, bounds and gain stay.

        The high-pass stays too, unless its corner was measured.

        Raises:
            CalibrationError: The record is of another number of oscillators.
        """
        self._require(nominal.gamma.shape[-1])
        neurons = self.oscillators.neurons(nominal)
        if self.cutoff_hz is None:
            return neurons
        known = self.cutoff_hz.to(neurons.cutoff_hz.dtype)
        return replace(neurons, cutoff_hz=torch.where(known.isnan(), neurons.cutoff_hz, known))

    def drawn(self, generator: torch.Generator, spread: float = 1.0) -> Oscillators:
        """Draw oscillators as they may be, given the uncertainty of the calibration: for robust training.

        Args:
            generator: Of the random numbers.
            spread: Factor on the standard errors; 1 for the errors as they are.
        """
        step = normal_steps(self.covariance, generator)
        return self.oscillators.moved(spread * step.T)

    def conversion(self, assumed: Conversion) -> Conversion:
        """Give a conversion whose read-out of the power is the measured one, channel by channel.

        Args:
            assumed: The conversion that the calibration was made with.
        """
        gain, offset = self.oscillators.gain, self.oscillators.offset
        factor = torch.as_tensor(assumed.power.per_unit, dtype=torch.float64)
        shift = torch.as_tensor(assumed.power.offset, dtype=torch.float64)
        per_unit, at_zero = factor * gain, shift + factor * offset
        return replace(assumed, power=Scaling(tuple(per_unit.tolist()), assumed.power.unit, tuple(at_zero.tolist())))

    @property
    def latency_s(self) -> float:
        """How late records are on average beyond the latency of the bench file, in seconds; add it there."""
        return float(self.oscillators.delay[self.working].mean()) if bool(self.working.any()) else 0.0

    def _require(self, count: int) -> None:
        if count != self.oscillators.count:
            raise CalibrationError(
                f"the calibration of {self.device_id} is of another number of oscillators",
                seen=self.oscillators.count,
                allowed=str(count),
                todo="calibrate the device that the network runs on",
            )


def calibrated_neurons(
    path: Path, network: NetworkSettings, device_ids: Sequence[str], anyway: bool = False
) -> Neurons:
    """Give the neurons of devices as they were calibrated, (member, neuron), float64.

    Args:
        path: A record, or a folder with DEVICE_ID.yaml for each.
        network: Nominal neurons and electronics.
        device_ids: Whose records, one for each member.
        anyway: Whether another device's record will do.

    Raises:
        ConfigError: A record is missing or wrong.
        CalibrationError: A record is another device's, or of another number of oscillators.
    """
    nominal = network.neurons(torch.float64)
    return members(
        [Calibrated.of(load_record(find_record(path, name), name, anyway)).neurons(nominal) for name in device_ids]
    )


def members(each: Sequence[Neurons]) -> Neurons:
    """Put the measured neurons of devices, each (1, neuron), on top of each other: (member, neuron)."""
    gamma, sigma, q, cutoff_hz = (torch.cat([getattr(one, name) for one in each]) for name in (*DYNAMICS, "cutoff_hz"))
    return replace(each[0], gamma=gamma, sigma=sigma, q=q, cutoff_hz=cutoff_hz)


def _cutoff(record: CalibrationRecord) -> Tensor | None:
    if record.cutoff is None:
        return None
    known = [float("nan") if one is None else one for one in record.cutoff.values]
    return torch.tensor(known, dtype=torch.float64)


def _covariance(record: CalibrationRecord, table: Tensor) -> Tensor:
    """Put standard errors and correlations together, in the coordinates of a fit."""
    count, size = record.device.oscillators, len(PARAMETERS)
    errors = torch.tensor(
        [[0.0 if one is None else one for one in record.parameters[name].errors] for name in PARAMETERS],
        dtype=torch.float64,
    )
    for row, name in enumerate(PARAMETERS):
        if name in LOGARITHMIC:
            errors[row] /= table[row]
        elif name == "lag":  # The coordinate is its square.
            errors[row] *= 2 * table[row]
    found = torch.diag_embed(errors.T**2)
    if not record.correlations or len(record.correlations) != count:
        return found
    wanted = columns(record.free)
    first, second = torch.triu_indices(len(wanted), len(wanted), offset=1)
    tied = torch.tensor([[one or 0.0 for one in row] for row in record.correlations], dtype=torch.float64)
    off = tied * errors[wanted[first]].T * errors[wanted[second]].T
    correlated = torch.zeros(count, size, size, dtype=torch.float64)
    correlated[:, wanted[first], wanted[second]] = off
    return found + correlated + correlated.transpose(1, 2)
