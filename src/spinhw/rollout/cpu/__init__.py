"""The CPU engine: the whole sweep over time and its adjoint, compiled by Numba."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
