"""Tasks whose series come from a formula: NARMA-10, Mackey-Glass, memory, sine and square waves."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
