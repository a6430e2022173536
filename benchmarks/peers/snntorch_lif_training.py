"""Forward and backward of a linear layer and snnTorch's `Leaky` (its defaults: subtracting reset, arctangent).

    python benchmarks/peers/snntorch_lif_training.py --n 1000 --steps 500 --batch 16 --device cpu --threads 2

One product for all steps, then the neuron step by step. snnTorch's neurons for a whole window (`StateLeaky`,
`LeakyParallel`) never reset, so they are no substitute.
"""

from __future__ import annotations

from importlib.metadata import version

import snntorch
import torch
from training import measure, training_arguments


class Network(torch.nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(n, n, bias=False)
        self.neurons = snntorch.Leaky(beta=0.9)

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:
        currents = self.linear(spikes)
        mem = torch.zeros_like(currents[0])
        output = []
        for current in currents:
            fired, mem = self.neurons(current, mem)
            output.append(fired)
        return torch.stack(output)


def main() -> None:
    arguments = training_arguments(__doc__)
    measure("snnTorch", version("snntorch"), Network(arguments.n), arguments)


if __name__ == "__main__":
    main()
