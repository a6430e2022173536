"""Encoders: observations to spikes, one file each."""

from snnrl.encoders.adaptation import RateAdaptation
from snnrl.encoders.base import Encoder, regular_spikes
from snnrl.encoders.frames import FrameEncoder, FrameState
from snnrl.encoders.normalise import Normaliser
from snnrl.encoders.onehot import OneHotEncoder, OneHotState
from snnrl.encoders.patches import PatchEncoder
from snnrl.encoders.poisson import BernoulliEncoder, PoissonEncoder, RandomSpikesState
from snnrl.encoders.population import PopulationEncoder, PopulationState
from snnrl.encoders.scenes import SceneEncoder, SceneState

__all__ = [
    "BernoulliEncoder",
    "Encoder",
    "FrameEncoder",
    "FrameState",
    "Normaliser",
    "OneHotEncoder",
    "OneHotState",
    "PatchEncoder",
    "PoissonEncoder",
    "PopulationEncoder",
    "PopulationState",
    "RandomSpikesState",
    "RateAdaptation",
    "SceneEncoder",
    "SceneState",
    "regular_spikes",
]
