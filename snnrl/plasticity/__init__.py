"""Plasticity rules and their third factors, one file for each family."""

from snnrl.plasticity.base import (
    AnyRule,
    Rule,
    ThirdFactor,
    hebbian_sum,
    presynaptic_trace,
    spike_train,
    traced,
    zero_trace,
)
from snnrl.plasticity.delta_rule import DeltaRule, DeltaRuleState
from snnrl.plasticity.e_prop import EProp, EPropState
from snnrl.plasticity.first_spike import FirstSpikeState, FirstSpikeSTDP
from snnrl.plasticity.habituation import Habituation
from snnrl.plasticity.hebbian import Hebbian, HebbianState, Homeostasis, HomeostasisState, Oja
from snnrl.plasticity.modulator import RunningScale, Shuffler
from snnrl.plasticity.prediction import LinearCritic, LinearCriticState, MovingAverage, TemporalDifference
from snnrl.plasticity.returns import LARGEST_VALUE, ReturnScale, RewardLimit, ValueRange
from snnrl.plasticity.reward_modulated import MSTDP, MSTDPET, TDSTDP, Rmax
from snnrl.plasticity.stdp import STDP, STDPState, TripletState, TripletSTDP, WeightDependentSTDP
from snnrl.plasticity.three_factor import EligibilityState, ThreeFactor
from snnrl.plasticity.truncated import TruncatedThreeFactor
from snnrl.plasticity.winner_take_all import WinnerTakeAllState, WinnerTakeAllSTDP
from snnrl.settings import Registry

RULES: Registry[AnyRule] = Registry("rule", "snnrl.plasticity.base:Rule", "plasticity")
"""Plasticity rules by the names that recipes give them; see :class:`~snnrl.settings.Registry`."""

__all__ = [
    "LARGEST_VALUE",
    "MSTDP",
    "MSTDPET",
    "RULES",
    "STDP",
    "TDSTDP",
    "AnyRule",
    "DeltaRule",
    "DeltaRuleState",
    "EProp",
    "EPropState",
    "EligibilityState",
    "FirstSpikeSTDP",
    "FirstSpikeState",
    "Habituation",
    "Hebbian",
    "HebbianState",
    "Homeostasis",
    "HomeostasisState",
    "LinearCritic",
    "LinearCriticState",
    "MovingAverage",
    "Oja",
    "ReturnScale",
    "RewardLimit",
    "Rmax",
    "Rule",
    "RunningScale",
    "STDPState",
    "Shuffler",
    "TemporalDifference",
    "ThirdFactor",
    "ThreeFactor",
    "TripletSTDP",
    "TripletState",
    "TruncatedThreeFactor",
    "ValueRange",
    "WeightDependentSTDP",
    "WinnerTakeAllSTDP",
    "WinnerTakeAllState",
    "hebbian_sum",
    "presynaptic_trace",
    "spike_train",
    "traced",
    "zero_trace",
]
