"""Plasticity rules and their third factors, one file for each family."""

from snnrl.plasticity.modulator import RunningScale, Shuffler
from snnrl.plasticity.three_factor import ThreeFactor, ThreeFactorState

__all__ = ["RunningScale", "Shuffler", "ThreeFactor", "ThreeFactorState"]
