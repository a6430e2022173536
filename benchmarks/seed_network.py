"""The seed benchmark of the field: n Poisson inputs, all to all onto n LIF neurons, for one second.

    python benchmarks/seed_network.py --quick
    python benchmarks/seed_network.py --python brian2=PATH --python nest=PATH ... --out docs/seed_network

Rates are U(0, 100) Hz and the same for all, weights N(0, 1) mV, steps 1 ms. Each simulator runs in an interpreter of
its own, with one thread and with all, of which the faster counts; encoding counts, building and compiling do not. Spike
counts must agree within sampling error, so that nobody is fast by being wrong. The floor is the time that it takes to
read the weights of all input spikes once from memory.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from interpreters import add_interpreters, ask, installed, interpreters

import snnrl

PEERS: dict[str, tuple[str, str, list[str]]] = {
    "snnrl": ("snnrl_seed.py", "snnrl", ["float32", "bfloat16"]),
    "annarchy": ("annarchy_seed.py", "ANNarchy", []),
    "bindsnet": ("bindsnet_seed.py", "bindsnet", ["bernoulli"]),
    "brian2": ("brian2_seed.py", "brian2", ["runtime", "cpp_standalone"]),
    "nest": ("nest_seed.py", "nest", []),
    "norse": ("norse_seed.py", "norse", []),
    "snntorch": ("snntorch_seed.py", "snntorch", []),
    "spikingjelly": ("spikingjelly_seed.py", "spikingjelly", []),
}
"""By name: script, the module that must be there, modes."""

SPREAD = 0.035
"""Relative standard deviation of output spikes over draws of the weights at n = 1,000; it falls as 1 / sqrt(n)."""


def read_bandwidth(threads: int) -> float:
    """Bytes per second at which memory is read: the best of five sums over a gigabyte."""
    import torch

    torch.set_num_threads(threads)
    block = torch.ones(1 << 28)
    best = math.inf
    for _ in range(5):
        began = time.perf_counter()
        block.sum()
        best = min(best, time.perf_counter() - began)
    return block.numel() * 4 / best


def measure(pythons: dict[str, str], sizes: list[int], threads: list[int], seconds: float) -> list[dict[str, Any]]:
    """One row for each size, simulator and mode: the fastest over the numbers of threads."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for n in sizes:
            rates = Path(folder) / f"{n}.npy"
            np.save(rates, np.random.default_rng(0).uniform(0, 100, n))
            for peer, (script, module, modes) in PEERS.items():
                if not installed(pythons[peer], module):
                    print(f"{peer}: not installed", flush=True)
                    continue
                for mode in modes or [""]:
                    options = {"n": n, "ms": 1000, "rates": rates, "seed": 0, **({"mode": mode} if mode else {})}
                    runs = [ask(pythons[peer], script, {**options, "threads": count}, seconds) for count in threads]
                    for run, count in zip(runs, threads, strict=True):
                        run["threads"] = count
                        run["seconds"] = run.get("encode_seconds", 0.0) + run.get("run_seconds", math.inf)
                    row = min(runs, key=lambda run: run["seconds"]) | {"name": f"{peer} {mode}".strip(), "n": n}
                    rows.append(row)
                    shown = row.get("error") or f"{row['seconds']:.3f} s, {row['output_spikes']:,} spikes"
                    print(f"n = {n:,}  {row['name']:<22} {shown}", flush=True)
    return rows


def disagreements(rows: list[dict[str, Any]]) -> list[str]:
    """Whose spike counts are farther from the median than five standard deviations."""
    found = []
    for n in sorted({row["n"] for row in rows}):
        of_size = [row for row in rows if row["n"] == n and "error" not in row]
        middle = float(np.median([row["output_spikes"] for row in of_size]))
        allowed = 5 * SPREAD * math.sqrt(1000 / n)
        for row in of_size:
            if abs(row["output_spikes"] / middle - 1) > allowed:
                found.append(f"{row['name']}, n = {n}: {row['output_spikes']:,} spikes, median {middle:,.0f}")
    return found


def table(rows: list[dict[str, Any]], bandwidth: float) -> str:
    """Seconds by simulator and size, with the floor and how often snnrl is faster than the fastest other."""
    sizes = sorted({row["n"] for row in rows})
    names = list(dict.fromkeys(row["name"] for row in rows))
    seconds = {(row["name"], row["n"]): row["seconds"] for row in rows}
    lines = [f"| | {' | '.join(f'n = {n:,}' for n in sizes)} |", "|---" * (len(sizes) + 1) + "|"]
    for name in names:
        cells = [seconds.get((name, n), math.inf) for n in sizes]
        shown = " | ".join("–" if math.isinf(cell) else f"{cell:.3f}" for cell in cells)
        lines.append(f"| {name} | {shown} |")
    ours = {n: seconds.get(("snnrl float32", n), math.inf) for n in sizes}
    others = {
        n: min((s for (name, m), s in seconds.items() if m == n and "snnrl" not in name), default=math.nan)
        for n in sizes
    }
    spikes = {row["n"]: row["input_spikes"] for row in rows if row["name"] == "snnrl float32" and "error" not in row}
    floor = {n: spikes.get(n, 0) * n * 4 / bandwidth for n in sizes}
    lines.append(f"| floor: active weights read once | {' | '.join(f'{floor[n]:.3f}' for n in sizes)} |")
    lines.append(f"| fastest other / snnrl float32 | {' | '.join(f'{others[n] / ours[n]:.1f}' for n in sizes)} |")
    lines.append(f"| snnrl float32 / floor | {' | '.join(f'{ours[n] / floor[n]:.1f}' for n in sizes)} |")
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Time against n, a line each."""
    from snnrl.plot import save_figure, scaling

    lines: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if math.isfinite(row["seconds"]):
            lines.setdefault(row["name"], []).append((row["n"], row["seconds"]))
    ours = [name for name in lines if name.startswith("snnrl")]
    figure = scaling(
        lines, ours, "neurons n (n × n synapses)", "seconds for one simulated second", "One second of the seed network"
    )
    save_figure(figure, path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", nargs="+", type=int, default=[250, 500, 1000, 2000, 5000, 10000])
    parser.add_argument("--quick", action="store_true", help="n = 1,000 and 5,000 and one number of threads")
    parser.add_argument("--seconds", type=float, default=600.0, help="after which a run is given up")
    parser.add_argument("--out", type=Path, help="folder and stem of the CSV and the figure")
    add_interpreters(parser, list(PEERS))
    arguments = parser.parse_args()
    cores = os.cpu_count() or 1
    sizes, threads = ([1000, 5000], [cores]) if arguments.quick else (arguments.n, sorted({1, cores}))
    bandwidth = read_bandwidth(cores)
    print(f"snnrl {snnrl.__version__}, Python {platform.python_version()}, {platform.machine()}, {cores} cores")
    print(f"{time.strftime('%F')}, memory is read at {bandwidth / 1e9:.1f} GB/s\n")
    rows = measure(interpreters(arguments, list(PEERS)), sizes, threads, 60.0 if arguments.quick else arguments.seconds)
    print("\nSeconds for one simulated second\n")
    print(table(rows, bandwidth))
    wrong = disagreements(rows)
    print("\nSpike counts agree." if not wrong else "\nSpike counts differ: " + "; ".join(wrong))
    if arguments.out:
        fields = ["name", "version", "n", "threads", "encode_seconds", "run_seconds", "input_spikes", "output_spikes"]
        with arguments.out.with_suffix(".csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, [*fields, "peak_rss_mb", "grown_mb", "error"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        draw(rows, arguments.out.with_suffix(".png"))
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
