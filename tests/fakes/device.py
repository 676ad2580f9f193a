"""A device with behaviour that tests can break: it keeps a log, fails on demand, and forgets when told."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from spinhw.conversion import Conversion, Scaling
from spinhw.device import Description, Device, Limit, Parameter, Reading, Samples
from spinhw.errors import DeviceError

NEURONS, INPUTS = 3, 2


class FakeDevice(Device):
    """Gives x = 1 V everywhere.

    Args:
        faults: Names of hooks in the order in which they shall fail, once each; `failing` holds those to come.
        forgets: Whether it loses its parameters when it is closed.
        left_on: Outputs that can't be confirmed off.
    """

    def __init__(self, faults: Sequence[str] = (), forgets: bool = True, left_on: Sequence[str] = ()) -> None:
        description = Description(
            kind="fake",
            device_ids=("fake-0",),
            neurons=NEURONS,
            sample_interval_s=1e-9,
            readout_interval_s=1e-9,
            inputs=INPUTS,
            channels=2,
            observables=frozenset({"power"}),
            parameters={
                "w_ext.0": Parameter((NEURONS, INPUTS), "weight", "V"),
                "bias.0": Parameter((NEURONS,), "bias", "V"),
            },
            software_parameters=frozenset({"b_out"}),
            limits={"input": Limit(-1.0, 1.0), "weight": Limit(-2.0, 2.0), "bias": Limit(-2.0, 2.0)},
        )
        super().__init__(description, Conversion(input=Scaling(0.5, "V"), power=Scaling(0.5, "V")))
        self.log: list[str] = []
        self.held: dict[str, Tensor] = {}
        self.identity = "fake 1"
        self.interrupt: BaseException | None = None
        self.failing, self._forgets, self._left_on, self._shots = list(faults), forgets, list(left_on), 0
        self.seen_as: Callable[[dict[str, Tensor]], dict[str, Tensor]] = lambda held: held  # What is read back.

    def _note(self, hook: str) -> None:
        self.log.append(hook)
        if self.failing and self.failing[0] == hook:
            self.failing.pop(0)
            raise DeviceError(f"injected into {hook}")

    def _open(self) -> str:
        self._note("open")
        return self.identity

    def _program(self, values: Mapping[str, Tensor]) -> None:
        self._note("program")
        self.held = dict(values)

    def _read_back(self) -> dict[str, Tensor]:
        self._note("read_back")
        return self.seen_as(dict(self.held))

    def _run(
        self, inputs: Tensor, repeats: Sequence[Sequence[int]], averages: int, lengths: Tensor | None
    ) -> list[Reading]:
        self._note("run")
        if self.interrupt is not None:
            raise self.interrupt
        readings = []
        for observed in repeats:
            values = torch.ones(*inputs.shape[:3], len(observed))
            ends_s = torch.arange(1, inputs.shape[2] + 1) * 1e-9
            readings.append(Reading((self._shots, self._shots + averages), power=Samples(values, ends_s)))
            self._shots += averages
        return readings

    def _make_safe(self) -> list[str]:
        self._note("make_safe")
        return self._left_on

    def _close(self) -> None:
        self._note("close")
        if self._forgets:
            self.held = {}

    def _state(self) -> dict[str, Any]:
        return {}

    def _restore(self, state: dict[str, Any]) -> None:
        pass


def parameters(value: float = 0.5) -> dict[str, Tensor]:
    return {"w_ext.0": torch.full((NEURONS, INPUTS), value), "bias.0": torch.zeros(NEURONS)}


def inputs(value: float = 0.5) -> Tensor:
    return torch.full((2, 4, INPUTS), value)
