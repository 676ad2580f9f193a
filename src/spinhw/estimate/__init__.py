"""Estimates that are linear in what a network shows: its read-out, what it remembers, how many directions it has."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
