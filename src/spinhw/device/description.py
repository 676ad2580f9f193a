"""What a device or a bank is and can do."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from spinhw.conversion import ParameterKind
from spinhw.device.limits import Limit
from spinhw.network import Answer
from spinhw.physics import Ladder


@dataclass(frozen=True)
class Parameter:
    """One parameter of a device.

    Args:
        shape: Without the member axis: (destination, source), (neuron,), (resonator,).
        kind: "weight" of synapses, "bias" of neurons, or "tuning" of resonators: chooses conversion and limit.
        unit: SI unit in which it is sent and read back, such as "V".
    """

    shape: tuple[int, ...]
    kind: ParameterKind
    unit: str


@dataclass(frozen=True)
class Description:
    """What a session tells about itself.

    Args:
        kind: Backend, such as "simulated".
        device_ids: One for each member; a physical device has one member.
        neurons: Neurons of one member (for a bank: oscillators or resonators).
        sample_interval_s: Time for which an input (for a bank: a drive) sample is held, in seconds.
        readout_interval_s: Time between samples of the traces, in seconds.
        inputs: Input channels of a network.
        outputs: Outputs of a hardware read-out; 0 where the read-out is software.
        answer: Which samples of a sequence a hardware read-out answers with.
        channels: Neurons that can be observed at a time; None for all.
        observables: Signals that a trace has, among "power", "power0", "filtered", "outputs", "drive_applied".
        computed: Those of the observables that are computed from measured ones by the network's model.
        capabilities: "replay" (state and restore give the same bits again), "oracle" (has a true gradient), "energy"
            (measures energy).
        parameters: Those that the device holds, by name.
        software_parameters: Parameters of the network that stay in software; `program` hands them through.
        limits: Limits in SI by kind of parameter ("weight", "bias", "tuning") and of channel: "input", "drive", of a
            bank of synapses "RF power", "frequency"; absent means no limit.
        loop_delay_s: Delay of the feedback, in seconds.
        wires: What of the instruments each channel hangs on, by kind ("input", "neuron", "output"); empty where there
            are none.
        idle: What of a bench is wired and not used by the network, by kind; it stays off, or at 0 V.
        seed: What the hidden parameters of a simulated device are drawn from, with its ids; None for a physical one.
        ladder: The resonators of a bank of synapses, or of a device that takes tunings, as designed; None for others.
        power_ranges: What the read-out of each oscillator of a bank can record, in SI; empty where that is not known.
        latency_s: Delay that is taken off every record already, in seconds.
        least_rest_s: Rest before each segment that a bank keeps even where less is asked for, in seconds.
    """

    kind: str
    device_ids: tuple[str, ...]
    neurons: int
    sample_interval_s: float
    readout_interval_s: float
    inputs: int = 0
    outputs: int = 0
    answer: Answer = Answer()
    channels: int | None = None
    observables: frozenset[str] = frozenset()
    computed: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    software_parameters: frozenset[str] = frozenset()
    limits: Mapping[str, Limit] = field(default_factory=dict)
    loop_delay_s: float = 0.0
    wires: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    idle: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seed: int | None = None
    ladder: Ladder | None = None
    power_ranges: tuple[Limit, ...] = ()
    latency_s: float = 0.0
    least_rest_s: float = 0.0

    @property
    def members(self) -> int:
        """Number of chips side by side."""
        return len(self.device_ids)

    @property
    def kinds(self) -> dict[str, ParameterKind]:
        """Kind of each parameter, by name."""
        return {name: one.kind for name, one in self.parameters.items()}

    @property
    def takes_tunings(self) -> bool:
        """Whether the synapses of a network are told to it as tunings of resonators, and not as weights."""
        return "tuning" in self.kinds.values()

    def takes(self) -> list[str]:
        """Say in words what is programmed into each member, a line for each kind of parameter, with unit and limit."""
        lines = []
        for kind in dict.fromkeys(self.kinds.values()):
            held = [one for one in self.parameters.values() if one.kind == kind]
            count, units = sum(math.prod(one.shape) for one in held), "/".join(dict.fromkeys(one.unit for one in held))
            limit = self.limits.get(kind)
            within = "without limit" if limit is None else f"{limit.lowest:g} to {limit.highest:g} {units}"
            lines.append(f"{kind}: {count} values in {units}, {within}")
        return lines

    def remarks(self) -> list[str]:
        """Say in words, a line each, what of a bench stays idle, and what is computed instead of measured."""
        counts = {kind: (len(wires), len(self.wires[kind]) + len(wires)) for kind, wires in self.idle.items()}
        rest = ", ".join(f"{idle} of {wired} {kind}s" for kind, (idle, wired) in counts.items())
        lines = [f"not used: {rest}; sources there stay off, synapses and biases at 0 V"] if rest else []
        if "filtered" in self.computed:
            lines.append("y is not measured: it is computed from the power by the high-pass of the network as designed")
        return lines

    @property
    def name(self) -> str:
        """Name for messages: the id, or the first and last of several."""
        return self.device_ids[0] if self.members == 1 else f"{self.device_ids[0]} to {self.device_ids[-1]}"
