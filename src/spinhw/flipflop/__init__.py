"""The flip-flop RNN: the software reference after Jarne (2023, 2024), trained and understood."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
