"""Forward and backward of a linear layer and snnrl's `LIF` (hard reset, arctangent surrogate).

python benchmarks/peers/snnrl_lif_training.py --n 1000 --steps 500 --batch 16 --device cpu --threads 2
"""

from __future__ import annotations

import torch
from training import measure, training_arguments

import snnrl
from snnrl.neurons import LIF


class Network(torch.nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(n, n, bias=False)
        self.neurons = LIF(n, tau_mem=10.0, decay_input=False, surrogate="atan")

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:
        return self.neurons.scan(self.linear(spikes), self.neurons.init_state(spikes.shape[1]))[0]


def main() -> None:
    arguments = training_arguments(__doc__)
    measure("snnrl", snnrl.__version__, Network(arguments.n), arguments)


if __name__ == "__main__":
    main()
