"""Neuron models, one file each."""

from snnrl.neurons.base import Neuron
from snnrl.neurons.escape_noise import EscapeNoise, EscapeNoiseState
from snnrl.neurons.integrate_and_fire import IntegrateAndFire, IntegrateAndFireState
from snnrl.neurons.lif import LIF, LIFState

__all__ = [
    "LIF",
    "EscapeNoise",
    "EscapeNoiseState",
    "IntegrateAndFire",
    "IntegrateAndFireState",
    "LIFState",
    "Neuron",
]
