"""The seam of a whole network: program parameters, play inputs, get a trace."""

import logging
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from spinhw.conversion import Conversion
from spinhw.device.assemble import assemble, up_to_ends, with_members
from spinhw.device.batch import Keeper, MeasuredBatch
from spinhw.device.description import Description
from spinhw.device.limits import check_finite
from spinhw.device.plan import ObservationPlan
from spinhw.device.reading import Reading
from spinhw.device.session import Session
from spinhw.device.trace import Trace
from spinhw.energy import Spent
from spinhw.errors import DeviceError
from spinhw.network.checks import tensor_of
from spinhw.rollout.kept import ordinary_tensors
from spinhw.sequences import held

_log = logging.getLogger(__name__)

# Read-back before and after a recovery must agree to this share of the largest value: below any synapse's precision.
_SAME = 1e-3


class Device(Session):
    """A device that runs a whole network. Public methods are final; backends fill the hooks here and in `Session`.

    Everything public is in model units, every hook in SI.

    Args:
        description: What the device is.
        conversion: Between model units and SI.
    """

    def __init__(self, description: Description, conversion: Conversion) -> None:
        super().__init__(description, conversion)
        self._programmed: dict[str, Tensor] = {}  # In SI, as sent last.
        self._kept: dict[str, Tensor] = {}  # In SI, as read back then.
        self._applied: dict[str, Tensor] = {}  # The same in model units.
        self._requested: dict[str, Tensor] = {}  # In model units, as asked for last.
        self._present: dict[str, Tensor] = {}  # Which synapses exist, (member, ...); all of those not named.
        self._afresh = False  # Whether weights are to be measured at this programming, where that is what it does.
        self._observes_all = False  # Whether every neuron is observed, asked for or not.

    @abstractmethod
    def _program(self, values: Mapping[str, Tensor]) -> None:
        """Send weights and biases, in SI and within limits, (member, ...) by name.

        `_present` says which synapses exist; a value of zero does not.
        """

    @abstractmethod
    def _read_back(self) -> dict[str, Tensor]:
        """Read what the hardware holds, in SI, (member, ...) by name; empty where nothing was programmed."""

    @abstractmethod
    def _run(
        self, inputs: Tensor, repeats: Sequence[Sequence[int]], averages: int, lengths: Tensor | None
    ) -> list[Reading]:
        """Play a whole batch `averages` times for each repeat and record.

        Args:
            inputs: In SI and within limits, (member, batch, time, input).
            repeats: Neurons to observe in each repeat; may be empty.
            averages: Shots to average over, at least 1.
            lengths: Samples of each sequence, (member, batch): where a hardware read-out answers; None for all of them.
                What is measured after an end is used by nobody.
        """

    def _spent(self) -> Spent | None:
        """Tell what a bank was played to stand for a chip; None for what is a chip."""
        return None

    def spent(self) -> Spent | None:
        """Tell what was played here to find out what a chip would do, batches before a `restore` counted.

        None for a device that is a chip, and before the first batch.
        """
        return self._spent()

    def record_with(self, keeper: Keeper) -> None:
        """Hand every batch from now on to a keeper, and count its batches as part of the state.

        A batch that cannot be kept ends the run: `run` raises what the keeper raises.
        """
        self._keeper, self._observes_all = keeper, keeper.observes_all

    @ordinary_tensors()
    def refuse_beyond_limits(self, parameters: Mapping[str, Tensor]) -> None:
        """Check that weights and biases could be programmed; the device need not be open, and nothing is sent.

        Args:
            parameters: As for `program`.

        Raises:
            LimitError: A value is beyond its limit.
            ValueError: A name or a shape is wrong.
        """
        self._check_names(parameters)
        held, _ = self._held_parameters(parameters)
        self._check_parameter_limits(self._conversion.parameters_to_si(held, self._description.kinds))

    @ordinary_tensors()
    def program(
        self,
        parameters: Mapping[str, Tensor],
        present: Mapping[str, Tensor] | None = None,
        *,
        afresh: bool = False,
    ) -> dict[str, Tensor]:
        """Set weights and biases, dimensionless, and read them back.

        Args:
            parameters: By name, such as "w_int.0" and "bias.0", (destination, source) or (neuron,); with the member
                axis in front for an ensemble. Every parameter of the device must be there; those of a software read-out
                may be.
            present: Which synapses exist, true or false, by name and in the shape of a weight, such as
                `SpintronicNetwork.masks` gives them. Where a weight is not named all of its synapses exist; a weight
                of zero says nothing. What does not exist is asked for as zero, and read back as zero.
            afresh: Whether weights that are found by measuring shall be measured now, before something is told of them;
                other devices do nothing about it.

        Returns:
            The same names with what was read back, detached from any gradient. The member axis is left out if it was
            left out everywhere and the device has one member.

        Raises:
            LimitError: A value is beyond its limit; nothing was sent.
            DeviceError: The device failed and was made safe.
            ValueError: A name or a shape is wrong, or a weight is asked of a synapse that does not exist.
        """
        self._require_open()
        self._check_names(parameters)
        held, bare = self._held_parameters(parameters)
        exists = self._existing(held, present or {})
        values = self._conversion.parameters_to_si(held, self._description.kinds)
        self._check_parameter_limits(values)
        # From here on a failure must not leave the last batch's values behind as if they were still set.
        self._programmed, self._requested, self._present, self._applied = values, held, exists, {}
        self._afresh = afresh
        self._kept, _ = self._attempt(lambda: self._send(values))
        applied = self._conversion.parameters_to_model(self._kept, self._description.kinds)
        self._applied = {
            name: torch.where(exists[name], value, torch.zeros_like(value)) if name in exists else value
            for name, value in applied.items()
        }
        software = self._description.software_parameters & set(parameters)
        handed_through = {name: parameters[name].detach() for name in software}
        return {name: value[0] if bare else value for name, value in self._applied.items()} | handed_through

    @ordinary_tensors()
    def run(
        self,
        inputs: Tensor,
        observe: ObservationPlan | None = None,
        averages: int = 1,
        lengths: Tensor | None = None,
    ) -> Trace:
        """Play a batch of inputs and measure.

        Args:
            inputs: u, dimensionless, (batch, time, input); for an ensemble (member, batch, time, input), or without the
                member axis for all members alike.
            observe: Which neurons in which repeat; by default all of them, in as few repeats as the channels allow. A
                recording of all neurons adds the others.
            averages: Shots to average over in each repeat, at least 1.
            lengths: Samples of each sequence, whole numbers of 1 and more, (batch) or (member, batch): a hardware
                read-out answers at each sequence's own end. From there on its last sample is played, whatever the
                inputs say, and what is measured is `Quality.UNOBSERVED`. None where all end with the time axis.

        Returns:
            The trace, without the member axis if the device has one member and the inputs came without it.

        Raises:
            LimitError: An input is beyond its limit; nothing was sent.
            DeviceError: The device failed and was made safe, or was not programmed.
            ValueError: A shape or the plan is wrong.
        """
        self._require_open()
        about = self._description
        played, bare = with_members(
            "inputs", tensor_of("inputs", inputs).detach(), (None, None, about.inputs), about.members
        )
        plan = observe or ObservationPlan.split(about.neurons, about.channels)
        plan.check(about.neurons, about.channels)
        if self._observes_all:
            plan = plan.completed(about.neurons, about.channels)
        if averages < 1:
            raise ValueError(f"averages must be at least 1, not {averages}")
        ends = None if lengths is None else _ends(lengths, played)
        played = held(played, ends)
        if not self._applied:
            raise DeviceError(f"{self.name} was not programmed", todo="call program(parameters) before run(inputs)")
        check_finite(self.name, "inputs", played)
        volts = self._conversion.input.to_si(played)
        if "input" in about.limits:
            about.limits["input"].check(self.name, "input", volts, self._conversion.input, about.device_ids)
        started, clock = time.time(), time.perf_counter()
        readings, repeats = self._attempt(lambda: self._run(volts, plan.repeats, averages, ends), self._reprogram)
        trace = assemble(readings, plan, about.neurons, self._conversion, about.device_ids, averages)
        trace = replace(
            trace if ends is None else up_to_ends(trace, ends, about.sample_interval_s),
            applied=self._applied,
            started_unix_s=started,
            duration_s=time.perf_counter() - clock,
            repeats_after_faults=repeats,
            seed=about.seed,
        )
        if self._keeper is not None:
            self._keeper.keep(MeasuredBatch(about, self._requested, played, plan, trace, self.snapshot(), ends))
        return trace.without_member() if bare and about.members == 1 else trace

    def _check_names(self, parameters: Mapping[str, Tensor]) -> None:
        about = self._description
        missing = sorted(set(about.parameters) - set(parameters))
        unknown = sorted(set(parameters) - set(about.parameters) - about.software_parameters)
        if missing or unknown:
            raise ValueError(f"{self.name}: parameters are missing: {missing}, or unknown: {unknown}")

    def _held_parameters(self, parameters: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], bool]:
        """Return the device's own parameters with the member axis, and whether it was left out everywhere."""
        about, held = self._description, {}
        bare = about.members == 1
        for name, one in about.parameters.items():
            value = tensor_of(name, parameters[name]).detach()
            held[name], left_out = with_members(f"parameter {name}", value, one.shape, about.members)
            bare = bare and left_out
            check_finite(self.name, f"parameter {name}", held[name])
        return held, bare

    def _existing(self, held: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Bring masks of the device's own weights to (member, ...)."""
        about, found = self._description, {}
        for name, mask in present.items():
            if about.parameters.get(name) is None:
                continue
            found[name], _ = with_members(f"mask of {name}", mask.bool(), about.parameters[name].shape, about.members)
            if bool(held[name].masked_select(~found[name]).any()):
                raise ValueError(f"{self.name}: {name} asks for synapses that do not exist; multiply it by its mask")
        return found

    def _check_parameter_limits(self, values: Mapping[str, Tensor]) -> None:
        about = self._description
        for name, value in values.items():
            kind = about.parameters[name].kind
            limit = about.limits.get(kind)
            if limit is not None:
                limit.check(self.name, f"{kind} {name}", value, self._conversion.of_parameter(kind), about.device_ids)

    def _send(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self._program(values)
        kept = self._read_back()
        if set(kept) != set(values):
            lost = sorted(set(values) - set(kept))
            raise DeviceError(f"{self.name}: parameters were not read back", seen=lost or sorted(kept))
        return kept

    def _reprogram(self) -> None:
        """Bring the parameters back after a fault; called on a device that was just reopened."""
        if not _same(self._read_back(), self._kept):
            _log.warning("%s: lost its parameters; programming them again", self.name)
        if not _same(self._send(self._programmed), self._kept):
            raise DeviceError(
                f"{self.name}: reads back other parameters than before the fault", todo="check the device"
            )


def _ends(lengths: Tensor, played: Tensor) -> Tensor:
    """Bring lengths to (member, batch) and check them against the inputs."""
    members, batch, time = played.shape[:3]
    ends, _ = with_members("lengths", tensor_of("lengths", lengths), (batch,), members)
    if ends.is_floating_point() or int(ends.min()) < 1 or int(ends.max()) > time:
        raise ValueError(f"lengths must be whole numbers from 1 to {time}, the samples of the inputs")
    return ends


def _same(seen: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> bool:
    if set(seen) != set(wanted):
        return False
    sizes = {name: float(value.abs().max()) if value.numel() else 0.0 for name, value in wanted.items()}
    return all(torch.allclose(seen[name], wanted[name], rtol=0.0, atol=_SAME * sizes[name]) for name in wanted)
