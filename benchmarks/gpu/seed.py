"""The seed network (n Poisson inputs, all to all onto n LIF neurons, a second in steps of 1 ms), card and CPU.

Seconds of a simulated second without encoding, the median of three; beside them the time of the product alone, of all
1,000 steps' spikes with the weights.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from itertools import product
from typing import Any

import torch
from common import REFRACTORY_MS, TAU_MS, THRESHOLD_MV
from steps import clock, is_dry, median_seconds, row
from torch import Tensor

from snnrl.connections import Dense
from snnrl.encoders import BernoulliEncoder
from snnrl.networks import Network
from snnrl.neurons import LIF

MS = 1000


def network_of(n: int, dtype: torch.dtype, device: str) -> Network:
    network = Network()
    neurons = LIF(n, tau_mem=TAU_MS, v_threshold=THRESHOLD_MV, t_refractory=REFRACTORY_MS, decay_input=False)
    network.add("input", n)
    network.add("neurons", neurons)
    generator = torch.Generator().manual_seed(0)
    network.connect("input", "neurons", Dense(n, n, weight_std=1.0, dtype=dtype, generator=generator))
    return network.to(device)


def spikes_of(n: int, device: str) -> Tensor:
    """``[1000, 1, n]`` bool with rates U(0, 100) Hz; the same for every device."""
    generator = torch.Generator().manual_seed(1)
    rates = torch.rand(1, n, generator=generator)
    encoder = BernoulliEncoder(n, sim_steps=MS, probability_max=0.1, dtype=torch.bool, generator=generator)
    return encoder(rates, encoder.init_state(1))[0].to(device)


@torch.no_grad()
def simulate(n: int, dtype: torch.dtype, device: str, rounds: int) -> Mapping[str, Any]:
    network, spikes = network_of(n, dtype, device), spikes_of(n, device)
    taken, fired = [], 0
    for turn in range(2 + rounds):
        began = clock()
        recording, _ = network.run({"input": spikes})
        ended = clock()
        fired = int(recording["neurons"]["spikes"].sum())
        taken += [ended - began] if turn > 1 else []
    dense, weight = spikes[:, 0].to(dtype), network.connection(network.edges[0]).weight
    found = {"seconds": statistics.median(taken), "input_spikes": int(spikes.sum()), "output_spikes": fired}
    if device == "cuda":
        found["product_seconds"] = median_seconds(lambda: dense @ weight.t())
    return found


def main() -> None:
    dry = is_dry(__doc__)
    devices = ["cpu"] if dry else ["cuda", "cpu"]
    sizes = (250,) if dry else (1000, 2500, 5000, 10_000)
    for device, n, dtype in product(devices, sizes, (torch.float32, torch.bfloat16)):
        name = f"n = {n:,}, {str(dtype).removeprefix('torch.')}, {device}"
        row(name, lambda n=n, t=dtype, d=device: simulate(n, t, d, 3))


if __name__ == "__main__":
    main()
