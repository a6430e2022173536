"""The seed network in Brian2, at runtime (Cython) or as a C++ standalone program.

    python benchmarks/peers/brian2_seed.py --n 1000 --ms 1000 --rates rates.npy --seed 0 --mode cpp_standalone

Runtime: `Network.run` after a short run that compiles. C++ standalone: what Brian2 reports as the run's time, without
the compilation and the drawing of weights; the memory is that of the compiled program alone.

Brian2 adds a step's spikes after it has decayed the membrane and compared it to the threshold. They are thus compared
one decay later, and the threshold is lowered by that decay, which makes the neuron the same. Brian2's default float64
is kept.

OpenMP with two threads was no clear gain: 0.35 s against 0.37 s at n = 2000, 0.09 s against 0.07 s at n = 1000.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import brian2 as b2
import numpy as np
from common import REFRACTORY_MS, TAU_MS, THRESHOLD_MV, WARM_UP_MS, SeedArguments, report_seed, seed_arguments

# C++ of the standalone program, run at its end.
WRITE_PEAK = """
{ std::ifstream status("/proc/self/status"); std::ofstream peak("results/peak.txt"); std::string line;
  while (std::getline(status, line)) if (line.rfind("VmHWM:", 0) == 0) peak << line.substr(6); }
"""


def build(arguments: SeedArguments) -> tuple[b2.Network, b2.SpikeMonitor, b2.SpikeMonitor]:
    b2.defaultclock.dt = 1 * b2.ms
    b2.seed(arguments.seed)
    inputs = b2.PoissonGroup(arguments.n, rates=arguments.rates * b2.Hz)
    neurons = b2.NeuronGroup(
        arguments.n,
        "dv/dt = -v / tau : 1 (unless refractory)",
        threshold="v >= threshold",
        reset="v = 0",
        refractory=REFRACTORY_MS * b2.ms,
        method="exact",
        namespace={"tau": TAU_MS * b2.ms, "threshold": THRESHOLD_MV * np.exp(-1 / TAU_MS)},
    )
    synapses = b2.Synapses(inputs, neurons, "w : 1", on_pre="v_post += w")
    synapses.connect()
    synapses.w = "randn()"
    heard, spikes = b2.SpikeMonitor(inputs, record=False), b2.SpikeMonitor(neurons, record=False)
    return b2.Network(inputs, neurons, synapses, heard, spikes), heard, spikes


def runtime(arguments: SeedArguments) -> None:
    b2.prefs.codegen.target = "cython"
    network, heard, spikes = build(arguments)
    network.run(WARM_UP_MS * b2.ms)
    before = heard.num_spikes, spikes.num_spikes
    began = time.perf_counter()
    network.run(arguments.ms * b2.ms)
    seconds = time.perf_counter() - began
    report_seed(
        "Brian2 runtime",
        b2.__version__,
        arguments,
        run_seconds=seconds,
        input_spikes=int(heard.num_spikes - before[0]),
        output_spikes=int(spikes.num_spikes - before[1]),
    )


def cpp_standalone(arguments: SeedArguments, directory: str) -> None:
    b2.set_device("cpp_standalone", directory=directory, build_on_run=False)
    b2.prefs.devices.cpp_standalone.openmp_threads = arguments.threads if arguments.threads > 1 else 0
    network, heard, spikes = build(arguments)
    network.run(arguments.ms * b2.ms)
    b2.device.insert_code("after_end", WRITE_PEAK)
    b2.device.build(directory=directory, compile=True, run=True)
    report_seed(
        "Brian2 C++ standalone",
        b2.__version__,
        arguments,
        run_seconds=float(b2.device._last_run_time),
        input_spikes=int(heard.num_spikes),
        output_spikes=int(spikes.num_spikes),
        rss_mb=int(Path(directory, "results", "peak.txt").read_text().split()[0]) / 1024,
    )


def main() -> None:
    arguments = seed_arguments(__doc__, ["runtime", "cpp_standalone"])
    if arguments.mode == "runtime":
        runtime(arguments)
    else:
        with tempfile.TemporaryDirectory() as directory:
            cpp_standalone(arguments, directory)


if __name__ == "__main__":
    main()
