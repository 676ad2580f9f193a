"""Joules per inference, line by line, each with its basis and source. Pure functions of counts and times."""

from dataclasses import asdict, dataclass, replace
from typing import Literal

from pydantic import Field

from spinhw.config import Settings
from spinhw.units import DurationS, EnergyJ, PowerW, show_quantity

_HOROWITZ = "32-bit multiply and add at 45 nm, arithmetic only: Horowitz, ISSCC 2014"
_ROSS = "Ross et al., Nature Nanotechnology 18, 1273 (2023), quoted by Plouet et al. 2024, section V"


Form = Literal["constants", "power", "rest", "readout", "software", "measured", "spent"]


class EnergySettings(Settings):
    """What a device costs."""

    per_neuron_j: EnergyJ = Field(
        default=100e-15, description="Energy of a neuron per inference (for about 100 ns); 0 or above."
    )
    per_synapse_j: EnergyJ = Field(
        default=10e-15, description="Energy of a synapse per inference (for about 100 ns); 0 or above."
    )
    neuron_power_w: PowerW = Field(default=1e-6, description="Power of a running neuron; 0 or above.")
    synapse_power_w: PowerW = Field(default=0.1e-6, description="Power of a running synapse; 0 or above.")
    tuning_power_w: PowerW = Field(
        default=0.0,
        description="Power that holds the tuning of a resonator, where synapses are resonators; 0 for not counted.",
    )
    rest_s: DurationS = Field(
        default=0.0, description="Rest between inferences, through which the devices stay on; 0 or above."
    )
    readout_per_inference_j: EnergyJ = Field(
        default=0.0, description="Read-out electronics (amplifiers, converters) per inference; 0 for not counted."
    )
    per_multiply_add_j: EnergyJ = Field(
        default=4.6e-12, description="Energy of a multiply-add of a software network, without memory; 0 or above."
    )


@dataclass(frozen=True)
class EnergyLine:
    """One line of the ledger.

    Args:
        form: Which account it belongs to: "constants" per inference, "power" times duration, "rest", "readout",
            "software" (arithmetic), "measured", "spent" (on this bench, to find out what a chip would do).
        part: What spends it, such as "neurons".
        energy_j: Joules, of an inference or a step.
        basis: "estimated" or "measured".
        source: Where the number comes from.
        per: What takes so much: "inference" (a whole sequence) or "step" (one sample of it, of networks that answer
            after each). A line of a step is part of no sum over an inference.
    """

    form: Form
    part: str
    energy_j: float
    basis: Literal["estimated", "measured"]
    source: str
    per: Literal["inference", "step"] = "inference"


@dataclass(frozen=True)
class EnergyLedger:
    """Energy of one inference of one network.

    Args:
        neurons: Hardware neurons.
        synapses: Hardware synapses.
        duration_s: Time that an inference takes, in seconds.
        lines: The account.
    """

    neurons: int
    synapses: int
    duration_s: float
    lines: tuple[EnergyLine, ...]

    def total_j(self, *forms: str) -> float:
        """Sum the lines of an inference of these forms."""
        return sum(line.energy_j for line in self.of("inference") if line.form in forms)

    def of(self, per: Literal["inference", "step"]) -> list[EnergyLine]:
        """Return the lines of an inference, or of a step."""
        return [line for line in self.lines if line.per == per]

    @property
    def per_step_j(self) -> float | None:
        """Power times the time of one sample; arithmetic likewise. None where a network does not answer after each."""
        steps = self.of("step")
        return sum(line.energy_j for line in steps) if steps else None

    @property
    def per_inference_j(self) -> float:
        """The paper's figure: constants per inference (neurons and synapses only); a software network's arithmetic."""
        return self.total_j("constants", "software")

    @property
    def scaled_per_inference_j(self) -> float:
        """Power times the actual duration of the inference, without the rest after it; arithmetic likewise."""
        return self.total_j("power", "software")

    @property
    def with_rest_j(self) -> float:
        """Power times the duration of the inference and of the rest after it."""
        return self.total_j("power", "rest", "software")

    @property
    def spent_per_inference_j(self) -> float:
        """What an inference took on this bench, where a few oscillators play a network; part of no other total."""
        return self.total_j("spent")

    def with_note(self, note: str) -> "EnergyLedger":
        """Say something more of the time that an inference takes, behind the source of each line that depends on it."""
        timed = [line for line in self.of("inference") if line.form in ("power", "software")]
        told = [replace(line, source=f"{line.source}; {note}") if line in timed else line for line in self.lines]
        return replace(self, lines=tuple(told))

    def beside(self, line: EnergyLine) -> "EnergyLedger":
        """Add a line."""
        return replace(self, lines=(*self.lines, line))

    def as_json(self) -> list[dict[str, object]]:
        """The lines as plain data."""
        return [asdict(line) for line in self.lines]


