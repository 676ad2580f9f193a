"""Excites a device, fits the model to what it does, says how sure it is, and notices when the device changes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
