"""A whole recurrent network on a few oscillators, or on one."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from spinhw.conversion import Conversion, Scaling
from spinhw.device.banks import OscillatorBank
from spinhw.device.base import Device
from spinhw.device.description import Description
from spinhw.device.limits import Limit
from spinhw.device.multiplex.correct import Corrector
from spinhw.device.multiplex.coupled import CoupledNetwork, weights_of
from spinhw.device.multiplex.outcome import Corrected, Correction
from spinhw.device.multiplex.synapses import MultiplexedSynapses, present_of
from spinhw.device.reading import Reading, Samples
from spinhw.device.session import Session
from spinhw.device.shapes import parameters_of
from spinhw.energy import Spent
from spinhw.errors import DeviceError
from spinhw.network import Answer, NetworkSettings, outputs_of

_log = logging.getLogger(__name__)

# Everything but drives and powers is a number in this computer.
_NUMBERS = Scaling(1.0, "(software)")


class MultiplexedDevice(Device):
    """A network whose oscillators are played one after another on the few that there are (docs/multiplexed.md).

    Saturation, high-pass and read-out are software; every oscillator is a physical one. Synapses are physical where a
    bank of them is given; else weights are applied as requested. What the trace holds is the network's own state at the
    fixed point: the surrogate's waveforms with everything added that the measurements could tell from noise.

    Args:
        bank: The oscillators, not open; nobody else uses them meanwhile. Its interval is a part of the network's.
        network: As designed.
        interval_s: Time for which each input sample is held, in seconds.
        corrector: Plays and corrects on this bank.
        averages: Shots of each pass, times those that a run asks for.
        replays: Whether the same state gives the same bits again: a bank that can, and nothing remembered.
        answer: Which samples of a sequence a hardware read-out answers with; None as the network says.
        synapses: Find out how weights act; None for weights that act as requested.
    """

    def __init__(
        self,
        bank: OscillatorBank,
        network: NetworkSettings,
        interval_s: float,
        corrector: Corrector,
        averages: int = 1,
        replays: bool = False,
        answer: Answer | None = None,
        synapses: MultiplexedSynapses | None = None,
    ) -> None:
        about = bank.describe()
        drive_per_ampere = bank.conversion.drive_per_ampere
        lines = {name: _NUMBERS for name in ("input", "weight", "bias", "power", "filtered", "output")}
        conversion = Conversion(drive_per_ampere=drive_per_ampere, **lines)
        described = _describe(about, network, interval_s, replays, answer or network.answer, conversion)
        super().__init__(described, conversion)
        self._bank, self._network, self._corrector = bank, network, corrector
        self._synapses = synapses
        self._samples = round(interval_s / about.sample_interval_s)
        self._averages, self._shots = averages, 0
        self._values: dict[str, Tensor] = {}
        self._lost: DeviceError | None = None
        self._played: Spent | None = None
        self.corrected: list[Correction] = []  # Of every batch since the session was made.

    @property
    def bank(self) -> OscillatorBank:
        """Get the oscillators, for looking."""
        return self._bank

    @property
    def synapses(self) -> MultiplexedSynapses | None:
        """Get what finds out how weights act; None where they act as requested."""
        return self._synapses

    @property
    def corrector(self) -> Corrector:
        """Get what corrects, with the surrogate as it is now."""
        return self._corrector

    @property
    def last(self) -> Correction:
        """Get how the last batch was corrected."""
        if not self.corrected:
            raise DeviceError(f"{self.name} has not run anything yet", todo="call run(inputs)")
        return self.corrected[-1]

    def _spent(self) -> Spent | None:
        return self._played

    def _open(self) -> str:
        if self._lost is not None:  # The bank has recovered as often as it may; nothing is repeated above it.
            raise self._lost
        self._bank.open()
        if self._synapses is not None:
            self._synapses.bank.open()
        return self._description.name

    def _program(self, values: Mapping[str, Tensor]) -> None:
        self._values = {name: value.clone() for name, value in values.items()}
        if self._synapses is None:
            return
        weights = {name: value[0] for name, value in values.items() if self._description.kinds[name] == "weight"}
        masks = {name: mask[0] for name, mask in self._present.items()}
        present = present_of({name: value.shape for name, value in weights.items()}, masks)
        try:
            acting = self._synapses.program(weights, present, self._afresh)
        except DeviceError as error:
            self._lost = error
            raise
        self._values |= {name: value[None].to(values[name].dtype) for name, value in acting.items()}

    def _read_back(self) -> dict[str, Tensor]:
        return dict(self._values)

    def _run(
        self, inputs: Tensor, repeats: Sequence[Sequence[int]], averages: int, lengths: Tensor | None
    ) -> list[Reading]:
        coupled = CoupledNetwork(
            self._network,
            weights_of(self._values, len(self._network.layers)),
            self._description.sample_interval_s,
            self._samples,
        )
        try:
            found = self._corrector.run(
                coupled, inputs[0], averages * self._averages, None if lengths is None else lengths[0]
            )
        except DeviceError as error:
            self._lost = error
            raise
        self.corrected.append(found.correction)
        spent = found.correction.spent(self._bank.describe().neurons)
        self._played = spent if self._played is None else self._played.plus(spent)
        readings = []
        for observed in repeats:
            shots = (self._shots, self._shots + averages)
            self._shots = shots[1]
            readings.append(self._reading(found, list(observed), shots, lengths))
        return readings

    def _reading(
        self, found: Corrected, observed: list[int], shots: tuple[int, int], lengths: Tensor | None
    ) -> Reading:
        every, interval_s = self._samples, self._description.sample_interval_s
        power, filtered = found.waveforms.power, found.waveforms.filtered[:, every - 1 :: every]
        ends_s = torch.arange(1, filtered.shape[1] + 1, dtype=torch.float64) * interval_s
        quality = found.quality[:, every::every, observed][None]
        at_start = power[:, 0, observed][None]
        return Reading(
            shots,
            Samples(power[:, every::every, observed][None], ends_s, quality, found.noise),
            Samples(at_start, torch.zeros(1), found.quality[:, 0, observed][None], found.noise),
            Samples(filtered[:, :, observed][None], ends_s, quality),
            self._outputs(filtered[None], ends_s, lengths),
        )

    def _outputs(self, filtered: Tensor, ends_s: Tensor, lengths: Tensor | None) -> Samples | None:
        if self._network.readout != "hardware":
            return None
        answer = self._description.answer
        y = answer.take(filtered[..., -self._network.layers[-1] :], lengths)
        return Samples(outputs_of(y, self._values["w_out"].double()), answer.times(ends_s))

    def _make_safe(self) -> list[str]:
        self._lost = None
        banks: list[Session] = [self._bank] if self._synapses is None else [self._synapses.bank, self._bank]
        for bank in banks:
            try:
                bank.close()
            except DeviceError as error:
                _log.error("%s", error)
        return [name for bank in banks for name in bank.unconfirmed]

    def _close(self) -> None:
        pass  # Leaving safe has closed the bank, or the bank itself when it gave up.

    def _state(self) -> dict[str, Any]:
        return {
            "shots": self._shots,
            "bank": self._bank.state(),
            "surrogate": self._corrector.state(),
            "spent": None if self._played is None else asdict(self._played),
            "synapses": None if self._synapses is None else self._synapses.state(),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self._shots = int(state["shots"])
        self._bank.restore(state["bank"])
        self._corrector.restore(state["surrogate"])
        self._played = None if state["spent"] is None else Spent(**state["spent"])
        if self._synapses is not None:
            self._synapses.restore(state["synapses"])

    def _found(self) -> dict[str, Any]:
        found = self._bank.look_over()
        return found if self._synapses is None else found | _of_synapses(self._synapses.bank.look_over())

    def _snapshot(self) -> dict[str, Any]:
        found = self._bank.snapshot()
        return found if self._synapses is None else found | _of_synapses(self._synapses.bank.snapshot())


def _of_synapses(found: Mapping[str, Any]) -> dict[str, Any]:
    """Tell instruments of the synapses from those of the oscillators, which may have the same names."""
    return {f"synapses: {name}": one for name, one in found.items()}


def _describe(
    bank: Description,
    network: NetworkSettings,
    interval_s: float,
    replays: bool,
    answer: Answer,
    conversion: Conversion,
) -> Description:
    hardware = network.readout == "hardware"
    limit = network.weight_limit
    weights = (
        {} if limit is None else {kind: Limit.of_model_range(_NUMBERS, -limit, limit) for kind in ("weight", "bias")}
    )
    return Description(
        kind="multiplexed",
        device_ids=bank.device_ids,
        neurons=network.topology().neurons,
        sample_interval_s=interval_s,
        readout_interval_s=interval_s,
        inputs=network.inputs,
        outputs=network.outputs if hardware else 0,
        answer=answer,
        observables=frozenset({"power", "power0", "filtered"} | ({"outputs"} if hardware else set())),
        capabilities=frozenset({"replay"} if replays else set()),
        parameters=parameters_of(network, conversion),
        software_parameters=frozenset({"b_out"} if hardware else {"w_out", "b_out"}),
        limits=weights,
        seed=bank.seed,
    )
