"""A network of spintronic oscillators (or its software peer) as a torch module: parameters and forward."""

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

from spinhw.network.acting import learns, limit_, put_, value_of
from spinhw.network.answer import Answer
from spinhw.network.checks import (
    check_design,
    check_inputs,
    check_lengths,
    check_shapes,
    refuse_spread_of_corners,
    seeds_of,
)
from spinhw.network.initial import draw, mask_name
from spinhw.network.ordinary import OrdinaryModule
from spinhw.network.resonators import Chains, chains_of, check_resonators
from spinhw.network.settings import NetworkSettings, tuned_shapes
from spinhw.physics import Chain
from spinhw.rollout import Engine, Neurons, Rollout, Sparsity, Stepper, Steps, Weights, rollout
from spinhw.rollout.kept import Copies, copied, may_keep, ordinary, ordinary_tensors, unchanged
from spinhw.sequences import held

# One sample each nanosecond, as in the paper, integrated by two midpoint steps.
PAPER_STEPS = Steps(1e-9)


class SpintronicNetwork(OrdinaryModule):
    """A network with trainable weights and biases, usable in anybody's training loop.

    Parameters by name: ``w_ext.L`` (neuron, source), ``w_int.L`` (neuron, neuron), ``bias.L`` (neuron), for layers L
    = 0, 1, ..., then ``w_out`` (output, neuron) and ``b_out`` (output). Absent synapses stay zero: a mask multiplies
    the weights. Where torch parametrises or prunes one of them, the value that it then has acts, here and on a device.

    Where the synapses are resonators, the weights of hardware hold their tunings in units of weight (`Chains`): zero is
    a resonator on the tone of its neuron, and a pruned one. Absent ones do nothing; the weights that act are dense.

    Args:
        settings: The network as designed.
        steps: Time grid of the integration; the sample interval is the task's.
        seed: Seed of masks and initial weights. With a sequence of seeds the module holds an ensemble: every
            parameter has the member axis in front, and so do inputs and outputs.
        answer: Which samples of a sequence are read out; None for one answer at its end, as the settings say.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        steps: Steps = PAPER_STEPS,
        seed: int | Sequence[int] = 0,
        answer: Answer | None = None,
    ) -> None:
        super().__init__()
        check_design(settings, steps)
        seeds = seeds_of(seed)
        self.settings, self.steps, self.answer = settings, steps, answer or settings.answer
        self.chains = chains_of(settings)
        self.seed, self.ensemble = seeds, not isinstance(seeds, int)
        self._measured: Neurons | None = None
        self._resonators: dict[str, Chain] | None = None
        # Ends of the inner branch by matrix, type and place: they stay until other resonators are taken.
        self._ends: dict[tuple[str, torch.dtype, torch.device], tuple[Tensor, Tensor]] = {}
        self._sparse: tuple[Copies, Sparsity] | None = None
        self._known: tuple[Copies, Copies, Neurons] | None = None
        with ordinary_tensors():
            self._draw([seeds] if isinstance(seeds, int) else seeds)

    def _draw(self, seeds: Sequence[int]) -> None:
        """Make masks and parameters."""
        settings, members = self.settings, [draw(self.settings, one) for one in seeds]
        drawn = {name: torch.stack([member[name] for member in members]) for name in members[0]}
        if not self.ensemble:
            drawn = {name: tensor[0] for name, tensor in drawn.items()}
        layers = range(len(settings.layers))
        self.w_ext = nn.ParameterList(drawn[f"w_ext.{layer}"] for layer in layers)
        self.w_int = nn.ParameterList(drawn[f"w_int.{layer}"] for layer in layers)
        self.bias = nn.ParameterList(drawn[f"bias.{layer}"] for layer in layers)
        self.w_out, self.b_out = nn.Parameter(drawn["w_out"]), nn.Parameter(drawn["b_out"])
        self._shapes = {name: tuple(value.shape) for name, value in self.named_parameters()}
        for name in settings.topology().masked_shapes():
            self.register_buffer(mask_name(name), drawn[mask_name(name)])

    def mask(self, name: str) -> Tensor:
        """Give the boolean mask of a weight matrix, such as ``w_int.0``, shaped as the parameter."""
        return self.get_buffer(mask_name(name))

    def masks(self) -> dict[str, Tensor]:
        """Give every mask by parameter name."""
        return {name: self.mask(name) for name in self.settings.topology().masked_shapes()}

    def member_masks(self) -> dict[str, Tensor]:
        """Give `masks`, always with the member axis in front."""
        return {name: mask if self.ensemble else mask[None] for name, mask in self.masks().items()}

    def heard(self, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Say which sources act, shaped as masks by name: with crosstalk, whoever has a resonator hears them all."""
        if self.chains is None or not self.chains.settings.crosstalk:
            return dict(masks)
        return {name: mask.any(-1, keepdim=True).expand_as(mask) for name, mask in masks.items()}

    def values(self) -> dict[str, Tensor]:
        """Give every parameter by name as it acts, absent synapses zero; gradients flow through.

        With resonators an absent synapse has a weight too: what its chain makes of the tone of its source.
        """
        return self._acting(self._shapes)

    def programmed(self) -> dict[str, Tensor]:
        """Give every parameter by name as a device is told it, absent synapses zero; gradients flow through.

        Those of resonators are tunings, -1 to 1; the others are what `values` gives.
        """
        return self._programmed(self._shapes)

    def tuned(self) -> frozenset[str]:
        """Return the names of the parameters that are tunings of resonators."""
        return frozenset() if self.chains is None else frozenset(tuned_shapes(self.settings))

    def _programmed(self, names: Collection[str]) -> dict[str, Tensor]:
        named = {name: value_of(self, name) for name in names}
        check_shapes((name, value, self._shapes[name]) for name, value in named.items())
        if self.chains is not None:
            named |= {name: self.chains.tunings(named[name]) for name in self.tuned() & named.keys()}
        return named | {name: named[name] * mask for name, mask in self.masks().items() if name in named}

    def _acting(self, names: Collection[str]) -> dict[str, Tensor]:
        programmed = self._programmed(names)
        return programmed if self.chains is None else self.as_they_act(programmed, self.masks())

    def as_they_act(
        self,
        programmed: Mapping[str, Tensor],
        masks: Mapping[str, Tensor],
        resonators: Mapping[str, Chain] | None = None,
    ) -> dict[str, Tensor]:
        """Turn parameters that a device is told, or that it has read back, into those that act.

        Args:
            programmed: By name, with the member axis in front or without; some of them, or all.
            masks: Which synapses exist, likewise; all of those of a parameter that is not named.
            resonators: In place of those that the network knows, by name, such as those of some members.
        """
        chains = self.chains
        if chains is None:
            return dict(programmed)
        tuned = {name: programmed[name] for name in self.tuned() & programmed.keys()}
        present = {name: masks.get(name, torch.ones_like(one, dtype=torch.bool)) for name, one in tuned.items()}
        known = self._resonators if resonators is None else resonators
        return dict(programmed) | {
            name: chains.with_known((known or {}).get(name)).weights(one, present[name]) for name, one in tuned.items()
        }

    def member_values(self) -> dict[str, Tensor]:
        """Give `values`, always with the member axis in front."""
        return self._by_member(self.values())

    def member_programmed(self) -> dict[str, Tensor]:
        """Give `programmed`, always with the member axis in front."""
        return self._by_member(self.programmed())

    def _by_member(self, named: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value if self.ensemble else value[None] for name, value in named.items()}

    def weights(self, values: Mapping[str, Tensor] | None = None) -> Weights:
        """Give synapses and biases for a rollout, always with the member axis in front.

        Args:
            values: In place of the module's own, by name, as `member_values` gives them; absent synapses are zero.
        """
        recurrent = [name for name in self._shapes if not name.endswith("_out")]
        acting = self._by_member(self._acting(recurrent)) if values is None else values

        def by_layer(kind: str) -> tuple[Tensor, ...]:
            return tuple(acting[f"{kind}.{layer}"] for layer in range(len(self.settings.layers)))

        return Weights(by_layer("w_ext"), by_layer("w_int"), by_layer("bias"), self._sparsity())

    def _sparsity(self) -> Sparsity:
        """The masks as one object, made again only when one of them has changed or was put in another's place."""
        masks = list(self.heard(self.masks()).values())
        if not may_keep(masks):
            return self._joined(masks)
        if self._sparse is None or not unchanged(self._sparse[0], masks):
            with ordinary_tensors():
                self._sparse = copied(masks), self._joined(masks)
        return self._sparse[1]

    def _joined(self, masks: list[Tensor]) -> Sparsity:
        by_member = [mask if self.ensemble else mask[None] for mask in masks]
        layers = len(self.settings.layers)
        return Sparsity.of(by_member[:layers], by_member[layers:])

    def neurons(self) -> Neurons:
        """Neurons in this module's type and place: nominal ones, (1, neuron), or those of `use_neurons`.

        The same object while nothing changes; what is changed in it acts, and stays where the module is converted.
        """
        like, known, given = next(self.parameters()), self._known, self._measured
        if not may_keep([] if given is None else given.tensors()):
            source = self.settings.neurons(torch.float64) if given is None else given
            return source.to(like.device).to(like.dtype)
        fits = known is not None and known[2].gamma.dtype == like.dtype and known[2].gamma.device == like.device
        if known is None or not fits or (given is not None and not unchanged(known[0], given.tensors())):
            source = self._source()
            with ordinary_tensors():
                made = source.to(like.device).to(like.dtype).mapped(ordinary)
                self._known = known = copied(source.tensors()), copied(made.tensors()), made
        return known[2]

    def _source(self) -> Neurons:
        """The neurons as they were given, or as they were changed since in what `neurons` returned."""
        known = self._known
        if known is not None and not unchanged(known[1], known[2].tensors()):
            self._measured = known[2]
        return self.settings.neurons(torch.float64) if self._measured is None else self._measured

    def use_neurons(self, neurons: Neurons | None) -> None:
        """Take other neurons than the nominal ones, such as those of a calibrated device; None goes back to them.

        They are no part of the state dict.

        Args:
            neurons: (1, neuron), or (member, neuron) for an ensemble.

        Raises:
            ConfigError: The synapses are resonators, and the corners of the high-pass differ.
        """
        if self.chains is not None and neurons is not None:
            refuse_spread_of_corners(neurons.cutoff_hz)
        self._measured, self._known = neurons, None

    def use_resonators(self, resonators: Mapping[str, Chain] | None, keep_weights: bool = False) -> None:
        """Take other resonators than those designed, such as those of a calibrated device; None goes back to them.

        They are no part of the state dict. In a network of weights they change nothing by themselves: a device that
        takes tunings is told weights by way of them.

        Args:
            resonators: By the name of each matrix, (member or 1, destination, source).
            keep_weights: Whether to tune anew, so that the weights that acted act again, as nearly as they can.

        Raises:
            ConfigError: They are of another network.
        """
        if resonators is not None:
            check_resonators(resonators, self.settings, self._members or 1)
        acted = self._acting(self.tuned()) if keep_weights else {}
        self._resonators = None if resonators is None else dict(resonators)
        self._ends.clear()
        for name, weights in acted.items():
            self._tune_(name, weights.detach())
        if keep_weights:
            self.limit_weights_()

    def resonators_of(self, members: Sequence[int]) -> dict[str, Chain] | None:
        """Return what is known of the resonators of some members, from 0; None where they are taken as designed."""
        rows, known = torch.tensor(members), self._resonators
        if known is None:
            return None
        return {
            name: chain if len(chain.resonance_hz) == 1 else chain.mapped(lambda one: one[rows])
            for name, chain in known.items()
        }

    def resonators(self) -> dict[str, Chain]:
        """Return the resonators of every matrix as the network takes them, (member, destination, source).

        Known ones are shaped as they were given; those designed that do not exist have no weight.
        """
        if self.chains is None:
            return {}
        masks, members = self.member_masks(), self._members or 1
        found = {}
        for name, shape in tuned_shapes(self.settings).items():
            present = masks.get(name, torch.ones(members, *shape, dtype=torch.bool))
            found[name] = self.known(name) or self.chains.designed(present)
        return found

    def _tune_(self, name: str, wanted: Tensor) -> None:
        """Put a matrix of resonators to where its chains act as wanted, or nearest to it."""
        chains = self._chains(name)
        if chains is not None:
            present = self.masks().get(name, torch.ones_like(wanted, dtype=torch.bool))
            put_(self, name, chains.values(chains.translated(wanted, present)) * present)

    def known(self, name: str) -> Chain | None:
        """Return what is known of the resonators of a matrix; None where they are taken as designed."""
        return None if self._resonators is None else self._resonators.get(name)

    def _chains(self, name: str) -> Chains | None:
        return None if self.chains is None else self.chains.with_known(self.known(name))

    @property
    def calibrated(self) -> bool:
        """Whether `use_neurons` has put others in the place of the nominal neurons."""
        return self._measured is not None

    def run(
        self,
        inputs: Tensor,
        steps: Steps | None = None,
        *,
        values: Mapping[str, Tensor] | None = None,
        neurons: Neurons | None = None,
        record_drive: bool = False,
        record_last: int | None = None,
        engine: Engine = "auto",
    ) -> Rollout:
        """Integrate the network; the result has the member axis in front, for an ensemble or not.

        Args:
            inputs: (batch, time, input), for an ensemble (member, batch, time, input).
            steps: Another time grid than the module's own.
            values: Other parameters than the module's own, as for `weights`: such as those that a device applied.
            neurons: Others than the nominal ones: such as those that a calibration found.
            record_drive: Whether to return the drive.
            record_last: How many samples at the end to return; None for all.
            engine: Engine of the rollout.
        """
        check_inputs(inputs, self.settings.inputs, self._members)
        return rollout(
            self.weights(values),
            self.neurons() if neurons is None else neurons,
            inputs if self.ensemble else inputs[None],
            steps or self.steps,
            cell=self.settings.kind,
            drive_rate_per_s=self.settings.drive_rate_per_s,
            initial=self.settings.initial_state,
            record_drive=record_drive,
            record_last=record_last,
            engine=engine,
        )

    def stepper(self, steps: Steps | None = None) -> Stepper:
        """Return the network at the beginning of sequences, to be shown them sample by sample, without a gradient.

        Args:
            steps: Another time grid than the module's own.
        """
        settings, own = self.settings, steps or self.steps
        return Stepper(
            self.weights(), self.neurons(), own, settings.kind, settings.drive_rate_per_s, settings.initial_state
        )

    def read_out(self, filtered: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Turn the outputs y of all neurons into answers: out_gain W_out y + b_out, with y of the last layer.

        Args:
            filtered: y, (member, batch, time, neuron), the last layer's at the end of that axis.
            lengths: Samples of each sequence, (member, batch); None where all end with the time axis.

        Returns:
            Logits, or values, (member, batch, answer, output).
        """
        y = self.answer.take(filtered[..., -self.settings.layers[-1] :], lengths)
        own = self._by_member(self._acting(("w_out", "b_out")))
        return outputs_of(self.settings.out_gain * y, own["w_out"]) + own["b_out"][:, None, None]

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the answers to inputs as for `run`.

        Args:
            inputs: (batch, time, input), for an ensemble (member, batch, time, input).
            lengths: Samples of each sequence, (batch) or (member, batch); None where all are equally long. From its end
                on a sequence holds its last sample, whatever the inputs say.

        Returns:
            (batch, output) where a sequence has one answer, pooled from its end, else (batch, answer, output); for an
            ensemble with the member axis in front.
        """
        self.check(inputs, lengths)
        last = self.answer.last if lengths is None else None
        by_member = lengths if lengths is None or self.ensemble else lengths[None]
        return self.as_called(self.read_out(self.run(held(inputs, lengths), record_last=last).filtered, by_member))

    def check(self, inputs: Tensor, lengths: Tensor | None = None) -> None:
        """Check arguments of `forward`.

        Raises:
            ValueError: One of them is no tensor, of another shape, or holds what it must not; says which and what.
        """
        check_inputs(inputs, self.settings.inputs, self._members)
        check_lengths(lengths, inputs, self._members)

    def as_called(self, answers: Tensor) -> Tensor:
        """Drop from answers (member, batch, answer, output) the axes that a caller of `forward` does not see."""
        seen = answers.squeeze(2) if self.answer.pooled else answers
        return seen if self.ensemble else seen[0]

    @torch.no_grad()
    def limit_weights_(self) -> None:
        """Project every weight and bias onto the limit of the hardware; call it after each optimiser step.

        A resonator's tuning is kept on the inner branch, between its largest weights.
        """
        limit, tuned = self.settings.weight_limit, self.tuned()
        if limit is None:
            return
        end = torch.tensor(limit).to(self.b_out)
        for name in self._shapes:
            chains = self._chains(name) if name in tuned else None
            limit_(self, name, *((-end, end) if chains is None else self._ends_of(name, chains, end)))

    def _ends_of(self, name: str, chains: Chains, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lowest and highest trained values of a matrix, worked out once."""
        key = (name, like.dtype, like.device)
        if key not in self._ends:
            shape = self._shapes[name]
            with ordinary_tensors():
                self._ends[key] = chains.bounds(shape[-1], like if self.known(name) is None else like.expand(shape))
        return self._ends[key]

    def trained(self) -> frozenset[str]:
        """Return the names of the weights whose gradient reaches a parameter."""
        return frozenset(name for name in self._shapes if learns(self, name))

    @property
    def _members(self) -> int | None:
        """Networks of an ensemble; None for a single network."""
        return self._shapes["b_out"][0] if self.ensemble else None

    @property
    def neuron_count(self) -> int:
        """Number of neurons of one network."""
        return self.settings.topology().neurons

    @property
    def synapse_count(self) -> int:
        """Number of hardware synapses of one network, counted from the masks."""
        per_member = sum(int(mask.sum()) for mask in self.masks().values()) // (self._members or 1)
        return per_member + (
            self.settings.layers[-1] * self.settings.outputs if self.settings.readout == "hardware" else 0
        )


def outputs_of(y: Tensor, w_out: Tensor) -> Tensor:
    """Return W_out y of a read-out, (member, batch, answer, output).

    Args:
        y: Of the last layer, (member, batch, answer, neuron).
        w_out: (member, output, neuron).
    """
    flat = y.flatten(1, 2) @ w_out.transpose(1, 2)  # One product for each member, however many answers.
    return flat.unflatten(1, y.shape[1:3])
