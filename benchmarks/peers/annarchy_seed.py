"""The seed network in ANNarchy 5 (OpenMP), compiled into a temporary folder.

    python benchmarks/peers/annarchy_seed.py --n 1000 --ms 1000 --rates rates.npy --seed 0 --threads 2

The measured `simulate` comes after a short one. `g_exc` holds a step's weighted spikes and is cleared after it.
"""

from __future__ import annotations

import tempfile
import time

import ANNarchy as ann
import numpy as np
from common import REFRACTORY_MS, TAU_MS, THRESHOLD_MV, WARM_UP_MS, SeedArguments, report_seed, seed_arguments


def run(arguments: SeedArguments, directory: str) -> None:
    network = ann.Network(dt=1.0, seed=arguments.seed)
    network.config(num_threads=arguments.threads)
    neuron = ann.Neuron(
        parameters={"decay": float(np.exp(-1 / TAU_MS)), "threshold": THRESHOLD_MV},
        equations="v = v * decay + g_exc",
        spike="v >= threshold",
        reset="v = 0.0",
        refractory=float(REFRACTORY_MS),
    )
    inputs = network.create(ann.PoissonPopulation(arguments.n, rates=arguments.rates))
    neurons = network.create(arguments.n, neuron)
    synapses = network.connect(inputs, neurons, target="exc")
    synapses.all_to_all(weights=ann.Normal(0.0, 1.0), storage_format="dense")
    heard, spikes = network.monitor(inputs, "spike"), network.monitor(neurons, "spike")
    network.compile(directory=directory, silent=False)

    network.simulate(float(WARM_UP_MS))
    heard.get("spike"), spikes.get("spike")  # forgets what has been recorded
    began = time.perf_counter()
    network.simulate(float(arguments.ms))
    seconds = time.perf_counter() - began
    report_seed(
        "ANNarchy",
        ann.__release__,
        arguments,
        run_seconds=seconds,
        input_spikes=sum(map(len, heard.get("spike").values())),
        output_spikes=sum(map(len, spikes.get("spike").values())),
    )


def main() -> None:
    arguments = seed_arguments(__doc__)
    with tempfile.TemporaryDirectory() as directory:
        run(arguments, directory)


if __name__ == "__main__":
    main()
