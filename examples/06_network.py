"""A network of the core by itself: Poisson inputs, STDP, lateral inhibition, and a picture of what fires."""

import torch

from snnrl import plot
from snnrl.connections import Dense, Lateral
from snnrl.encoders import PoissonEncoder
from snnrl.networks import Network
from snnrl.neurons import DiehlCook
from snnrl.plasticity import STDP

torch.manual_seed(0)
network = Network()
network.add("input", 100)
network.add("output", DiehlCook(20, decay_input=False))
synapses = Dense(100, 20, weight_mean=0.3, weight_std=0.1, bounds=(0.0, 1.0), norm=30.0)
network.connect("input", "output", synapses, rule=STDP(a_plus=1e-2, a_minus=1e-4))
network.connect("output", "output", Lateral(20, weight_mean=-17.5))
print(network.summary())

encoder = PoissonEncoder(100, sim_steps=250, rate_max=63.75)
spikes, _ = encoder(torch.rand(1, 100), encoder.init_state(1))
recording, state = network.run({"input": spikes}, window=10)
figure = plot.raster({"input": spikes[:, 0].numpy(), "output": recording["output"]["spikes"][:, 0].numpy()})
figure.savefig("network.png")
