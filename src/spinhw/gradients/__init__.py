"""Gradients with a device in the loop: the modes, and the module that puts a network in the loop."""

from spinhw.gradients.base import (
    Choices,
    Pass,
    end_of,
    end_signal,
    logits_of,
    measured_value_modelled_gradient,
    straight_through,
)
from spinhw.gradients.channels import ChannelMask, Expected, Masked
from spinhw.gradients.checks import knows_truth, refuse_mode
from spinhw.gradients.device_watch import DeviceWatch, DriftAlarm
from spinhw.gradients.hardware import HardwareInLoop
from spinhw.gradients.model_free import projection, random_direction
from spinhw.gradients.modes import MODES, Mode, ModeName
from spinhw.gradients.network_refit import NetworkRefit
from spinhw.gradients.network_watch import NetworkWatch
from spinhw.gradients.neuron_chart import LEAST_SEQUENCES, NeuronChart
from spinhw.gradients.refits import ChipBatch, Refit, Refits
from spinhw.gradients.shots import inferences, shoot
from spinhw.gradients.truth import true_end
from spinhw.gradients.watch_settings import WatchSettings

__all__ = [
    "LEAST_SEQUENCES",
    "MODES",
    "ChannelMask",
    "ChipBatch",
    "Choices",
    "DeviceWatch",
    "DriftAlarm",
    "Expected",
    "HardwareInLoop",
    "Masked",
    "Mode",
    "ModeName",
    "NetworkRefit",
    "NetworkWatch",
    "NeuronChart",
    "Pass",
    "Refit",
    "Refits",
    "WatchSettings",
    "end_of",
    "end_signal",
    "inferences",
    "knows_truth",
    "logits_of",
    "measured_value_modelled_gradient",
    "projection",
    "random_direction",
    "refuse_mode",
    "shoot",
    "straight_through",
    "true_end",
]
