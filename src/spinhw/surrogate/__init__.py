"""The model of measured oscillators and synapses: how they answer, how that depends on their parameters."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
