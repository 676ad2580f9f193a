"""Figures of merit: what a network remembers, and what it can compute from that, on the simulator or on a device."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
