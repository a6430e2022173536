"""Neuron models, one file each."""

from snnrl.neurons.adaptive_lif import LSNN, AdaptiveLIF, AdaptiveLIFState
from snnrl.neurons.base import AnyNeuron, Neuron, SpikingNeuron
from snnrl.neurons.current_lif import CurrentLIF, CurrentLIFState
from snnrl.neurons.diehl_cook import DiehlCook
from snnrl.neurons.escape_noise import EscapeNoise, EscapeNoiseState
from snnrl.neurons.izhikevich import Izhikevich, IzhikevichState
from snnrl.neurons.leaky_integrator import LeakyIntegrator, LeakyIntegratorState
from snnrl.neurons.lif import LIF, LIFState
from snnrl.neurons.mcculloch_pitts import McCullochPitts, McCullochPittsState
from snnrl.neurons.perfect_integrator import IF
from snnrl.neurons.saturating_if import SaturatingIF, SaturatingIFState
from snnrl.neurons.spike_response import SRM0, CumulativeSRM, CumulativeSRMState, SRM0State
from snnrl.settings import Registry

NEURONS: Registry[AnyNeuron] = Registry("neuron", "snnrl.neurons.base:Neuron")
"""Neuron models by the names that recipes give them; see :class:`~snnrl.settings.Registry`."""

__all__ = [
    "IF",
    "LIF",
    "LSNN",
    "NEURONS",
    "SRM0",
    "AdaptiveLIF",
    "AdaptiveLIFState",
    "AnyNeuron",
    "CumulativeSRM",
    "CumulativeSRMState",
    "CurrentLIF",
    "CurrentLIFState",
    "DiehlCook",
    "EscapeNoise",
    "EscapeNoiseState",
    "Izhikevich",
    "IzhikevichState",
    "LIFState",
    "LeakyIntegrator",
    "LeakyIntegratorState",
    "McCullochPitts",
    "McCullochPittsState",
    "Neuron",
    "SRM0State",
    "SaturatingIF",
    "SaturatingIFState",
    "SpikingNeuron",
]
