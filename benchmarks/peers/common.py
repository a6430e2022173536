"""What the scripts of this folder share: their arguments and the one JSON line that each prints last.

The seed network, equal in every `*_seed.py`: n Poisson inputs whose rates come from a file (Hz, float64, [n]),
all-to-all weights drawn from N(0, 1) mV by the peer itself, n leaky integrate-and-fire neurons, no learning, 1 ms
steps. A spike of weight w adds w to the membrane at once; the membrane decays exactly. For input I(t), the weighted
sum of a step's spikes:

    v = v * exp(-1 / TAU_MS);  v += I(t) unless refractory;  v >= THRESHOLD_MV: spike, v = 0, refractory REFRACTORY_MS

A rates file is made with

    python -c "import numpy as np; np.save('rates.npy', np.random.default_rng(0).uniform(0, 100, 1000))"

Each script is run by the interpreter of an environment in which its peer is installed. On a machine that runs anything
else, set OMP_WAIT_POLICY=passive: OpenMP threads that spin at every step's barrier for a core that is taken have made a
second of NEST, ANNarchy, Brian2 or BindsNET 10 to 400 times slower with two threads than with one.
"""

from __future__ import annotations

import argparse
import json
import resource
from dataclasses import dataclass
from typing import Any

import numpy as np

TAU_MS = 100.0
THRESHOLD_MV = 13.0  # above rest, to which a spike resets
REFRACTORY_MS = 5
WARM_UP_MS = 10


@dataclass(frozen=True)
class SeedArguments:
    """Arguments of a `*_seed.py`; `rates` are in Hz."""

    n: int
    ms: int
    rates: np.ndarray[Any, np.dtype[np.float64]]
    seed: int
    threads: int
    mode: str | None


def seed_arguments(doc: str | None, modes: list[str] | None = None) -> SeedArguments:
    """Parses the command line; `modes` are the choices of --mode, the first of them its default."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, required=True, help="inputs, and neurons")
    parser.add_argument("--ms", type=int, default=1000, help="simulated milliseconds")
    parser.add_argument("--rates", required=True, help=".npy file of input rates in Hz, float64, [n]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    if modes:
        parser.add_argument("--mode", choices=modes, default=modes[0])
    arguments = parser.parse_args()
    rates = np.load(arguments.rates)
    if rates.shape != (arguments.n,):
        parser.error(f"{arguments.rates} has shape {rates.shape}, expected ({arguments.n},)")
    mode = arguments.mode if modes else None
    return SeedArguments(arguments.n, arguments.ms, rates, arguments.seed, arguments.threads, mode)


def peak_rss_mb() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(peer: str, version: str, **values: Any) -> None:
    """Prints the JSON line."""
    rounded = {name: round(value, 6) if isinstance(value, float) else value for name, value in values.items()}
    print(json.dumps({"peer": peer, "version": version, **rounded}), flush=True)


def report_seed(
    peer: str,
    version: str,
    arguments: SeedArguments,
    *,
    encode_seconds: float = 0.0,
    run_seconds: float,
    input_spikes: int | None,
    output_spikes: int,
    rss_mb: float | None = None,
    **more: float,
) -> None:
    """Prints the JSON line of a `*_seed.py`; `rss_mb` is given where the simulation ran in another process."""
    report(
        peer,
        version,
        n=arguments.n,
        ms=arguments.ms,
        encode_seconds=encode_seconds,
        run_seconds=run_seconds,
        input_spikes=input_spikes,
        output_spikes=output_spikes,
        peak_rss_mb=round(peak_rss_mb() if rss_mb is None else rss_mb, 1),
        **more,
    )
