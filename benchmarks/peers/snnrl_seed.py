"""The seed network in snnrl: Bernoulli inputs, one product and one scan of the neurons for each second.

    python benchmarks/peers/snnrl_seed.py --n 1000 --ms 1000 --rates rates.npy --seed 0 --threads 2 --mode float32

`--mode bfloat16` holds the weights in half the memory; they are summed in float32. `--mode cuda` runs on a GPU.
"""

from __future__ import annotations

import time

import torch
from common import REFRACTORY_MS, TAU_MS, THRESHOLD_MV, WARM_UP_MS, peak_rss_mb, report_seed, seed_arguments

import snnrl
from snnrl.connections import Dense
from snnrl.encoders import BernoulliEncoder
from snnrl.networks import Network, NetworkState
from snnrl.neurons import LIF

WINDOW_MS = 1000


def main() -> None:
    arguments = seed_arguments(__doc__, ["float32", "bfloat16", "cuda"])
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    n, device = arguments.n, torch.device("cuda" if arguments.mode == "cuda" else "cpu")
    generator = torch.Generator().manual_seed(arguments.seed)
    before = peak_rss_mb()
    network = Network()
    network.add("input", n)
    network.add(
        "neurons", LIF(n, tau_mem=TAU_MS, v_threshold=THRESHOLD_MV, t_refractory=REFRACTORY_MS, decay_input=False)
    )
    dtype = torch.bfloat16 if arguments.mode == "bfloat16" else torch.float32
    network.connect("input", "neurons", Dense(n, n, weight_std=1.0, dtype=dtype, generator=generator))
    network.to(device)
    rates = torch.from_numpy(arguments.rates).float()[None]
    noise = torch.Generator(device).manual_seed(arguments.seed + 1)
    input_spikes = output_spikes = 0
    encoding = running = 0.0

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def advance(steps: int, state: NetworkState | None) -> NetworkState:
        nonlocal input_spikes, output_spikes, encoding, running
        began = clock()
        encoder = BernoulliEncoder(n, sim_steps=steps, probability_max=0.1, dtype=torch.bool, generator=noise)
        spikes, _ = encoder((rates / 100.0).to(device), encoder.init_state(1))
        encoded = clock()
        recording, state = network.run({"input": spikes}, state)
        ended = clock()
        encoding, running = encoding + encoded - began, running + ended - encoded
        input_spikes += int(spikes.sum())
        output_spikes += int(recording["neurons"]["spikes"].sum())
        return state

    advance(100, None)  # enough steps for both ways of the product to be compiled
    advance(WARM_UP_MS, None)
    input_spikes = output_spikes = 0
    encoding = running = 0.0
    state = None
    for first in range(0, arguments.ms, WINDOW_MS):
        state = advance(min(WINDOW_MS, arguments.ms - first), state)
    report_seed(
        f"snnrl {arguments.mode}",
        snnrl.__version__,
        arguments,
        encode_seconds=encoding,
        run_seconds=running,
        input_spikes=input_spikes,
        output_spikes=output_spikes,
        grown_mb=peak_rss_mb() - before,
    )


if __name__ == "__main__":
    main()
