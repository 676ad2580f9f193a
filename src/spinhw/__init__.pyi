from .calibration import calibrate
from .device import Trace, open_bank, open_device
from .gradients import HardwareInLoop
from .network import NetworkSettings, SpintronicNetwork
from .proposal import propose
from .tasks import Task
from .training import evaluate, open_run, resume, train

__version__: str

__all__ = [
    "HardwareInLoop",
    "NetworkSettings",
    "SpintronicNetwork",
    "Task",
    "Trace",
    "calibrate",
    "evaluate",
    "open_bank",
    "open_device",
    "open_run",
    "propose",
    "resume",
    "train",
]
