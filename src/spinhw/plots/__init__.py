"""Figures: plain data in, a PNG file out."""

import lazy_loader

import spinhw.plots.backend  # noqa: F401 - before anything else loads matplotlib

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
