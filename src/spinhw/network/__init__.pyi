from .answer import EVERY_STEP, Answer
from .module import SpintronicNetwork, outputs_of
from .rate_settings import RATES, LogisticSettings, RateSettings
from .recurrent import RecurrentNetwork
from .recurrent_settings import RecurrentSettings
from .resonators import Chains
from .settings import NetworkSettings, NoSaturation, SigmoidSaturation, tuned_shapes
from .synapse_settings import ResonatorSynapses, WeightSynapses

__all__ = [
    "EVERY_STEP",
    "Answer",
    "Chains",
    "LogisticSettings",
    "NetworkSettings",
    "NoSaturation",
    "RATES",
    "RateSettings",
    "RecurrentNetwork",
    "RecurrentSettings",
    "ResonatorSynapses",
    "SigmoidSaturation",
    "SpintronicNetwork",
    "WeightSynapses",
    "outputs_of",
    "tuned_shapes",
]
