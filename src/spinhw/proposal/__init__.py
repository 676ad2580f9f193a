"""From data to a recipe: what a file holds, and the settings that the paper's rules give for it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
