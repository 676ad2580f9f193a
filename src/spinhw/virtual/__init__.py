"""The virtual bench: instruments that do not exist, in front of a simulated chip.

The TCP door is `spinhw.virtual.server`, the in-process one `spinhw.virtual.backend`, which needs PyVISA and is not
imported here.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
