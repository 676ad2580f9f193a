"""What waveform sources that speak plain SCPI have in common."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from spinhw.instruments.ramp import Lever
from spinhw.instruments.roles import WaveformSource
from spinhw.instruments.words import Words


class ScpiWaveformSource(WaveformSource):
    """Levels and outputs; how a waveform is uploaded and played is a model's own."""

    port: Words
    words: ClassVar[Mapping[str, str]] = {
        "amplitude": "channel value",
        "offset": "channel value",
        "output": "channel value",
        "read_output": "channel",
    }
    optional_words = {"read_amplitude": "channel", "read_offset": "channel"}
    ranges = {"rate": "Hz", "points": ""}

    def _limits(self) -> tuple[tuple[float, float], tuple[int, int]]:
        return self.port.record_ranges()

    def _set_output(self, channel: str, on: bool) -> None:
        self.port.send("output", channel=channel, value=int(on))

    def _read_output(self, output: str) -> bool:
        return self.port.flag("read_output", channel=output)

    def _level_levers(self, output: str, step_v: float | None, delay_s: float) -> Sequence[Lever]:
        if not (self.port.has("read_amplitude") and self.port.has("read_offset")):
            return []
        least_v = self.port.range("amplitude", "V")[0] if "amplitude" in self.port.profile.ranges else 0.0
        ends = {"amplitude": least_v, "offset": 0.0}
        return [self._lever(output, quantity, end, step_v, delay_s) for quantity, end in ends.items()]

    def _lever(self, output: str, quantity: str, end: float, step_v: float | None, delay_s: float) -> Lever:
        def read() -> float:
            return self.port.number(f"read_{quantity}", channel=output)

        def send(value: float) -> None:
            self.port.send(quantity, channel=output, value=value)

        return Lever(quantity, "V", read, send, end=end, step=step_v, delay_s=delay_s)
