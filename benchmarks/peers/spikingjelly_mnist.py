"""Training of 784-128-10 by surrogate gradient in SpikingJelly, multi-step mode.

    python benchmarks/peers/spikingjelly_mnist.py --batch 128 --input spikes

One product for all steps, `LIFNode` over the whole window, and, as the readout is linear, one product with the summed
spikes; a constant current is multiplied once. All are as fast as or faster than the layers applied to every step.
"""

from __future__ import annotations

from importlib.metadata import version

import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from surrogate import CLASSES, HIDDEN, INPUTS, RATE, STEPS, TAU, surrogate_arguments, timed


class Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(INPUTS, HIDDEN, bias=False)
        self.neurons = neuron.LIFNode(
            tau=TAU, decay_input=False, v_reset=None, surrogate_function=surrogate.ATan(), step_mode="m"
        )
        self.output = torch.nn.Linear(HIDDEN, CLASSES, bias=False)

    def forward(self, shown: torch.Tensor) -> torch.Tensor:
        functional.reset_net(self.neurons)
        current = self.hidden(shown).expand(STEPS, -1, -1)
        return self.output(self.neurons(current).sum(0))


def main() -> None:
    arguments = surrogate_arguments(__doc__)
    network = Network()
    adam = torch.optim.Adam(network.parameters(), lr=RATE)

    def train(shown: torch.Tensor, labels: torch.Tensor) -> None:
        adam.zero_grad()
        torch.nn.functional.cross_entropy(network(shown), labels).backward()
        adam.step()

    timed("SpikingJelly", version("spikingjelly"), arguments, train)


if __name__ == "__main__":
    main()
