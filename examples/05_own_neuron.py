"""A neuron model of your own; the loop over time, refractory period and surrogate gradient are there for all."""

from typing import NamedTuple

import torch
from torch import Tensor

from snnrl.neurons import SpikingNeuron


class ExponentialIFState(NamedTuple):
    v: Tensor
    refractory: Tensor
    trace: Tensor


class ExponentialIF(SpikingNeuron[ExponentialIFState]):
    """``tau dv/dt = -v + exp(v - 1)`` (Fourcaud-Trocmé et al. 2003), and every step adds its current."""

    def __init__(self, shape, *, tau_mem=10.0, v_threshold=3.0, **settings):
        super().__init__(shape, **settings)
        self.set_value("tau_mem", tau_mem)
        self.set_value("v_threshold", v_threshold)

    def init_state(self, batch):
        return ExponentialIFState(v=self.zeros(batch), **self.shared_leaves(batch))

    def charge(self, current, state):
        return state._replace(v=state.v + self.dt * (torch.exp(state.v - 1) - state.v) / self.tau_mem + current)

    def excess(self, state):
        return state.v - self.v_threshold

    def reset(self, state, spikes):
        return state._replace(v=state.v * (1 - spikes))


neurons = ExponentialIF(2, tau_mem=torch.tensor([5.0, 20.0]))
print(neurons, neurons.scan(torch.full((100, 1, 2), 0.1), neurons.init_state(1))[0].sum(0))
