"""A linear layer and a LIF over 500 steps of batch 16, forward and backward, against the gradient-trained libraries.

    python benchmarks/lif_training.py --python spikingjelly=PATH --python norse=PATH --python snntorch=PATH

`--device cuda` measures on a GPU, with n up to 16,000.
"""

from __future__ import annotations

import argparse
import platform
import time

from interpreters import add_interpreters, ask, installed, interpreters

import snnrl

PEERS = ["snnrl", "norse", "snntorch", "spikingjelly"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", nargs="+", type=int, default=[250, 1000, 4000])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    add_interpreters(parser, PEERS)
    arguments = parser.parse_args()
    pythons = interpreters(arguments, PEERS)
    print(f"snnrl {snnrl.__version__}, {platform.machine()}, {time.strftime('%F')}\n")
    print("| n | library | forward, s | backward, s | both, of the fastest other |\n|---|---|---|---|---|")
    for n in arguments.n:
        options = {"n": n, "device": arguments.device, "rounds": arguments.rounds, "threads": arguments.threads}
        found = {
            peer: ask(pythons[peer], f"{peer}_lif_training.py", options, 600.0)
            for peer in PEERS
            if installed(pythons[peer], peer)
        }
        both = {p: f["forward_seconds"] + f["backward_seconds"] for p, f in found.items() if "error" not in f}
        fastest = min((seconds for peer, seconds in both.items() if peer != "snnrl"), default=float("nan"))
        for peer, result in found.items():
            if peer in both:
                parts = f"{result['forward_seconds']:.3f} | {result['backward_seconds']:.3f}"
                print(f"| {n:,} | {peer} {result['version']} | {parts} | {both[peer] / fastest:.2f} |", flush=True)
            else:
                print(f"| {n:,} | {peer} | – | – | {result['error']} |", flush=True)


if __name__ == "__main__":
    main()
