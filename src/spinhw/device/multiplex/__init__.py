"""A whole recurrent network on one oscillator or a few: its neurons are played one after another and corrected."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
