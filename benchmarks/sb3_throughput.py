"""Environment steps a second of training: a spiking policy, its ANN baseline, the same policy of snnTorch neurons.

    python benchmarks/sb3_throughput.py --python snntorch=PATH

All by the same interpreter, which has snnTorch beside what snnrl needs; they take turns, and the median counts.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time

from interpreters import add_interpreters, ask, installed, interpreters

import snnrl

CASES = {"ppo_cartpole": 16384, "dqn_cartpole": 2048, "sac_pendulum": 300, "ppo_images": 512}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    add_interpreters(parser, ["snntorch"])
    arguments = parser.parse_args()
    python = interpreters(arguments, ["snntorch"])["snntorch"]
    kinds = ["ann", "spiking", *(["snntorch"] if installed(python, "snntorch") else [])]
    print(f"snnrl {snnrl.__version__}, {platform.machine()}, {time.strftime('%F')}, {arguments.threads} threads\n")
    print(
        "| training | ANN baseline | spiking | snnTorch | spiking / ANN | spiking / snnTorch |\n"
        "|---|---|---|---|---|---|"
    )
    for case in arguments.cases:
        speeds: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(arguments.turns):
            for kind in kinds:
                options = {"kind": kind, "case": case, "steps": CASES[case], "threads": arguments.threads}
                found = ask(python, "sb3_training.py", {**options, "device": arguments.device}, 900.0)
                if "error" in found:
                    raise SystemExit(f"{case}, {kind}: {found['error']}")
                speeds[kind].append(found["steps_per_second"])
        middle = {kind: statistics.median(speed) for kind, speed in speeds.items()}
        peer = middle.get("snntorch")
        cells = [f"{middle['ann']:,.0f}", f"{middle['spiking']:,.0f}", f"{peer:,.0f}" if peer else ""]
        cells += [f"{middle['spiking'] / middle['ann']:.2f}", f"{middle['spiking'] / peer:.2f}" if peer else ""]
        print(f"| {case} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
