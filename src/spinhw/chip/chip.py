"""A simulated chip that runs a whole network; or several chips side by side, each as it would be alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from spinhw.chip.converter import convert
from spinhw.chip.draw import Identity
from spinhw.chip.fine import chunks, fine_steps, join, thermal_extras
from spinhw.chip.oscillators import HiddenOscillators
from spinhw.chip.recorder import ChipRecorder, ChipTruth, Measurement
from spinhw.chip.settings import ChipSettings
from spinhw.chip.synapses import ChipSynapses
from spinhw.errors import ConfigError
from spinhw.network import Answer, NetworkSettings, outputs_of, tuned_shapes
from spinhw.physics import Chain
from spinhw.rollout import Engine, Neurons, Rollout, Sparsity, Steps, Weights, rollout


class Chip:
    """The simulated truth. It speaks model units and always has the member axis in front.

    Its hidden parameters follow from its identity, its shot noise from identity and shot number; nothing is drawn anew
    silently. Outputs are the answers W_out y; gain and bias of the read-out, logits = out_gain * outputs + b_out, are
    software.

    Args:
        settings: Imperfections.
        network: The network as designed; its neurons are the nominal ones, its bias drive and saturation the
            electronics.
        identities: Who the chips are, one for each member.
        sample_interval_s: Time for which each input sample is held, in seconds.
        dtype: Floating-point type of the integration.
        answer: Which samples of a sequence a hardware read-out answers with; None as the network says.
    """

    def __init__(
        self,
        settings: ChipSettings,
        network: NetworkSettings,
        identities: Sequence[Identity],
        sample_interval_s: float,
        dtype: torch.dtype = torch.float32,
        answer: Answer | None = None,
    ) -> None:
        _check_kind(settings, network)
        self.settings, self.network, self.identities, self.dtype = settings, network, tuple(identities), dtype
        self.sample_interval_s, self.answer = sample_interval_s, answer or network.answer
        nominal = network.neurons(torch.float64)
        self.hidden = HiddenOscillators.draw(settings, nominal, self.identities)
        self._synapses = ChipSynapses(settings, self.identities)
        outputs = network.outputs if network.readout == "hardware" else 0
        self._recorder = ChipRecorder(settings, self.identities, nominal.gamma.shape[1], outputs)
        self._writes, self._written = 0, 0  # Programmings, and the shots before the last one.
        self.acting: dict[str, Tensor] = {}  # What was programmed, by name, with the chip's hidden errors.
        self._sparsity: Sparsity | None = None  # Synapses that were ever on: the others need no arithmetic.

    @property
    def shots(self) -> int:
        """Shots taken so far."""
        return self._recorder.shots

    def resonators(self) -> dict[str, Chain]:
        """Return the resonators of every matrix as they are, (member, destination, source), by parameter name."""
        shapes = tuned_shapes(self.network)
        return {name: self._synapses.resonators(name, shape, self.shots) for name, shape in shapes.items()}

    @torch.no_grad()
    def program(
        self, requested: Mapping[str, Tensor], present: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Set weights and biases, (member, ...) by name.

        Args:
            requested: The values.
            present: Which synapses exist, by name of a weight, shaped as it; all of those whose weight is not named.

        Returns:
            What a read-back tells: the rounded values, without the chip's hidden errors.
        """
        applied = {name: self._synapses.applied(name, value.to(self.dtype)) for name, value in requested.items()}
        self._written = self.shots
        self.acting = {
            name: self._synapses.acting(name, value, self._writes, (present or {}).get(name), self._written)
            for name, value in applied.items()
        }
        self._writes += 1
        return applied

    @torch.no_grad()
    def write_and_read(self, name: str, requested: Tensor, present: Tensor, readings: int) -> tuple[Tensor, Tensor]:
        """Write those resonators of a matrix whose tunings change, and read the weights of its chains, tone by tone.

        The others keep the scatter with which they were written. A later `program` of the same tunings keeps it too.

        Args:
            name: Parameter name.
            requested: Tunings, (member, destination, source).
            present: Which resonators exist, likewise.
            readings: Over which each weight is averaged, 1 and above; each has the noise of the output read-out and
                passes its converter.

        Returns:
            The tunings as a read-back tells them, and the weights as measured, both (member, destination, source).
        """
        applied = self._synapses.applied(name, requested.to(self.dtype))
        self._synapses.write_changed(name, applied, self._writes)
        acting = self._synapses.acting(name, applied, self._writes, present).double()
        noise, key = self.settings.output_readout.noise, ("chain readings", name, self._writes)
        drawn = torch.stack([one.normals((readings, *acting.shape[1:]), *key) for one in self.identities], 1)
        self._writes += 1
        return applied, convert(acting + noise * drawn, self.settings.output_readout.adc)[0].mean(0)

    def measure(
        self, inputs: Tensor, repeats: Sequence[Sequence[int]], averages: int = 1, lengths: Tensor | None = None
    ) -> list[Measurement]:
        """Play inputs and measure.

        Args:
            inputs: u, (member, batch, time, input); clipped and rounded by the input DAC.
            repeats: Neurons observed in each repeat.
            averages: Shots of each repeat.
            lengths: Samples of each sequence, (member, batch); None where all end with the time axis.
        """
        played, _ = convert(inputs.to(self.dtype), self.settings.input_dac)
        return self._recorder.record(lambda shot: self._respond(self.acting, played, lengths, shot), repeats, averages)

    def oracle(
        self,
        requested: Mapping[str, Tensor],
        inputs: Tensor,
        steps: Steps | None = None,
        shot: int | None = None,
        engine: Engine = "auto",
        lengths: Tensor | None = None,
        present: Mapping[str, Tensor] | None = None,
    ) -> ChipTruth:
        """Give what the chip does now, differentiable by torch in the requested values: the true gradient.

        Takes no shot. Rounding passes the gradient straight through. The whole batch is kept for the backward pass, in
        memory that grows with the integration steps.

        Args:
            requested: Weights and biases, (member, ...) by name.
            inputs: As for `measure`.
            steps: Other than the chip's own, for a cheaper gradient.
            shot: Number of a shot whose thermal noise is added, and whose read-out the outputs and y pass; None for
                neither.
            engine: Engine of the rollout.
            lengths: As for `measure`.
            present: As for `program`.
        """
        applied = {name: self._synapses.applied(name, value.to(self.dtype)) for name, value in requested.items()}
        write = max(0, self._writes - 1)
        acting = {
            name: self._synapses.acting(name, value, write, (present or {}).get(name), self._written)
            for name, value in applied.items()
        }
        played, _ = convert(inputs.to(self.dtype), self.settings.input_dac)
        truth = self._respond(acting, played, lengths, shot, steps, engine)
        return truth if shot is None else self._recorder.read(truth, shot)

    def _respond(
        self,
        acting: Mapping[str, Tensor],
        inputs: Tensor,
        lengths: Tensor | None,
        shot: int | None,
        steps: Steps | None = None,
        engine: Engine = "auto",
    ) -> ChipTruth:
        steps = steps or fine_steps(self.sample_interval_s, self.settings.steps_per_ns)
        neurons, weights = self.hidden.at(self._recorder.walk, self.dtype), self._weights(acting)
        thermal_power = 0.0 if shot is None else self.settings.thermal_power
        length = inputs.shape[2] * steps.substeps
        parts = []
        for images in chunks(inputs.shape[1], neurons.gamma.shape[1], length, thermal_power > 0):
            extras = thermal_extras(self.identities, neurons, thermal_power, shot or 0, images, length)
            parts.append(
                rollout(
                    weights,
                    neurons,
                    inputs[:, images],
                    steps,
                    cell=self.network.kind,
                    drive_rate_per_s=self.network.drive_rate_per_s,
                    initial=self._initial(neurons),
                    extras=extras,
                    loop_delay_s=self.settings.loop_delay_s,
                    engine=engine,
                )
            )
        result = join(parts)
        return ChipTruth(result, self._outputs(acting, result, lengths))

    def _initial(self, neurons: Neurons) -> Tensor | str:
        initial = self.network.initial_state
        return initial if self.network.kind == "ctrnn" else self.hidden.start(neurons, initial)

    def _weights(self, acting: Mapping[str, Tensor]) -> Weights:
        layers = range(len(self.network.layers))
        w_ext, w_int, bias = (
            tuple(acting[f"{kind}.{layer}"] for layer in layers) for kind in ("w_ext", "w_int", "bias")
        )
        return Weights(w_ext, w_int, bias, self._on(w_ext, w_int))

    def _on(self, w_ext: Sequence[Tensor], w_int: Sequence[Tensor]) -> Sparsity:
        """Say which synapses are on; those that were once count too, so that engines seldom meet another pattern."""
        now = Sparsity.of([weight != 0 for weight in w_ext], [weight != 0 for weight in w_int])
        known = self._sparsity
        if known is None:
            self._sparsity = now
        elif bool((now.recurrent & ~known.recurrent).any() or (now.inputs & ~known.inputs).any()):
            self._sparsity = Sparsity(known.recurrent | now.recurrent, known.inputs | now.inputs)
        return self._sparsity or now

    def _outputs(self, acting: Mapping[str, Tensor], result: Rollout, lengths: Tensor | None) -> Tensor | None:
        if self.network.readout != "hardware":
            return None
        y = self.answer.take(result.filtered[..., -self.network.layers[-1] :], lengths)
        return outputs_of(y, acting["w_out"])  # (member, batch, answer, output)

    def state(self) -> dict[str, Any]:
        """Give shots, programmings and drift as plain data for JSON; what is programmed is not part of it."""
        return self._recorder.state() | {"writes": self._writes, "written": self._written}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state` gave: the same shots follow, once the same values are programmed."""
        self._recorder.restore(dict(state))
        self._writes, self._written = int(state["writes"]), int(state.get("written", 0))  # Not in older checkpoints.


def _check_kind(settings: ChipSettings, network: NetworkSettings) -> None:
    defects = settings.defects
    broken = bool(defects.dead or defects.stuck or defects.dead_fraction or defects.stuck_fraction)
    if network.kind == "ctrnn" and (settings.thermal_power > 0 or broken):
        raise ConfigError(
            "a ctrnn has no thermal noise and no broken oscillators",
            seen="chip.thermal_power or chip.defects",
            allowed="networks of kind 'spintronic'",
            todo="use another device profile, such as ideal",
        )
