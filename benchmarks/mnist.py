"""Unsupervised MNIST, images per second of training: snnrl at three batch sizes and with both encodings, and BindsNET.

SNNRL_DATA=FOLDER python benchmarks/mnist.py --python bindsnet=PATH

BindsNET is run as its own examples are: batch 1 for 250 ms (`eth_mnist.py`) and batch 32 for 100 ms
(`batch_eth_mnist.py`). The last row of snnrl has the 100 steps and the Poisson spikes of the latter.
"""

from __future__ import annotations

import argparse
import platform
import time

from interpreters import add_interpreters, ask, installed, interpreters

import snnrl

OURS = [("current", 15, batch) for batch in (1, 32, 128)] + [("poisson", 15, batch) for batch in (1, 32, 128)]
OURS += [("poisson", 100, 32)]
THEIRS = [(250, 1, 10), (100, 32, 96)]
"""Steps, batch, images."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, nargs="+", default=[100, 400])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="of snnrl")
    add_interpreters(parser, ["snnrl", "bindsnet"])
    arguments = parser.parse_args()
    pythons = interpreters(arguments, ["snnrl", "bindsnet"])
    threads = {"threads": arguments.threads}
    print(f"snnrl {snnrl.__version__}, {platform.machine()}, {time.strftime('%F')}, {arguments.threads} threads\n")
    print("| simulator | input | steps | batch | " + " | ".join(f"{n} neurons" for n in arguments.neurons) + " |")
    print("|---|---|---|---|" + "---|" * len(arguments.neurons))
    for encoding, steps, batch in OURS:
        rates = []
        for neurons in arguments.neurons:
            images = max(arguments.images // (10 if batch == 1 else 1), 1000)
            options = {"neurons": neurons, "batch": batch, "steps": steps, "encoding": encoding, "images": images}
            options |= {"device": arguments.device, **threads}
            rates.append(ask(pythons["snnrl"], "snnrl_mnist.py", options, 600.0).get("images_per_second"))
        _row("snnrl", encoding, steps, batch, rates)
    if not installed(pythons["bindsnet"], "bindsnet"):
        return
    for steps, batch, images in THEIRS:
        rates = []
        for neurons in arguments.neurons:
            options = {"neurons": neurons, "batch": batch, "steps": steps, "images": images, **threads}
            rates.append(ask(pythons["bindsnet"], "bindsnet_mnist.py", options, 900.0).get("images_per_second"))
        _row("BindsNET", "poisson", steps, batch, rates)


def _row(simulator: str, encoding: str, steps: int, batch: int, rates: list[float | None]) -> None:
    cells = " | ".join("failed" if rate is None else f"{rate:,.4g}" for rate in rates)
    print(f"| {simulator} | {encoding} | {steps} | {batch} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
