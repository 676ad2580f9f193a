"""Our own dialect for a board of tuning voltages; see docs/synapse-controller.md."""

from typing import TYPE_CHECKING

from spinhw.errors import DeviceError
from spinhw.instruments.failures import LinkError
from spinhw.instruments.roles import BoardAbilities, SynapseController
from spinhw.instruments.words import Words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ScpiSynapseController(SynapseController):
    """All voltages are staged as one block of single floats and applied at once."""

    port: Words
    words = {
        "abilities": "",
        "byte_order": "",
        "stage": "first",
        "apply": "",
        "finished": "",
        "read": "first count",
        "overload": "",
        "output": "value",
        "read_output": "",
    }

    optional_words = {"limit": "lowest highest"}

    def _prepare(self, channel: str) -> None:
        """Narrow the board's own limits to those of the bench file; they are never widened from here."""
        import numpy as np

        limits, board = self.channels[channel], self._read_abilities()
        wider = board.lowest_v < limits.lowest_v or board.highest_v > limits.highest_v
        narrower = board.lowest_v > limits.lowest_v or board.highest_v < limits.highest_v
        if wider and not narrower and self.port.has("limit"):
            self._program(np.zeros(board.count))  # What it holds must lie between them.
            self.port.send("limit", lowest=limits.lowest_v, highest=limits.highest_v)

    def _read_abilities(self) -> BoardAbilities:
        reply = self.port.ask("abilities")
        try:
            count, limits, resolution, settle = reply.split(";")
            lowest, highest = limits.split(",")
            return BoardAbilities(int(count), float(lowest), float(highest), float(resolution), float(settle))
        except ValueError as error:
            raise LinkError(f"{self.name}: odd reply about its abilities", seen=reply) from error

    def _program(self, volts: "NDArray[np.float64]") -> None:
        import numpy as np

        text, link, board = self.port.text, self.port.link, self._read_abilities()
        if len(volts) and not (board.lowest_v <= volts.min() and volts.max() <= board.highest_v):
            raise DeviceError(
                f"{self.name}: the board's own limits are narrower than needed and nothing was sent",
                seen=f"{volts.min():.6g} to {volts.max():.6g} V",
                allowed=f"{board.lowest_v:g} to {board.highest_v:g} V",
                todo="widen them at the board (SYNapse:LIMit), or narrow 'channels' in the bench file",
            )
        # Applied is what was staged at every address, by whomever.
        whole = np.pad(volts, (0, max(0, board.count - len(volts))))
        with link.exclusive():
            self.port.send("byte_order")
            link.write_block(text("stage", first=0), whole, self.port.profile.block)
            self.port.send("apply")
            self.port.finish(timeout_s=link.timeout_s + board.settle_s)

    def _read_back(self, count: int) -> "NDArray[np.float64]":
        import numpy as np

        with self.port.link.exclusive():
            self.port.send("byte_order")
            block = self.port.link.query_block(
                self.port.text("read", first=0, count=count), self.port.profile.block, count=count
            )
        return block.astype(np.float64)

    def _read_overloads(self) -> tuple[int, ...]:
        reply = self.port.ask("overload")
        return () if reply == "NONE" else tuple(int(one) for one in reply.split(","))

    def _set_output(self, channel: str, on: bool) -> None:
        self.port.send("output", value=int(on))

    def _read_output(self, output: str) -> bool:
        return self.port.flag("read_output")
