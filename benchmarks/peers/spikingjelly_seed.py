"""The seed network in SpikingJelly: one product for the whole window, then the neuron over time.

    python benchmarks/peers/spikingjelly_seed.py --n 1000 --ms 1000 --rates rates.npy --seed 0 --threads 2

SpikingJelly's LIFs have no refractory period. `FlexSN`, its neuron from a function of one step, takes a counter as a
second state and runs the whole window at once (the default, and the faster one). `--mode lif` runs `LIFNode` step by
step instead, with 1 / tau set to 1 - exp(-1 / tau) for exact decay, and a counter around it that takes away the input
of neurons that fired in the last steps.
"""

from __future__ import annotations

import math
import time
from importlib.metadata import version

import torch
from common import REFRACTORY_MS, TAU_MS, THRESHOLD_MV, WARM_UP_MS, report_seed, seed_arguments
from spikingjelly.activation_based import encoding, functional, layer, neuron

DECAY = math.exp(-1 / TAU_MS)


def flexible_step(
    current: torch.Tensor, v: torch.Tensor, refractory: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    charged = v * DECAY + current * (refractory <= 0).to(current)
    fired = (charged >= THRESHOLD_MV).to(current)
    refractory = torch.where(fired > 0, torch.full_like(v, REFRACTORY_MS), refractory - 1)
    return fired, charged * (1 - fired), refractory


class RefractoryLIF(torch.nn.Module):
    """`LIFNode`, deaf for a while after it fired; [time, 1, n]."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = neuron.LIFNode(1 / (1 - DECAY), decay_input=False, v_threshold=THRESHOLD_MV, v_reset=0.0)

    def forward(self, currents: torch.Tensor) -> torch.Tensor:
        refractory = torch.zeros_like(currents[0])
        output = []
        for current in currents:
            fired = self.lif(current * (refractory <= 0))
            refractory = torch.where(fired > 0, REFRACTORY_MS, refractory - 1)
            output.append(fired)
        return torch.stack(output)


def main() -> None:
    arguments = seed_arguments(__doc__, ["flexsn", "lif"])
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(arguments.seed)
    linear = layer.Linear(arguments.n, arguments.n, bias=False, step_mode="m")
    torch.nn.init.normal_(linear.weight)
    neurons = RefractoryLIF() if arguments.mode == "lif" else neuron.FlexSN(flexible_step, num_states=2)
    network = torch.nn.Sequential(linear, neurons)
    encoder = encoding.PoissonEncoder(step_mode="m")
    probabilities = torch.from_numpy(arguments.rates).float().div(1000).expand(1, -1)
    network(encoder(probabilities.repeat(WARM_UP_MS, 1, 1)))
    functional.reset_net(network)

    began = time.perf_counter()
    spikes = encoder(probabilities.expand(arguments.ms, -1, -1))
    encoded = time.perf_counter()
    output = network(spikes)
    ended = time.perf_counter()
    report_seed(
        "SpikingJelly" if arguments.mode == "flexsn" else "SpikingJelly, LIFNode",
        version("spikingjelly"),
        arguments,
        encode_seconds=encoded - began,
        run_seconds=ended - encoded,
        input_spikes=int(spikes.sum()),
        output_spikes=int(output.sum()),
    )


if __name__ == "__main__":
    main()
