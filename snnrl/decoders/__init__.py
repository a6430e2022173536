"""Decoders: output spikes to actions."""

from snnrl.decoders.actions import ActionCode
from snnrl.decoders.population import first_spike, population_rates, population_vector, sample, softmax_policy

__all__ = ["ActionCode", "first_spike", "population_rates", "population_vector", "sample", "softmax_policy"]
