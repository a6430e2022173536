"""The seed network in snnTorch: one product for the whole window, then `Leaky` over time.

    python benchmarks/peers/snntorch_seed.py --n 1000 --ms 1000 --rates rates.npy --seed 0 --threads 2

`Leaky` with beta = exp(-1 / tau) decays exactly and resets to zero. It has no refractory period: a counter around it
takes away the input of neurons that fired in the last steps.
"""

from __future__ import annotations

import math
import time
from importlib.metadata import version

import snntorch
import torch
from common import REFRACTORY_MS, TAU_MS, THRESHOLD_MV, WARM_UP_MS, report_seed, seed_arguments
from snntorch import spikegen


def run(spikes: torch.Tensor, linear: torch.nn.Linear, neurons: snntorch.Leaky) -> torch.Tensor:
    """Output spikes [time, n] of input spikes [time, n]."""
    currents = linear(spikes)
    mem = torch.zeros_like(currents[0])
    refractory = torch.zeros_like(mem)
    output = []
    for current in currents:
        fired, mem = neurons(current * (refractory <= 0), mem)
        refractory = torch.where(fired > 0, REFRACTORY_MS, refractory - 1)
        output.append(fired)
    return torch.stack(output)


def main() -> None:
    arguments = seed_arguments(__doc__)
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(arguments.seed)
    linear = torch.nn.Linear(arguments.n, arguments.n, bias=False)
    torch.nn.init.normal_(linear.weight)
    neurons = snntorch.Leaky(math.exp(-1 / TAU_MS), threshold=THRESHOLD_MV, reset_mechanism="zero")
    probabilities = torch.from_numpy(arguments.rates).float() / 1000
    run(spikegen.rate(probabilities, num_steps=WARM_UP_MS), linear, neurons)

    began = time.perf_counter()
    spikes = spikegen.rate(probabilities, num_steps=arguments.ms)
    encoded = time.perf_counter()
    output = run(spikes, linear, neurons)
    ended = time.perf_counter()
    report_seed(
        "snnTorch",
        version("snntorch"),
        arguments,
        encode_seconds=encoded - began,
        run_seconds=ended - encoded,
        input_spikes=int(spikes.sum()),
        output_spikes=int(output.sum()),
    )


if __name__ == "__main__":
    main()
