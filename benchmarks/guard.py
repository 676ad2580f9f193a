"""python benchmarks/guard.py: which share of a run on a bench its guard takes, over TCP, with every output switched.

All 96 neurons are observed, so that sources go off and on for each set of crosspoints: no run switches more often.
What the session spends on its guard is timed inside the run that it is a share of; waiting for it at the first
switch-on is told apart.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

# Run as a script, only this folder is on the path; the parts are modules of the package.
sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.links_batch import INTERVAL_S, NETWORK, Player, served, settings  # noqa: E402
from spinhw.device import open_device  # noqa: E402
from spinhw.instruments.custody import Guarding  # noqa: E402

BATCHES = 4
WANTED = 0.01


class Timed:
    """A guard, and the seconds that its session spends on it.

    Args:
        guard: The guard.
    """

    def __init__(self, guard: Guarding) -> None:
        self._guard, self.seconds, self.calls = guard, 0.0, 0

    def start(self) -> None:
        """Start it."""
        self._timed(self._guard.start)

    def took(self, output: str) -> None:
        """Tell of an output that goes on."""
        self._timed(lambda: self._guard.took(output))

    def gave(self, output: str) -> None:
        """Tell of an output that went off."""
        self._timed(lambda: self._guard.gave(output))

    def _timed(self, work: Callable[[], None]) -> None:
        begun = time.perf_counter()
        work()
        self.seconds += time.perf_counter() - begun
        self.calls += 1


def main() -> None:
    """Play batches and print the share."""
    with served() as addresses, open_device(settings(addresses), NETWORK, INTERVAL_S) as device:
        custody = device.station.custody  # type: ignore[attr-defined]
        custody.guard = timed = Timed(custody.guard)
        player = Player(device, "guard", None)
        player.batch()  # The first switch-on waits until the guard is ready.
        print(f"until it is ready: {timed.seconds:.3f} s, once")
        timed.seconds, timed.calls = 0.0, 0
        seconds = sum(player.batch().seconds for _ in range(BATCHES))
    share = timed.seconds / seconds
    print(f"{timed.calls} messages in {seconds:.2f} s: a share of {share:.2e}, wanted at most {WANTED}")


if __name__ == "__main__":
    main()
