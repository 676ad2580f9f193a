"""Keithley 3706A switch systems, which are told what to do in Lua (TSP)."""

from spinhw.instruments.roles import Switch
from spinhw.instruments.words import Words

_NOTHING = {"", "nil"}


class Keithley3706A(Switch):
    """Crosspoints are channels such as 1101: slot, row, column."""

    port: Words
    words = {"close": "routes", "open": "routes", "read_closed": "", "finished": ""}
    optional_words = {"open_all": ""}  # Not used: what others closed stays closed.

    def _close(self, routes: tuple[str, ...]) -> None:
        self.port.send("close", routes=",".join(routes))
        self.port.finish()

    def _open(self, routes: tuple[str, ...]) -> None:
        self.port.send("open", routes=",".join(routes))
        self.port.finish()

    def _closed(self) -> tuple[str, ...]:
        reply = self.port.ask("read_closed")
        return () if reply in _NOTHING else tuple(sorted(reply.split(";")))
