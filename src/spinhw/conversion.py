"""Between model units and SI at the channels of a device. Applied in the base classes of devices, nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field

from spinhw.config import Settings
from spinhw.units import Quantity

if TYPE_CHECKING:
    from torch import Tensor

Value = TypeVar("Value", float, "Tensor")
ParameterKind = Literal["weight", "bias", "tuning"]

PositiveVoltageV = Annotated[float, Quantity("V", positive=True)]
PositiveCurrentA = Annotated[float, Quantity("A", positive=True)]
PositivePowerW = Annotated[float, Quantity("W", positive=True)]


@dataclass(frozen=True)
class Scaling:
    """One kind of channel: SI = per_unit * model + offset.

    Args:
        per_unit: SI per model unit, not zero; one number, or one for each channel (the last axis).
        unit: SI unit, such as "V".
        offset: SI at model value 0; one number, or one for each channel.
    """

    per_unit: float | tuple[float, ...]
    unit: str
    offset: float | tuple[float, ...] = 0.0

    def __post_init__(self) -> None:
        factors = self.per_unit if isinstance(self.per_unit, tuple) else (self.per_unit,)
        if not all(factor != 0 and abs(factor) < float("inf") for factor in factors):
            raise ValueError(f"a conversion needs finite factors other than zero, not {self.per_unit!r}")

    def to_si(self, model: Value) -> Value:
        """Convert model values to SI; channels are the last axis."""
        return model * _like(self.per_unit, model) + _like(self.offset, model)

    def to_model(self, si: Value) -> Value:
        """Convert SI values to model units; the inverse of `to_si`."""
        return (si - _like(self.offset, si)) / _like(self.per_unit, si)

    def noise_to_model(self, si: float) -> float:
        """Convert a standard deviation; with one factor for each channel the mean one counts."""
        factors = self.per_unit if isinstance(self.per_unit, tuple) else (self.per_unit,)
        return si * len(factors) / sum(abs(factor) for factor in factors)


def _like(number: float | tuple[float, ...], value: Any) -> Any:
    if isinstance(number, tuple):
        import torch  # Here, because a bench is opened without it.

        dtype = value.dtype if isinstance(value, torch.Tensor) else torch.float64
        return torch.tensor(number, dtype=dtype)
    return number


@dataclass(frozen=True)
class Conversion:
    """Every kind of channel of a device. sigma is dimensionless because `drive_per_ampere` is one number for a chip.

    Args:
        drive_per_ampere: Drive I in 1/s of one ampere through the nominal oscillator; above zero.
        input: Network inputs u.
        weight: Weights, by the tuning voltage of their synapses; tunings of single resonators too.
        bias: Trainable biases.
        power: Read-out of the power x.
        filtered: Read-out of the signal y behind the high-pass.
        output: Outputs of a hardware read-out, and rectified voltages of a synapse bank.
        rf_power: RF power in units of an oscillator's at x = 1.
    """

    drive_per_ampere: float = 1e12
    input: Scaling = Scaling(1.0, "V")
    weight: Scaling = Scaling(1.0, "V")
    bias: Scaling = Scaling(1.0, "V")
    power: Scaling = Scaling(1.0, "V")
    filtered: Scaling = Scaling(1.0, "V")
    output: Scaling = Scaling(1.0, "V")
    rf_power: Scaling = Scaling(1e-6, "W")

    def __post_init__(self) -> None:
        if not 0 < self.drive_per_ampere < float("inf"):
            raise ValueError(f"drive_per_ampere must be a finite number above zero, not {self.drive_per_ampere!r}")

    @property
    def drive(self) -> Scaling:
        """Drives I in 1/s, as currents in amperes."""
        return Scaling(1 / self.drive_per_ampere, "A")

    def of_parameter(self, kind: ParameterKind) -> Scaling:
        """Give the line of the parameters of a kind."""
        return self.bias if kind == "bias" else self.weight

    def parameters_to_si(
        self, values: Mapping[str, "Tensor"], kinds: Mapping[str, ParameterKind]
    ) -> dict[str, "Tensor"]:
        """Convert parameters by name, each by its kind."""
        return {name: self.of_parameter(kinds[name]).to_si(value) for name, value in values.items()}

    def parameters_to_model(
        self, values: Mapping[str, "Tensor"], kinds: Mapping[str, ParameterKind]
    ) -> dict[str, "Tensor"]:
        """Convert parameters by name, each by its kind; the inverse of `parameters_to_si`."""
        return {name: self.of_parameter(kinds[name]).to_model(value) for name, value in values.items()}


class ConversionSettings(Settings):
    """What model units mean at the channels, typed in by hand. The defaults are one volt for one unit."""

    threshold_a: PositiveCurrentA = Field(
        default=5e-3, description="Current at the threshold of the nominal oscillator, I = gamma / sigma; above zero."
    )
    input_v: PositiveVoltageV = Field(default=1.0, description="Voltage of an input u = 1; above zero.")
    weight_v: PositiveVoltageV = Field(default=1.0, description="Tuning voltage of a weight of 1; above zero.")
    bias_v: PositiveVoltageV = Field(default=1.0, description="Voltage of a trainable bias of 1; above zero.")
    power_v: PositiveVoltageV = Field(default=1.0, description="Read-out voltage of a power x = 1, and of y = 1.")
    output_v: PositiveVoltageV = Field(default=1.0, description="Voltage of an output of 1 of a hardware read-out.")
    rf_power_w: PositivePowerW = Field(default=1e-6, description="RF power of an oscillator at x = 1; above zero.")

    def conversion(self, threshold_per_s: float) -> Conversion:
        """Make the conversion.

        Args:
            threshold_per_s: Drive at the threshold of the nominal oscillator, gamma / sigma, in 1/s.
        """
        return Conversion(
            drive_per_ampere=threshold_per_s / self.threshold_a,
            input=Scaling(self.input_v, "V"),
            weight=Scaling(self.weight_v, "V"),
            bias=Scaling(self.bias_v, "V"),
            power=Scaling(self.power_v, "V"),
            filtered=Scaling(self.power_v, "V"),
            output=Scaling(self.output_v, "V"),
            rf_power=Scaling(self.rf_power_w, "W"),
        )
