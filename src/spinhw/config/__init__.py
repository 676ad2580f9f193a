"""YAML files into frozen settings: loading, overrides, messages that name the file and the key, shipped profiles."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
