"""The seed network in NEST: iaf_psc_delta behind parrot neurons, each driven by a Poisson generator of its own.

    python benchmarks/peers/nest_seed.py --n 1000 --ms 1000 --rates rates.npy --seed 0 --threads 2

The parrots are NEST's way to send one and the same spike train to every neuron. `Prepare` and a short `Run` come
before the measured `Run`. Weights are drawn by NEST while it connects. Delays are one step.
"""

from __future__ import annotations

import time

import nest
from common import REFRACTORY_MS, TAU_MS, THRESHOLD_MV, WARM_UP_MS, report_seed, seed_arguments

NEURON = {
    "tau_m": TAU_MS,
    "t_ref": float(REFRACTORY_MS),
    "E_L": 0.0,
    "V_reset": 0.0,
    "V_m": 0.0,
    "V_th": THRESHOLD_MV,
}


def main() -> None:
    arguments = seed_arguments(__doc__)
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.resolution = 1.0
    nest.local_num_threads = arguments.threads
    nest.rng_seed = arguments.seed + 1  # zero is not allowed
    nest.keep_source_table = False
    generators = nest.Create("poisson_generator", arguments.n, {"rate": arguments.rates})
    inputs = nest.Create("parrot_neuron", arguments.n)
    neurons = nest.Create("iaf_psc_delta", arguments.n, NEURON)
    heard, spikes = nest.Create("spike_recorder"), nest.Create("spike_recorder")
    nest.Connect(generators, inputs, "one_to_one")
    synapses = {"synapse_model": "static_synapse", "weight": nest.random.normal(0.0, 1.0), "delay": 1.0}
    nest.Connect(inputs, neurons, "all_to_all", synapses)
    nest.Connect(inputs, heard)
    nest.Connect(neurons, spikes)

    nest.Prepare()
    nest.Run(float(WARM_UP_MS))
    before = heard.n_events, spikes.n_events
    began = time.perf_counter()
    nest.Run(float(arguments.ms))
    seconds = time.perf_counter() - began
    nest.Cleanup()
    report_seed(
        "NEST",
        nest.__version__,
        arguments,
        run_seconds=seconds,
        input_spikes=int(heard.n_events - before[0]),
        output_spikes=int(spikes.n_events - before[1]),
    )


if __name__ == "__main__":
    main()
