"""A network whose forward pass is measured on a device and whose gradient comes from elsewhere, for any loop."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from spinhw.device import Device, ObservationPlan, Signal, SimulatedDevice, Trace
from spinhw.device.told import refuse_training_of_weights
from spinhw.errors import ConfigError
from spinhw.gradients.base import (
    Choices,
    Pass,
    Values,
    end_signal,
    logits_of,
    measured_value_modelled_gradient,
    straight_through,
)
from spinhw.gradients.chain_drift import put_resonances, resonances, take_out
from spinhw.gradients.channels import ChannelMask, Expected
from spinhw.gradients.checks import (
    mode_named,
    refuse_loop,
    refuse_mode,
    refuse_other_masks,
    refuse_plan,
    refuse_surrogate,
)
from spinhw.gradients.device_watch import DeviceWatch
from spinhw.gradients.layerwise import layer_sparsities
from spinhw.gradients.refits import Refit, Refits
from spinhw.gradients.shots import inferences, refuse_members, shoot
from spinhw.gradients.shown import last_layer, plan_of_last_layer, readout_plan, shown_outputs
from spinhw.gradients.truth import true_end_for
from spinhw.network import SpintronicNetwork, outputs_of
from spinhw.network.checks import whole_number
from spinhw.physics import Chain
from spinhw.rollout import Engine, Neurons
from spinhw.rollout.kept import ordinary, ordinary_tensors
from spinhw.sequences import held
from spinhw.states import part_of

# Images of a batch by which it is told whether a channel that shows nothing but noise should vary.
_LOOKED_AT = 20


class HardwareInLoop(nn.Module):
    """A network in the loop with a device: use it where the network itself would stand.

    The optimiser updates the network's (requested) values, the surrogate runs on the applied ones. The parameters are
    the network's; after each step of the optimiser call `network.limit_weights_()`, as without a device.

    Args:
        network: One network or an ensemble; its masks must not change any more.
        device: Open, with one chip or one for each member; None for mode "surrogate" only. On a device with one chip
            the members of an ensemble run one after another.
        mode: A gradient mode: "output", "layerwise", "surrogate", "observer", "spsa", "finite_difference", "oracle".
        surrogate: Neurons of the model, (member or 1, neuron); None for the nominal ones of the network.
        refit: Refits the surrogate from each batch just measured, before its gradient is taken: one for each chip, in
            the order of the members. None leaves the surrogate as it is.
        averages: Shots to average over, at least 1.
        observe: Which neurons in which repeat; None chooses. Modes that need neurons observe all of them, in as many
            repeats as the channels of the device ask for. For a refit alone each batch observes as many as there are
            channels, in turn, which takes no further shots.
        choices: For the modes that perturb or steer.
        engine: Engine of the surrogate's rollout.
        mask: Judges every channel in each batch, and masks those that stay bad; None for nobody.
        watch: Looks for drift of the neurons, by their power; they are observed as for a refit. None for nobody.

    Raises:
        ConfigError: Something does not go together; says what.
    """

    def __init__(
        self,
        network: SpintronicNetwork,
        device: Device | None,
        mode: str = "output",
        surrogate: Neurons | None = None,
        refit: Refit | Sequence[Refit] | None = None,
        averages: int = 1,
        observe: ObservationPlan | None = None,
        choices: Choices | None = None,
        engine: Engine = "auto",
        mask: ChannelMask | None = None,
        watch: DeviceWatch | None = None,
    ) -> None:
        super().__init__()
        refuse_loop(network, device)
        if device is not None:
            refuse_training_of_weights(network.settings, device.describe())
        self.mask, self.watch = mask, watch
        self.network, self.device, self.mode = network, device, mode
        self.averages, self.observe, self.engine = averages, observe, engine
        self.choices = choices or Choices()
        self.surrogate, self.refit, self.refits = surrogate, refit, _refits(refit, network)
        self.trace: Trace | None = None  # What was measured last, members in front.
        self.turn = 0  # Passes so far: keys random directions and what is observed.
        self.inferences = 0  # Sequences played on the device so far.
        self._groups = 1  # Batches after which every neuron was observed.
        self._members = len(network.b_out) if network.ensemble else 1
        self._refuse_misfits(surrogate or network.neurons())
        self._masks = {name: mask.clone() for name, mask in network.masks().items()}
        self._sparsities = layer_sparsities(network.heard(network.member_masks()))

    def _refuse_misfits(self, neurons: Neurons) -> None:
        refuse_mode(self.mode, self.device, "mode")
        refuse_surrogate(self.network, neurons, self.device)
        if self.device is None:
            if self.refits is not None:
                raise ConfigError(
                    "refit: there is nothing to refit from", seen="no device", todo="give a device, or leave it out"
                )
            return
        refuse_members(self.device, self._members)
        refuse_plan(self.mode, self.device, self.observe, "mode")
        if self.refits is not None and len(self.refits.each) != self.device.describe().members:
            raise ConfigError(
                f"{self.device.name}: each chip needs a refit of its own",
                seen=len(self.refits.each),
                allowed=str(self.device.describe().members),
                todo="give a sequence of refits, in the order of the members",
            )
        whole_number("averages", self.averages, 1)

    @property
    def neurons(self) -> Neurons:
        """The neurons of the surrogate as they are now, (member or 1, neuron)."""
        nominal = self.network.neurons()
        if self.refits is not None:
            return self.refits.neurons(nominal)
        return nominal if self.surrogate is None else self.surrogate

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Measure a batch and return its answers as the network gives them; their gradient comes from the mode.

        Arguments and errors as of `answers`.
        """
        self.network.check(inputs, lengths)
        played = inputs if self.network.ensemble else inputs[None]
        ends = lengths if lengths is None or self.network.ensemble else lengths[None]
        return self.network.as_called(self.answers(played, ends))

    def answers(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Measure a batch and return its answers, whose gradient comes from the mode.

        Args:
            inputs: u, (member, batch, time, input); `forward` takes what the network takes.
            lengths: Samples of each sequence, (member, batch); None where all end with the time axis.

        Returns:
            Logits, or values, (member, batch, answer, output).

        Raises:
            LimitError: A weight, bias or input is beyond a limit of the device.
            DeviceError: The device failed and was made safe.
            ConfigError: The masks of the network have changed.
        """
        if torch.is_inference_mode_enabled():  # What is learned from this batch must serve gradients later.
            with ordinary_tensors():
                return self.answers(ordinary(inputs), None if lengths is None else ordinary(lengths))
        refuse_other_masks(self._masks, self.network)
        inputs = held(inputs, lengths)
        if self.refits is not None and mode_named(self.mode).uses_surrogate:
            taken = take_out(self.network, self.refits)
            if self.watch is not None:
                self.watch.forget_shifts(taken)
        requested = self.network.member_programmed()
        self.trace = self._measure(requested, inputs, lengths)
        if self.refits is not None and self.trace is not None:
            self.refits.update(inputs, self.trace, self._groups)
            if "w_out" in self.network.tuned() and self.trace.power is not None:
                shown = shown_outputs(self.trace, self.neurons, self.network.steps.sample_interval_s)
                self.refits.look_at_readout(last_layer(shown, self.network, lengths), self.trace)
        if self.watch is not None and self.trace is not None:
            self.watch.update(inputs, self.trace, self._groups)
        one = self._pass(requested, inputs, lengths)
        model = mode_named(self.mode).model(one)
        measured = None if self.trace is None else end_signal(self.trace, self.network, lengths)
        self.turn += 1
        return logits_of(self.network, measured_value_modelled_gradient(measured, model))

    @torch.no_grad()
    def end_for(self, values: Values, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Signal, Values]:
        """Measure the end signal for other requested values than the network's; takes shots of its own.

        Returns it and the values as they were read back, (member, ...) by name.

        Args:
            values: As a device is told them, by name, (member, ...).
            inputs: u, (member, batch, time, input).
            lengths: Samples of each sequence, (member, batch); None where all end with the time axis.
        """
        if self.device is None:
            raise ConfigError("there is no device to measure on", todo="give HardwareInLoop a device")
        plan = readout_plan(self.device.describe(), self.network.settings)
        played = held(inputs, lengths)
        trace = self._shoot(self.device, values, played, plan, lengths)
        return end_signal(trace, self.network, lengths), trace.applied

    @torch.no_grad()
    def states(self, inputs: Tensor, lengths: Tensor | None = None) -> Signal:
        """Measure y of the last layer at the samples that answer, whatever the read-out; takes shots of its own.

        Args:
            inputs: u, (member, batch, time, input).
            lengths: Samples of each sequence, (member, batch); None where all end with the time axis.

        Returns:
            (member, batch, sample, neuron), not pooled.

        Raises:
            LimitError: A weight, bias or input is beyond a limit of the device.
            DeviceError: The device failed and was made safe.
            ConfigError: There is no device, or it shows neither y nor the power.
        """
        if self.device is None:
            raise ConfigError("there is no device to measure on", todo="give HardwareInLoop a device")
        network, plan = self.network, plan_of_last_layer(self.device.describe(), self.network.settings)
        self.trace = self._judged(
            self._shoot(self.device, network.member_programmed(), inputs, plan, lengths), inputs, lengths
        )
        self.turn += 1
        shown = shown_outputs(self.trace, self.neurons, network.steps.sample_interval_s)
        return last_layer(shown, network, lengths)

    def state(self) -> dict[str, Any]:
        """Give counters, channels and alarms as plain data for JSON; device and refits have states of their own."""
        found: dict[str, Any] = {"turn": self.turn, "inferences": self.inferences}
        if self.mask is not None:
            found["channels"] = self.mask.state()
        if self.watch is not None:
            found["drift"] = self.watch.state()
        return found

    def tensors(self) -> dict[str, Tensor]:
        """Give the tensors that a checkpoint must hold: what refits and charts know."""
        found = {} if self.refits is None else self.refits.state()
        if self.refits is not None:
            found |= {f"resonances/{name}": one for name, one in resonances(self.network).items()}
        charts = {} if self.watch is None else self.watch.tensors()
        return found | {f"drift/{name}": one for name, one in charts.items()}

    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor] | None = None) -> None:
        """Go back to a state that `state` and `tensors` gave; without tensors refits and charts begin anew."""
        tensors = tensors or {}
        if self.refits is not None and tensors:
            self.refits.restore(tensors)
            put_resonances(self.network, part_of(tensors, "resonances"))
        if self.watch is not None and tensors and "drift" in state:
            self.watch.restore(state["drift"], part_of(tensors, "drift"))
        self.turn, self.inferences = int(state["turn"]), int(state["inferences"])
        if self.mask is not None and "channels" in state:
            self.mask.restore(state["channels"])

    def _measure(self, requested: Values, inputs: Tensor, lengths: Tensor | None) -> Trace | None:
        if self.device is None or mode_named(self.mode).measured == "nothing":
            return None
        trace = self._shoot(self.device, requested, inputs, self._plan(self.device), lengths)
        return self._judged(trace, inputs, lengths)

    def _judged(self, trace: Trace, inputs: Tensor, lengths: Tensor | None) -> Trace:
        """Leave out what the mask says; where nobody judges, nothing."""
        if self.mask is None:
            return trace
        some = None if lengths is None else lengths[:, :_LOOKED_AT]
        return self.mask.judge(trace, lambda: self._expected(trace, inputs[:, :_LOOKED_AT], some))

    @torch.no_grad()
    def _expected(self, trace: Trace, inputs: Tensor, lengths: Tensor | None) -> Expected:
        """Give what the surrogate makes of some images."""
        network, applied = self.network, trace.applied
        told = {name: applied.get(name, value) for name, value in network.member_programmed().items()}
        values = network.as_they_act(told, network.member_masks(), self._resonators())
        played = inputs if network.ensemble else inputs[0]
        run = network.run(played, values=values, neurons=self.neurons, engine=self.engine)
        y = network.answer.take(run.filtered[..., -network.settings.layers[-1] :], lengths)
        return Expected(run.power, run.filtered, outputs_of(y, values["w_out"]))

    def _shoot(
        self, device: Device, requested: Values, inputs: Tensor, plan: ObservationPlan, lengths: Tensor | None
    ) -> Trace:
        detached = {name: value.detach() for name, value in requested.items()}
        trace = shoot(device, detached, inputs, plan, self.averages, lengths, self.network.member_masks())
        self.inferences += inferences(inputs, device, trace)
        return trace

    def _plan(self, device: Device) -> ObservationPlan:
        """Give what to observe in this pass."""
        if self.observe is not None:
            return self.observe
        about = device.describe()
        if mode_named(self.mode).measured == "neurons":
            return ObservationPlan.split(about.neurons, about.channels)
        needed = readout_plan(about, self.network.settings)
        if (self.refits is None and self.watch is None) or needed.neurons:
            return needed
        groups = ObservationPlan.split(about.neurons, about.channels).repeats
        self._groups = len(groups)
        return ObservationPlan((groups[self.turn % len(groups)],))

    def _pass(self, requested: Values, inputs: Tensor, lengths: Tensor | None) -> Pass:
        device, trace = self.device, self.trace
        applied = {} if trace is None else trace.applied
        masks = self.network.member_masks()
        truth = (
            partial(true_end_for, device, self.network, inputs, lengths, self.choices.oracle_steps_per_ns)
            if isinstance(device, SimulatedDevice)
            else None
        )
        told = {
            name: straight_through(value, applied[name], masks.get(name)) if name in applied else value
            for name, value in requested.items()
        }
        acting = self.network.as_they_act(told, masks, self._resonators())
        return Pass(
            network=self.network,
            values={name: self._as_it_acts(name, one) if name in applied else one for name, one in acting.items()},
            told=told,
            neurons=self.neurons,
            steps=self.network.steps,
            inputs=inputs,
            lengths=lengths,
            trace=trace,
            measure=None if trace is None else partial(self.end_for, inputs=inputs, lengths=lengths),
            truth=truth,
            held=frozenset(applied),
            turn=self.turn,
            sparsities=self._sparsities,
            choices=self.choices,
            engine=self.engine,
        )

    def _resonators(self) -> dict[str, Chain] | None:
        """Give the resonators as a refit has found them; None where the network's own are taken."""
        if self.refits is None or not mode_named(self.mode).uses_surrogate:
            return None
        return self.refits.resonators()

    def _as_it_acts(self, name: str, applied: Tensor) -> Tensor:
        """Give what a weight is taken for in the model: what was read back, but for the error that a refit found."""
        if self.refits is None or not mode_named(self.mode).uses_surrogate:
            return applied
        factor = self.refits.acting(name)
        return applied if factor is None else applied * factor.to(applied.dtype)


def _refits(refit: Refit | Sequence[Refit] | None, network: SpintronicNetwork) -> Refits | None:
    if refit is None:
        return None
    return Refits(refit if isinstance(refit, Sequence) else [refit], network)
