"""Sequences of one's own: read from files or arrays, split, scaled, and shown in batches."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