def ledger(
    settings: EnergySettings,
    neurons: int,
    synapses: int,
    duration_s: float,
    step_s: float | None = None,
    tuned: int = 0,
) -> EnergyLedger:
    """Estimate the energy of one inference.

    Args:
        settings: Constants.
        neurons: Hardware neurons of the network.
        synapses: Hardware synapses of the network.
        duration_s: Time that an inference takes, in seconds.
        step_s: Time of one sample, in seconds, where the network answers after each; None where it does not.
        tuned: How many of the synapses are resonators whose tunings are held; a line of their own where there are any.
    """
    counts = {"neurons": neurons, "synapses": synapses}
    constants = {"neurons": settings.per_neuron_j, "synapses": settings.per_synapse_j}
    powers = {"neurons": settings.neuron_power_w, "synapses": settings.synapse_power_w}
    running = counts | ({"tunings": tuned} if tuned else {})
    powers |= {"tunings": settings.tuning_power_w}
    doubts = {} if settings.tuning_power_w else {"tunings": "; not counted: energy.tuning_power is 0"}
    lines = [
        EnergyLine(
            "constants",
            part,
            count * constants[part],
            "estimated",
            f"{count} x {show_quantity(constants[part], 'J')}; {_ROSS}",
        )
        for part, count in counts.items()
    ]
    spans: tuple[tuple[Form, float, Literal["inference", "step"]], ...] = (
        ("power", duration_s, "inference"),
        ("rest", settings.rest_s, "inference"),
        ("power", step_s or 0.0, "step"),
    )
    for form, time_s, per in spans:
        lines += [
            EnergyLine(
                form,
                part,
                count * powers[part] * time_s,
                "estimated",
                f"{count} x {show_quantity(powers[part], 'W')} x {show_quantity(time_s, 's')}{doubts.get(part, '')}",
                per,
            )
            for part, count in running.items()
            if time_s > 0
        ]
    if settings.readout_per_inference_j > 0:
        lines.append(
            EnergyLine(
                "readout", "electronics", settings.readout_per_inference_j, "estimated", "energy.readout_per_inference"
            )
        )
    return EnergyLedger(neurons, synapses, duration_s, tuple(lines))


@dataclass(frozen=True)
class Spent:
    """What a few oscillators were played to find out what a whole network would do.

    Args:
        images: Inferences of the network.
        passes: Measurements of batches.
        uploads: Of waveforms.
        shots: Taken on the bank, averages counted.
        oscillators: That were on meanwhile.
        played_s: Length of all that was played, rests and averages included, in seconds.
        energy_j: What the bank measured for all that, in joules; None where it measures none.
    """

    images: int
    passes: int
    uploads: int
    shots: int
    oscillators: int
    played_s: float
    energy_j: float | None = None

    def plus(self, other: "Spent") -> "Spent":
        """Add what was played later on the same bank; measured only if both were."""
        measured = None if self.energy_j is None or other.energy_j is None else self.energy_j + other.energy_j
        return Spent(
            self.images + other.images,
            self.passes + other.passes,
            self.uploads + other.uploads,
            self.shots + other.shots,
            self.oscillators,
            self.played_s + other.played_s,
            measured,
        )


def spent_line(settings: EnergySettings, spent: Spent) -> EnergyLine:
    """Give the energy that an inference took on this bench, beside the account of the chip that it stands for.

    Args:
        settings: Constants.
        spent: At least one inference.
    """
    counted = f"{spent.shots} shots in {spent.passes} passes over {spent.images} inferences"
    if spent.energy_j is not None:
        source = f"supplies of the bank; {counted}"
        return EnergyLine("spent", "oscillators of this bench", spent.energy_j / spent.images, "measured", source)
    energy_j = spent.oscillators * settings.neuron_power_w * spent.played_s
    power, time = show_quantity(settings.neuron_power_w, "W"), show_quantity(spent.played_s, "s")
    source = f"{spent.oscillators} x {power} x {time}, rests included; {counted}"
    return EnergyLine("spent", "oscillators of this bench", energy_j / spent.images, "estimated", source)


def software_ledger(
    settings: EnergySettings,
    neurons: int,
    synapses: int,
    samples: float,
    duration_s: float,
    per_step: bool = False,
) -> EnergyLedger:
    """Estimate the energy of one inference of a network in software: one multiply-add per synapse and sample.

    Args:
        settings: Constants.
        neurons: Neurons of the network (their non-linearities are not counted).
        synapses: Synapses of the network, the read-out included.
        samples: Samples of a sequence; of unequal ones in the mean.
        duration_s: Time that the same inference takes in hardware, in seconds; kept with the ledger.
        per_step: Whether the network answers after each sample.
    """
    one_j = settings.per_multiply_add_j
    cost = f"{show_quantity(settings.per_multiply_add_j, 'J')}; {_HOROWITZ}"
    lines = [
        EnergyLine(
            "software", "multiply-adds", synapses * samples * one_j, "estimated", f"{synapses} x {samples:g} x {cost}"
        )
    ]
    if per_step:
        lines.append(
            EnergyLine("software", "multiply-adds", synapses * one_j, "estimated", f"{synapses} x {cost}", "step")
        )
    return EnergyLedger(neurons, synapses, duration_s, tuple(lines))
