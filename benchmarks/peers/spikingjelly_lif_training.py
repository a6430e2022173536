"""Forward and backward of a linear layer and SpikingJelly's `LIFNode` (hard reset, sigmoid surrogate, its defaults).

    python benchmarks/peers/spikingjelly_lif_training.py --n 1000 --steps 500 --batch 16 --device cpu --threads 2

Multi-step mode: one product for all steps, then the neuron over the whole window. SpikingJelly 2 has no `backend` to
set: it picks its own kernels on a CUDA device and a loop in torch on the CPU.
"""

from __future__ import annotations

from importlib.metadata import version

import torch
from spikingjelly.activation_based import functional, layer, neuron
from training import measure, training_arguments


class Network(torch.nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        neurons = neuron.LIFNode(tau=10.0, decay_input=False, step_mode="m")
        self.layers = torch.nn.Sequential(layer.Linear(n, n, bias=False, step_mode="m"), neurons)

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:
        functional.reset_net(self.layers)
        return self.layers(spikes)


def main() -> None:
    arguments = training_arguments(__doc__)
    measure("SpikingJelly", version("spikingjelly"), Network(arguments.n), arguments)


if __name__ == "__main__":
    main()
