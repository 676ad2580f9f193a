"""Hardware-in-the-loop framework for dynamical spintronic neural networks."""

import lazy_loader

__version__ = "0.1.0"

# Names are resolved on first use, so that `import spinhw` (and `spinhw --help`) never waits for torch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
