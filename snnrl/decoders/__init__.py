"""Decoders: output spikes to actions."""

from snnrl.decoders.actions import ActionCode
from snnrl.decoders.population import first_spike, population_rates, population_vector, sample, softmax_policy
from snnrl.settings import Registry

DECODERS: Registry[ActionCode] = Registry("decoder", "snnrl.decoders.actions:ActionCode")
"""Decoders by the names that recipes give them; see :class:`~snnrl.settings.Registry`."""

__all__ = ["DECODERS", "ActionCode", "first_spike", "population_rates", "population_vector", "sample", "softmax_policy"]
