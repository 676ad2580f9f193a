"""Workers that outlive the command that started them would train on unseen: they stop and save instead."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOOK_EVERY_S = 1.0
SAVED_AFTER_S = 60.0


@contextmanager
def stop_without(owner: int) -> Iterator[None]:
    """Within the context, interrupt this process when its owner ends, however that happens.

    Does nothing in the owner itself, in a process that is not its child (a worker of a cluster), and on Windows, where
    a child cannot see that its parent has gone.

    Args:
        owner: Process id of the command.
    """
    over = threading.Event()
    if os.name == "posix" and os.getppid() == owner:
        threading.Thread(target=_watch, args=(owner, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _watch(owner: int, over: threading.Event) -> None:
    while not over.wait(LOOK_EVERY_S):
        if os.getppid() != owner:
            os.kill(os.getpid(), signal.SIGTERM)  # A run in training finishes its batch and saves.
            over.wait(SAVED_AFTER_S)
            os._exit(1)  # Nobody is there to take a result, and the worker would only wait for more to do.
