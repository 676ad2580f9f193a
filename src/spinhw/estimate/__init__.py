"""Least squares: normal equations and the search on them, read-outs, memory, how many directions states have."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
