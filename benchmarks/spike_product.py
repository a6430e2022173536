"""From which density on the dense product of spikes and weights is faster than going through the events.

    python benchmarks/spike_product.py

Milliseconds of both ways for windows of spikes; the kernel's `SPARSE_BELOW` and `SMALLEST` are read off this table.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

import snnrl
from snnrl.kernels import dense_product
from snnrl.kernels.spike_product import collect_events, event_product


def best(work: Callable[[], object], rounds: int = 5) -> float:
    """Milliseconds of the fastest of some rounds."""
    times = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1e3 * min(times[1:])


def by_events(spikes: Tensor, weight: Tensor) -> Tensor:
    found = collect_events(spikes.numpy())
    assert found is not None, "no bound on the share of events was given"
    return event_product(*found, weight)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", nargs="+", type=int, default=[256, 512, 1024, 4096])
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 32, 1000])
    parser.add_argument("--density", nargs="+", type=float, default=[0.01, 0.05, 0.08, 0.15, 0.3])
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    generator = torch.Generator().manual_seed(0)
    print(
        f"snnrl {snnrl.__version__}, torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}"
    )
    print(f"{time.strftime('%F')}, float32, n x n weights\n")
    densities = " | ".join(f"{density:.0%}" for density in arguments.density)
    print(f"| n | rows | dense, ms | events, ms, at {densities} |\n|---|---|---|{'---|' * len(arguments.density)}")
    for n in arguments.n:
        weight = torch.randn(n, n, generator=generator).t()
        for rows in arguments.rows:
            noise = torch.rand(rows, n, generator=generator)
            dense = best(lambda noise=noise, weight=weight: dense_product(noise, weight))  # type: ignore[misc]
            events = []
            for density in arguments.density:
                spikes = (noise < density).float()
                events.append(best(lambda spikes=spikes, weight=weight: by_events(spikes, weight)))  # type: ignore[misc]
            print(
                f"| {n:,} | {rows:,} | {dense:.2f} | {' | '.join(f'{ms:.2f}' for ms in np.array(events))} |", flush=True
            )


if __name__ == "__main__":
    main()
