"""Plasticity rules and their third factors, one file for each family."""

from snnrl.plasticity.base import Rule, ThirdFactor
from snnrl.plasticity.hebbian import Hebbian, HebbianState, Homeostasis, HomeostasisState, Oja
from snnrl.plasticity.modulator import RunningScale, Shuffler
from snnrl.plasticity.prediction import LinearCritic, LinearCriticState, MovingAverage, TemporalDifference
from snnrl.plasticity.reward_modulated import MSTDP, MSTDPET, TDSTDP, Rmax
from snnrl.plasticity.stdp import STDP, STDPState, TripletState, TripletSTDP, WeightDependentSTDP
from snnrl.plasticity.three_factor import EligibilityState, ThreeFactor

__all__ = [
    "MSTDP",
    "MSTDPET",
    "STDP",
    "TDSTDP",
    "EligibilityState",
    "Hebbian",
    "HebbianState",
    "Homeostasis",
    "HomeostasisState",
    "LinearCritic",
    "LinearCriticState",
    "MovingAverage",
    "Oja",
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
    "WeightDependentSTDP",
]
