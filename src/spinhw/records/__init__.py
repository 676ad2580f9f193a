"""Calibration records: what was measured of one device, as YAML that people read, with raw traces beside it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
