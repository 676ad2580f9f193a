"""Networks of spintronic oscillators, and of their software peers."""

from spinhw.network.module import SpintronicNetwork
from spinhw.network.settings import NetworkSettings, NoSaturation, SigmoidSaturation

__all__ = ["NetworkSettings", "NoSaturation", "SigmoidSaturation", "SpintronicNetwork"]
