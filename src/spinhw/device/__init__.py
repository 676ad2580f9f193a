"""The seams between what trains and what is measured: devices, banks, traces."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
