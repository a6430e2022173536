"""Training of 784-128-10 over 20 steps by surrogate gradient: forward, backward and Adam, against SpikingJelly.

    python benchmarks/mnist_surrogate.py --python spikingjelly=PATH

Images per second of processor time in one thread, the median of all rounds; the two take turns.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time

from interpreters import add_interpreters, ask, installed, interpreters

import snnrl

SCRIPTS = {"snnrl": "snnrl_mnist_surrogate.py", "spikingjelly": "spikingjelly_mnist.py"}
CASES = [("spikes", 128), ("spikes", 32), ("current", 128)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3, help="how often each library is started")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=6400, help="of each round")
    add_interpreters(parser, list(SCRIPTS))
    arguments = parser.parse_args()
    pythons = interpreters(arguments, list(SCRIPTS))
    if not installed(pythons["spikingjelly"], "spikingjelly"):
        raise SystemExit("--python spikingjelly=PATH: must be an interpreter that has SpikingJelly")
    print(f"snnrl {snnrl.__version__}, {platform.machine()}, {time.strftime('%F')}\n")
    print("| input | batch | snnrl, images/s | SpikingJelly, images/s | ratio |\n|---|---|---|---|---|")
    for shown, batch in CASES:
        options = {"batch": batch, "input": shown, "rounds": arguments.rounds, "images": arguments.images}
        speeds: dict[str, list[float]] = {library: [] for library in SCRIPTS}
        for _ in range(arguments.turns):
            for library, script in SCRIPTS.items():
                found = ask(pythons[library], script, options, 900.0)
                if "error" in found:
                    raise SystemExit(f"{library}: {found['error']}")
                speeds[library].append(found["images_per_second"])
        ours, theirs = (statistics.median(speeds[library]) for library in SCRIPTS)
        print(f"| {shown} | {batch} | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.2f} |", flush=True)


if __name__ == "__main__":
    main()
