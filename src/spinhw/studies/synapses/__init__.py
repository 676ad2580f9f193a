"""The study of resonators as synapses: what their imperfections cost, and what brings it back."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
