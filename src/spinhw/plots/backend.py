"""Loads matplotlib whatever `MPLBACKEND` says: files are drawn by Agg, and what it names may be missing here."""

import importlib
import os
import sys
from contextlib import suppress


def load_matplotlib() -> None:
    """Import matplotlib; a backend that the environment names, but that is not installed, counts as none.

    One that is installed stays chosen, for whoever shows pictures of their own in this process.
    """
    if "matplotlib" in sys.modules:
        return
    named = os.environ.pop("MPLBACKEND", None)
    try:
        matplotlib = importlib.import_module("matplotlib")
    finally:
        if named is not None:
            os.environ["MPLBACKEND"] = named
    if named:
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = named


load_matplotlib()
