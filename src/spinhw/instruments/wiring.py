"""What hangs on which channel of which instrument, and the time bases of a bench."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from spinhw.config import Settings
from spinhw.errors import MisfitError
from spinhw.instruments.references import (
    Level,
    ReadoutPath,
    Reference,
    Use,
    by_key,
    check_apart,
    check_sharing,
    uses_of,
)
from spinhw.physics import Ladder
from spinhw.units import CurrentA, DurationS, FrequencyHz, Quantity, VoltageV

# Name of a weight matrix.
Matrix = Annotated[str, Field(pattern=r"^(w_ext\.\d+|w_int\.\d+|w_out)$")]
ConductanceS = Annotated[float, Quantity("S", positive=True)]


class Timing(Settings):
    """Time bases: rates of source and digitizer, and what is late by how much."""

    source_rate_hz: FrequencyHz = Field(description="Sample rate of the waveform sources.")
    digitizer_rate_hz: FrequencyHz = Field(description="Sample rate of the digitizers, at least.")
    trigger: Literal["software", "external"] = Field(
        default="software", description="Who starts the sources: this computer, or a trigger at their inputs."
    )
    trigger_threshold_v: VoltageV = Field(default=1.0, description="Threshold of the digitizers' trigger inputs.")
    latency_s: DurationS = Field(
        default=0.0, description="From the trigger edge at the digitizer to the first input at the neurons, and back."
    )
    rest_s: DurationS = Field(default=0.0, description="Rest before each segment of a batch.")


class _Readouts(Settings):
    timing: Timing = Field(description="Time bases.")
    supply: tuple[Reference, ...] = Field(
        default=(), description="Current sources that feed the oscillators; where they measure, they give the energy."
    )
    supply_current_a: CurrentA | None = Field(
        default=None,
        description="Current of each supply, ramped up before the first batch; null: set by hand, only measured. "
        "In a bank it is added to every drive, and the sources play the rest.",
    )

    def hand_set(self) -> tuple[str, ...]:
        """List the supplies that somebody sets by hand."""
        return self.supply if self.supply_current_a is None else ()

    def levels(self) -> Iterator[Level]:
        """Go through what is set at outputs as the file says: key, output, value in SI and its unit."""
        if self.supply_current_a is not None:
            for reference in self.supply:
                yield "supply_current", reference, self.supply_current_a, "A"

    def _supply_uses(self) -> Iterator[Use]:
        for number, reference in enumerate(self.supply):
            yield f"supply[{number}]", reference, "current-source"


class ResonatorDesign(Settings):
    """The resonators of a chain as designed: a ladder of resonances, one for each source."""

    frequency_hz: FrequencyHz = Field(description="Resonance of the first as designed, at tuning 0; above zero.")
    spacing_hz: FrequencyHz = Field(description="Distance to the next as designed; above zero.")
    half_linewidth_hz: FrequencyHz = Field(description="Half linewidth as designed; above zero.")
    tuning_span_hz: FrequencyHz = Field(description="Shift of a resonance by a tuning of 1, as designed; above zero.")
    max_weight: float = Field(default=1.0, gt=0.0, description="Largest weight as designed, w_max; above zero.")

    def ladder(self) -> Ladder:
        """Return it as the physics knows it."""
        widths = (self.half_linewidth_hz, self.tuning_span_hz, self.max_weight)
        return Ladder(self.frequency_hz, self.spacing_hz, *widths)


class ChainWiring(Settings):
    """What measures the chains of a chip one by one, in place of the neurons: one RF tone for all, and voltmeters."""

    tone: Reference = Field(
        description="Output of the RF source whose tone reaches every chain in place of the neurons, such as 'tone.1'."
    )
    meters: dict[Matrix, tuple[ReadoutPath, ...]] = Field(
        min_length=1,
        description="Inputs of voltmeters by weight matrix, one for each row, which is a chain: {w_int.0: ['nvm.1 via "
        "chains.1101', ...]}. They read what its resonators rectify, in front of high-pass and gate; "
        "conversion.output says what a weight at full power is there.",
    )

    def paths(self) -> dict[str, str]:
        """Return the path of each chain by its place in the file, such as "chains.meters.w_int.0[3]"."""
        return {
            key: path
            for matrix, paths in self.meters.items()
            for key, path in by_key(f"chains.meters.{matrix}", paths).items()
        }


class ChipWiring(_Readouts):
    """A whole network on a chip: inputs are played, synapses programmed, neurons observed."""

    kind: Literal["chip"] = Field(description="'chip': a whole network.")
    inputs: tuple[Reference, ...] = Field(min_length=1, description="Outputs of waveform sources, one for each input.")
    synapses: Reference = Field(description="The synapse controller, such as 'board.all'.")
    resonators: ResonatorDesign | None = Field(
        default=None,
        description="The resonators as designed, where the controller tunes them in place of setting weights; "
        "conversion.weight is then the voltage of a tuning of 1. Null: it sets weights.",
    )
    chains: ChainWiring | None = Field(
        default=None,
        description="What measures the chains of resonators one by one (spinhw calibrate --plan chains); null where "
        "nothing is wired for that.",
    )
    neurons: tuple[ReadoutPath, ...] = Field(
        min_length=1, description="Inputs of digitizers, one for each neuron, perhaps via a crosspoint of a switch."
    )
    layers: tuple[Annotated[int, Field(ge=1)], ...] | None = Field(
        default=None,
        description="Neurons of each layer of the chip, first layer first: says which synapse is which where a network "
        "has fewer neurons than are wired. It then uses the first ones of each layer, and the others stay without "
        "synapses. Null: every network has all neurons that are wired.",
    )
    observed: Literal["power", "filtered"] = Field(
        default="power",
        description="What is led out of a neuron: its 'power' x, or 'filtered' y behind its high-pass. A read-out in "
        "software, which needs y, computes it from x by the high-pass of the network as designed.",
    )
    outputs: tuple[ReadoutPath, ...] = Field(
        default=(), description="Inputs of digitizers, one for each output of a hardware read-out, as for neurons."
    )
    gate: Reference | None = Field(
        default=None,
        description="Output of a waveform source that lets synapses and biases act while an image is played; null "
        "where the bench does that by itself.",
    )
    gate_open_v: VoltageV = Field(default=1.0, description="Voltage that opens the gate; 0 V shuts it.")

    def levels(self) -> Iterator[Level]:
        """Go through what is set at outputs as the file says: key, output, value in SI and its unit."""
        yield from super().levels()
        if self.gate is not None:
            yield "gate_open", self.gate, self.gate_open_v, "V"
            yield "gate (shut)", self.gate, 0.0, "V"
        if self.chains is not None and self.resonators is not None:
            design, widest = self.resonators, max(len(self.inputs), *(self.layers or (1,)))
            yield "resonators.frequency", self.chains.tone, design.frequency_hz, "Hz"
            last_hz = design.frequency_hz + (widest - 1) * design.spacing_hz
            yield "resonators.spacing", self.chains.tone, last_hz, "Hz"

    def references(self) -> Iterator[Use]:
        """Go through every channel that is used."""
        for number, reference in enumerate(self.inputs):
            yield f"inputs[{number}]", reference, "waveform-source"
        yield "synapses", self.synapses, "synapse-controller"
        if self.gate is not None:
            yield "gate", self.gate, "waveform-source"
        yield from uses_of(by_key("neurons", self.neurons) | by_key("outputs", self.outputs), "digitizer")
        yield from self._supply_uses()
        if self.chains is not None:
            yield "chains.tone", self.chains.tone, "rf-source"
            yield from uses_of(self.chains.paths(), "dc-voltmeter")

    @model_validator(mode="after")
    def _chains_are_of_resonators(self) -> "ChipWiring":
        if self.chains is not None and self.resonators is None:
            raise MisfitError(
                "chains are wired, but nothing says which resonators they have",
                seen="chains without resonators",
                allowed="the resonators as designed, under wiring.resonators",
                todo="state them, or take chains out of a chip that is told weights",
            )
        return self

    @model_validator(mode="after")
    def _layers_are_of_the_neurons(self) -> "ChipWiring":
        if self.layers is not None and sum(self.layers) != len(self.neurons):
            raise MisfitError(
                "layers and neurons are of different chips",
                seen=f"{sum(self.layers)} neurons in layers, {len(self.neurons)} wired",
                allowed="as many in all layers as are wired",
                todo="wire every neuron of the chip, or correct layers",
            )
        return self

    @model_validator(mode="after")
    def _behind_chains_no_wire_carries_y(self) -> "ChipWiring":
        if self.resonators is not None and self.observed == "filtered":
            raise MisfitError(
                "observed is 'filtered', but with resonators the high-pass stands behind the chains of a destination, "
                "and y of a neuron is on no wire",
                seen="observed: filtered, with resonators",
                allowed="observed: power",
                todo="lead the power out; a read-out in software computes y from it",
            )
        return self

    @model_validator(mode="after")
    def _each_source_plays_one_thing(self) -> "ChipWiring":
        check_apart(by_key("inputs", self.inputs) | ({} if self.gate is None else {"gate": self.gate}))
        return self

    @model_validator(mode="after")
    def _shared_inputs_are_switched(self) -> "ChipWiring":
        check_sharing(by_key("neurons", self.neurons))
        check_sharing(by_key("outputs", self.outputs))
        check_sharing({} if self.chains is None else self.chains.paths())
        return self


class OscillatorWiring(_Readouts):
    """Single oscillators: drive waveforms are played through them, and their power is recorded."""

    kind: Literal["oscillators"] = Field(description="'oscillators': a bank of uncoupled oscillators.")
    drives: tuple[Reference, ...] = Field(min_length=1, description="Outputs of waveform sources, one per oscillator.")
    transconductance_s: ConductanceS = Field(
        description="Current through an oscillator per volt of its waveform source: '20 mS'."
    )
    powers: tuple[ReadoutPath, ...] = Field(min_length=1, description="Inputs of digitizers, one for each oscillator.")
    filtered: dict[Annotated[int, Field(ge=0)], ReadoutPath] = Field(
        default={},
        description="Inputs of digitizers behind the high-pass of some oscillators or all, by number counted from 0: "
        "{0: scope.3}. They are recorded with the power, and tell the corner of the high-pass.",
    )

    def references(self) -> Iterator[Use]:
        """Go through every channel that is used."""
        for number, reference in enumerate(self.drives):
            yield f"drives[{number}]", reference, "waveform-source"
        yield from uses_of(self._recorded(), "digitizer")
        yield from self._supply_uses()

    def _recorded(self) -> dict[str, str]:
        return by_key("powers", self.powers) | {f"filtered[{number}]": path for number, path in self.filtered.items()}

    @model_validator(mode="after")
    def _lists_fit(self) -> "OscillatorWiring":
        if len(self.drives) != len(self.powers):
            raise ValueError(f"there are {len(self.drives)} drives and {len(self.powers)} powers; each needs its own")
        unknown = [number for number in self.filtered if number >= len(self.drives)]
        if unknown:
            raise ValueError(f"filtered names oscillator {unknown[0]}; there are 0 to {len(self.drives) - 1}")
        check_apart(by_key("drives", self.drives))
        check_sharing(self._recorded())
        return self


class ResonatorWiring(ResonatorDesign):
    """RF resonators in one chain: each tuned by a voltage, all fed with one RF tone, read as one rectified voltage."""

    kind: Literal["resonators"] = Field(description="'resonators': a bank of synapses.")
    resonators: int = Field(ge=1, le=1000, description="How many, 1 to 1000; at addresses 0, 1, ... of the controller.")
    tuning: Reference = Field(description="The synapse controller that tunes them, such as 'board.all'.")
    tone: Reference = Field(description="Output of the RF source, such as 'tone.1'.")
    meter: Reference = Field(description="Input of the voltmeter at the end of the chain, such as 'nvm.1'.")

    def hand_set(self) -> tuple[str, ...]:
        """List the supplies that somebody sets by hand; resonators have none."""
        return ()

    def levels(self) -> Iterator[Level]:
        """Go through what is set at outputs as the file says: key, output, value in SI and its unit."""
        yield "frequency", self.tone, self.frequency_hz, "Hz"
        last_hz = self.frequency_hz + (self.resonators - 1) * self.spacing_hz
        yield "spacing", self.tone, last_hz, "Hz"

    def references(self) -> Iterator[Use]:
        """Go through every channel that is used."""
        yield "tuning", self.tuning, "synapse-controller"
        yield "tone", self.tone, "rf-source"
        yield "meter", self.meter, "dc-voltmeter"


Wiring = Annotated[ChipWiring | OscillatorWiring | ResonatorWiring, Field(discriminator="kind")]
