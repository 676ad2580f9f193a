from .bench import Bench
from .faults import Fault, FaultSettings
from .server import serve, serving
from .settings import BenchSettings, load_bench

__all__ = [
    "Bench",
    "BenchSettings",
    "Fault",
    "FaultSettings",
    "load_bench",
    "serve",
    "serving",
]
