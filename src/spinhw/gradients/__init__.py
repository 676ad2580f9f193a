"""Gradients with a device in the loop: the modes, and the module that puts a network in the loop."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
