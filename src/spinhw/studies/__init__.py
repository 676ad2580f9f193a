"""Studies: the figures of Plouet et al. (2024) as grids of training runs, and which of its claims hold."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
