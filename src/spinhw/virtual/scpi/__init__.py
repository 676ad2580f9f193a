"""A small SCPI engine: messages, headers, parameters, error queue, status registers; dialects are lists of commands."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
