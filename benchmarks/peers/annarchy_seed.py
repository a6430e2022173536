"""The seed network in ANNarchy 5 (OpenMP), compiled into a temporary folder.

    python benchmarks/peers/annarchy_seed.py --n 1000 --ms 1000 --rates rates.npy --seed 0 --threads 2

The measured `simulate` comes after a short one. `g_exc` holds a step's weighted spikes and is cleared after it. The
dense matrix ordered by inputs was the fastest of ANNarchy's formats here (it calls dense matrices for spikes
experimental): at n = 1000 on one thread, 1 s of it took 0.03 s, CSR in that order 0.06 s, the default list of lists
0.21 s. float64.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import ANNarchy
import numpy as np
from common import REFRACTORY_MS, TAU_MS, THRESHOLD_MV, WARM_UP_MS, SeedArguments, report_seed, seed_arguments


def run(arguments: SeedArguments, directory: str) -> None:
    network = ANNarchy.Network(dt=1.0, seed=arguments.seed)
    network.config(num_threads=arguments.threads)
    neuron = ANNarchy.Neuron(
        parameters={"decay": float(np.exp(-1 / TAU_MS)), "threshold": THRESHOLD_MV},
        equations="v = v * decay + g_exc",
        spike="v >= threshold",
        reset="v = 0.0",
        refractory=float(REFRACTORY_MS),
    )
    inputs = network.create(ANNarchy.PoissonPopulation(arguments.n, rates=arguments.rates))
    neurons = network.create(arguments.n, neuron)
    synapses = network.connect(inputs, neurons, target="exc")
    synapses.all_to_all(weights=ANNarchy.Normal(0.0, 1.0), storage_format="dense", storage_order="pre_to_post")
    heard, spikes = network.monitor(inputs, "spike"), network.monitor(neurons, "spike")
    network.compile(directory=directory, silent=True)

    network.simulate(float(WARM_UP_MS))
    heard.get("spike"), spikes.get("spike")  # forgets what has been recorded
    began = time.perf_counter()
    network.simulate(float(arguments.ms))
    seconds = time.perf_counter() - began
    report_seed(
        "ANNarchy",
        ANNarchy.__release__,
        arguments,
        run_seconds=seconds,
        input_spikes=sum(map(len, heard.get("spike").values())),
        output_spikes=sum(map(len, spikes.get("spike").values())),
    )


def main() -> None:
    arguments = seed_arguments(__doc__)
    # CMake, which ANNarchy calls, would not find the interpreter of a virtual environment that is not activated.
    os.environ["VIRTUAL_ENV"] = sys.prefix
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with tempfile.TemporaryDirectory() as directory:
        run(arguments, directory)


if __name__ == "__main__":
    main()
