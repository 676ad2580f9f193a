"""The session of a twin: hooks in SI, everything else is the base class's."""

import torch

from spinhw import NetworkSettings, SpintronicNetwork
from spinhw.conversion import Conversion
from spinhw.device import Description, Device, Reading, Samples
from spinhw.device.shapes import parameters_of
from spinhw.rollout import Steps
from spinhw.streams import torch_stream


class TwinDevice(Device):
    def __init__(self, settings, network: NetworkSettings, interval_s: float, members: list[int]):
        about = Description(
            kind="twin",
            device_ids=tuple(f"{settings.id}-{number}" for number in members),
            neurons=sum(network.layers),
            sample_interval_s=interval_s,
            readout_interval_s=interval_s,
            inputs=network.inputs,
            observables=frozenset({"filtered"}),
            capabilities=frozenset({"replay"}),
            parameters=parameters_of(network, Conversion()),
            software_parameters=frozenset({"w_out", "b_out"}),
        )
        super().__init__(about, Conversion())  # One volt for one unit.
        self.chip, self.noise = SpintronicNetwork(network, Steps(interval_s), members), settings.noise
        self.held, self.shots = {}, 0

    def _open(self):
        return "a twin"

    def _program(self, values):
        self.held = dict(values)

    def _read_back(self):
        return dict(self.held)

    @torch.no_grad()
    def _run(self, inputs, repeats, averages, lengths):
        readings = []
        filtered = self.chip.run(inputs, values=self.held).filtered  # (member, batch, time, neuron)
        ends_s = torch.arange(1, inputs.shape[2] + 1) * self.describe().sample_interval_s
        for observed in repeats or [[]]:
            noise = torch.randn(filtered.shape, generator=torch_stream("twin", self.shots))
            shown = (filtered + self.noise * noise)[..., list(observed)]
            readings.append(Reading((self.shots, self.shots + averages), filtered=Samples(shown, ends_s)))
            self.shots += averages
        return readings

    def _make_safe(self):
        return []  # Nothing can be left on.

    def _close(self): ...

    def _state(self):
        return {"shots": self.shots}

    def _restore(self, state):
        self.shots = state["shots"]
