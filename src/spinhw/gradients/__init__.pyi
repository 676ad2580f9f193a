from .base import Choices, Pass, end_of, end_signal, logits_of, measured_value_modelled_gradient, straight_through
from .chain_drift import follow, put_resonances, resonances
from .channels import ChannelMask, Expected, Masked
from .checks import knows_truth, refuse_mode
from .device_watch import DeviceWatch, DriftAlarm
from .hardware import HardwareInLoop
from .model_free import Perturbed, projection, random_direction
from .modes import MODES, Mode
from .names import ModeName
from .network_refit import NetworkRefit
from .network_watch import NetworkWatch
from .neuron_chart import NeuronChart
from .refits import ChipBatch, Refit, Refits
from .shots import inferences, shoot
from .truth import true_end
from .watch_settings import LEAST_SEQUENCES, WatchSettings

__all__ = [
    "ChannelMask",
    "ChipBatch",
    "Choices",
    "DeviceWatch",
    "DriftAlarm",
    "Expected",
    "HardwareInLoop",
    "LEAST_SEQUENCES",
    "MODES",
    "Masked",
    "Mode",
    "ModeName",
    "NetworkRefit",
    "NetworkWatch",
    "NeuronChart",
    "Pass",
    "Perturbed",
    "Refit",
    "Refits",
    "WatchSettings",
    "end_of",
    "end_signal",
    "follow",
    "inferences",
    "knows_truth",
    "logits_of",
    "measured_value_modelled_gradient",
    "projection",
    "put_resonances",
    "random_direction",
    "refuse_mode",
    "resonances",
    "shoot",
    "straight_through",
    "true_end",
]
