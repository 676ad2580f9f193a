"""Studies of imperfect chips in the training loop: how good they become, and what that takes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
