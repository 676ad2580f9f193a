"""The recurrent networks: tanh units (Jarne 2024, eq. 1 to 6), or torch's GRU and LSTM, with a linear read-out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spinhw.errors import ConfigError
from spinhw.network.checks import check_inputs, one_seed, shown
from spinhw.network.ordinary import OrdinaryModule
from spinhw.network.recurrence import TanhWeights, recur
from spinhw.network.recurrent_settings import RecurrentSettings
from spinhw.rollout.kept import ordinary_tensors
from spinhw.streams import torch_stream


@dataclass(frozen=True)
class Activity:
    """What a network did.

    Args:
        outputs: z after each step, (batch, time, output).
        states: h after each step, (batch, time, unit); None where it was not recorded.
    """

    outputs: Tensor
    states: Tensor | None


class RecurrentNetwork(OrdinaryModule):
    """One network. Its parameters by name, for tanh units: ``w_in`` (unit, input), ``w_rec`` (unit, source), ``bias``
    (unit), ``w_out`` (output, unit), ``b_out`` (output).

    Under Dale's law the first units excite, and what counts of a recurrent weight is its size: the sign is its
    source's. Absent weights stay zero.

    Args:
        settings: The network as designed.
        seed: Seed of its initial weights, signs and absent weights.

    Raises:
        ConfigError: One of them is something else.
    """  # noqa: D205 - a list of names is no sentence

    sign: Tensor | None
    mask: Tensor | None

    def __init__(self, settings: RecurrentSettings, seed: int = 0) -> None:
        super().__init__()
        if not isinstance(settings, RecurrentSettings):
            raise ConfigError(
                "settings: this is no design of a recurrent network",
                seen=shown(settings),
                allowed="RecurrentSettings",
                todo="write RecurrentSettings(...)",
            )
        self.settings, self.seed = settings, one_seed(seed)
        with ordinary_tensors():
            self._draw()

    def _draw(self) -> None:
        """Make the parameters."""
        settings = self.settings
        generator = torch_stream("flip-flop weights", self.seed)
        self.gates = None if settings.kind == "tanh" else _gates(settings, generator)
        if settings.kind == "tanh":
            self.w_in = nn.Parameter(_glorot(settings.units, settings.inputs, generator))
            self.register_buffer("sign", _signs(settings))
            self.register_buffer("mask", _mask(settings, generator))
            self.w_rec = nn.Parameter(_recurrent(settings, self.sign, self.mask, generator))
            if settings.bias:
                self.bias = nn.Parameter(torch.zeros(settings.units))
        self.w_out = nn.Parameter(_glorot(settings.outputs, settings.units, generator))
        self.b_out = nn.Parameter(torch.zeros(settings.outputs))

    @property
    def connectivity(self) -> Tensor:
        """W as it acts, (unit, source): signs after Dale's law, absent weights zero; gradients flow through."""
        weights = self.w_rec if self.sign is None else self.w_rec.abs() * self.sign
        return weights if self.mask is None else weights * self.mask

    def weights(self) -> TanhWeights:
        """Everything that tanh units compute with, as it acts."""
        bias = self.bias if self.settings.bias else self.w_in.new_zeros(self.settings.units)
        return TanhWeights(self.w_in, self.connectivity, bias, self.w_out, self.b_out)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs (batch, time, output) of inputs (batch, time, input), starting from the state 0.

        Raises:
            ValueError: The inputs are no tensor, of another shape, or not finite.
        """
        return self.run(inputs, record=False).outputs

    def run(
        self,
        inputs: Tensor,
        start: Tensor | None = None,
        *,
        record: bool = True,
        generator: torch.Generator | None = None,
    ) -> Activity:
        """Run the network.

        Args:
            inputs: (batch, time, input).
            start: State before the first step, (batch, unit), of tanh units; None for 0.
            record: Whether to return the states.
            generator: Where recurrent noise comes from; None for none.

        Raises:
            ValueError: The inputs are no tensor, of another shape, or not finite.
        """
        check_inputs(inputs, self.settings.inputs, None)
        if self.gates is not None:
            states, _ = self.gates(inputs)
            outputs = nn.functional.linear(states, self.w_out, self.b_out)
            return Activity(outputs, states if record else None)
        by_time, units, noise = inputs.transpose(0, 1), self.settings.units, None
        if generator is not None and self.settings.recurrent_noise:
            noise = torch.randn(*by_time.shape[:2], units, generator=generator) * self.settings.recurrent_noise
        begin = inputs.new_zeros(len(inputs), units) if start is None else start
        outputs, after = recur(by_time, self.weights(), begin, self.settings.leak, noise, record)
        return Activity(outputs.transpose(0, 1), None if after is None else after.transpose(0, 1))


def from_weights(settings: RecurrentSettings, values: Mapping[str, Tensor]) -> RecurrentNetwork:
    """Make a network with given parameters."""
    network = RecurrentNetwork(settings)
    network.load_state_dict(dict(values))
    return network


def _glorot(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """Uniform within +-sqrt(6 / (fan-in + fan-out)), as Keras begins."""
    bound = math.sqrt(6 / (rows + columns))
    return (torch.rand(rows, columns, generator=generator) * 2 - 1) * bound


def _recurrent(
    settings: RecurrentSettings, sign: Tensor | None, mask: Tensor | None, generator: torch.Generator
) -> Tensor:
    units = settings.units
    drawn = torch.randn(units, units, generator=generator)
    if sign is not None:
        return _under_dale(drawn.abs(), settings, sign, mask)
    if settings.initial == "normal":
        return settings.initial_gain * drawn / math.sqrt(units * settings.density)
    q, r = torch.linalg.qr(drawn)
    # The signs of r's diagonal make the orthogonal matrix uniform; absent weights are made up for.
    return settings.initial_gain * q * r.diagonal().sign() / math.sqrt(settings.density)


def _under_dale(sizes: Tensor, settings: RecurrentSettings, sign: Tensor, mask: Tensor | None) -> Tensor:
    """Balance excitation and inhibition, without which one eigenvalue lies far outside, and scale to radius `gain`."""
    share = round(settings.excitatory * settings.units) / settings.units  # type: ignore[operator]
    sizes = torch.where(sign > 0, sizes, sizes * share / (1 - share))
    acting = sizes * sign if mask is None else sizes * sign * mask
    radius = torch.linalg.eigvals(acting.double()).abs().max().item()
    return settings.initial_gain * sizes / max(radius, 1e-9)


def _signs(settings: RecurrentSettings) -> Tensor | None:
    if settings.excitatory is None:
        return None
    excite = min(max(round(settings.excitatory * settings.units), 1), max(settings.units - 1, 1))
    return torch.where(torch.arange(settings.units) < excite, 1.0, -1.0)


def _mask(settings: RecurrentSettings, generator: torch.Generator) -> Tensor | None:
    """Choose the weights that exist: their number is exact."""
    if settings.density == 1.0:
        return None
    size = settings.units**2
    mask = torch.zeros(size)
    mask[torch.randperm(size, generator=generator)[: round(settings.density * size)]] = 1.0
    return mask.view(settings.units, settings.units)


def _gates(settings: RecurrentSettings, generator: torch.Generator) -> Any:
    kinds: dict[str, Any] = {"gru": nn.GRU, "lstm": nn.LSTM}
    layer = kinds[settings.kind](settings.inputs, settings.units, bias=settings.bias, batch_first=True)
    with torch.no_grad():  # torch draws from its global state; draw again from ours, within the same bounds.
        for parameter in layer.parameters():
            parameter.copy_((torch.rand(parameter.shape, generator=generator) * 2 - 1) / math.sqrt(settings.units))
    return layer
