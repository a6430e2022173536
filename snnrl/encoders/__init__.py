"""Encoders: observations to spikes, one file each."""

from snnrl.encoders.adaptation import RateAdaptation
from snnrl.encoders.base import AnyEncoder, Encoder, FittedEncoder, HostEncoder, Window, regular_spikes
from snnrl.encoders.blobs import BlobEncoder, BlobState
from snnrl.encoders.delta import DeltaEncoder, DeltaState
from snnrl.encoders.frames import FrameEncoder, FrameState
from snnrl.encoders.latency import LatencyEncoder, LatencyState
from snnrl.encoders.normalise import Normaliser
from snnrl.encoders.objects import ObjectEncoder, ObjectState
from snnrl.encoders.onehot import OneHotEncoder, OneHotState
from snnrl.encoders.patches import PatchEncoder
from snnrl.encoders.poisson import BernoulliEncoder, PoissonEncoder, RandomSpikesState
from snnrl.encoders.population import PopulationEncoder, PopulationState
from snnrl.encoders.rank_order import RankOrderEncoder, RankOrderState
from snnrl.settings import Registry

ENCODERS: Registry[AnyEncoder] = Registry("encoder", "snnrl.encoders.base:Encoder")
"""Encoders by the names that recipes give them; see :class:`~snnrl.settings.Registry`."""

__all__ = [
    "ENCODERS",
    "AnyEncoder",
    "BernoulliEncoder",
    "BlobEncoder",
    "BlobState",
    "DeltaEncoder",
    "DeltaState",
    "Encoder",
    "FittedEncoder",
    "FrameEncoder",
    "FrameState",
    "HostEncoder",
    "LatencyEncoder",
    "LatencyState",
    "Normaliser",
    "ObjectEncoder",
    "ObjectState",
    "OneHotEncoder",
    "OneHotState",
    "PatchEncoder",
    "PoissonEncoder",
    "PopulationEncoder",
    "PopulationState",
    "RandomSpikesState",
    "RankOrderEncoder",
    "RankOrderState",
    "RateAdaptation",
    "Window",
    "regular_spikes",
]
