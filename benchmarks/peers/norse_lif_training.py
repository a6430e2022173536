"""Forward and backward of a linear layer and norse's LIF without synaptic currents (`lif_box`, SuperSpike surrogate).

    python benchmarks/peers/norse_lif_training.py --n 1000 --steps 500 --batch 16 --device cpu --threads 2

One product for all steps, then `norse.torch.lift` of the neuron, which resets to zero.
"""

from __future__ import annotations

from importlib.metadata import version

import torch
from norse.torch import lift
from norse.torch.functional.lif_box import LIFBoxFeedForwardState, LIFBoxParameters, lif_box_feed_forward_step
from training import measure, training_arguments


class Network(torch.nn.Module):
    def __init__(self, n: int, device: str) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(n, n, bias=False)
        # tau = 10 ms, norse's default; its `method` and `alpha` are left as they are.
        fields = {name: torch.tensor(value, device=device) for name, value in (("tau_mem_inv", 100.0), ("v_th", 1.0))}
        zeros = {name: torch.tensor(0.0, device=device) for name in ("v_leak", "v_reset")}
        parameters = LIFBoxParameters(**fields, **zeros, alpha=torch.tensor(100.0, device=device))
        self.neurons = lift(lif_box_feed_forward_step, p=parameters)

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:
        currents = self.linear(spikes)
        output, _ = self.neurons(currents, state=LIFBoxFeedForwardState(torch.zeros_like(currents[0])))
        return output


def main() -> None:
    arguments = training_arguments(__doc__)
    measure("norse", version("norse"), Network(arguments.n, arguments.device), arguments)


if __name__ == "__main__":
    main()
