"""Reward-modulated STDP by itself: a synapse remembers its coincidences, a late reward decides what becomes of them."""

import torch

from snnrl.connections import Dense
from snnrl.plasticity import MSTDPET, ThirdFactor

connection = Dense(2, 1, weight=torch.full((1, 2), 0.5), bounds=(0.0, 1.0))
rule = MSTDPET(tau_eligibility=50.0, a_plus=0.05, a_minus=0.05)
state = rule.init_state(connection, (2,), (1,), 1)

pre, post = torch.zeros(40, 1, 2), torch.zeros(40, 1, 1)
pre[5, 0, 0] = 1.0  # input 0 fires 2 ms before the neuron, input 1 after it
post[7] = 1.0
pre[9, 0, 1] = 1.0
reward = torch.zeros(40, 1)
reward[30] = 1.0  # 23 ms later
change, state = rule(connection, pre, post, state, ThirdFactor(modulator=reward))
connection.apply_(change)
print("weights", [round(weight, 3) for weight in connection.weight[0].tolist()])
