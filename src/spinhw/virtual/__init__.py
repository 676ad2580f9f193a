"""The virtual bench: instruments that do not exist, in front of a simulated chip.

The TCP door is `spinhw.virtual.server`, the in-process one `spinhw.virtual.backend`, which needs PyVISA and is not
imported here.
"""

from spinhw.virtual.bench import Bench
from spinhw.virtual.faults import Fault, FaultSettings
from spinhw.virtual.server import serve, serving
from spinhw.virtual.settings import BenchSettings, load_bench

__all__ = ["Bench", "BenchSettings", "Fault", "FaultSettings", "load_bench", "serve", "serving"]
