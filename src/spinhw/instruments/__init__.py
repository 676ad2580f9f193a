"""Instruments on a bench: links, roles, drivers, stations. SI everywhere. PyVISA is imported when one is opened."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
