"""Batched reward-modulated STDP, learning on, against BindsNET: simulation steps per second of the whole batch.

python benchmarks/reward_stdp.py --python bindsnet=PATH
"""

from __future__ import annotations

import argparse
import platform
import time

from interpreters import add_interpreters, ask, installed, interpreters

import snnrl

SIZES = [(784, 400, 50), (6400, 500, 5)]
"""Inputs, neurons, and the steps that BindsNET is given."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    add_interpreters(parser, ["snnrl", "bindsnet"])
    arguments = parser.parse_args()
    pythons = interpreters(arguments, ["snnrl", "bindsnet"])
    print(f"snnrl {snnrl.__version__}, {platform.machine()}, {time.strftime('%F')}, batch {arguments.batch}\n")
    print(
        "| network | rule | BindsNET | snnrl, every step | snnrl, every 50 steps | ratios |\n|---|---|---|---|---|---|"
    )
    for pre, post, steps in SIZES:
        for rule in ("MSTDP", "MSTDPET"):
            options = {"pre": pre, "post": post, "batch": arguments.batch, "rule": rule, "threads": arguments.threads}
            theirs = float("nan")
            if installed(pythons["bindsnet"], "bindsnet"):
                answer = ask(pythons["bindsnet"], "bindsnet_mstdp.py", {**options, "steps": steps}, 600.0)
                theirs = answer.get("sim_steps_per_second", theirs)
            ours = []
            for window, length in ((1, 10 * steps), (50, 500)):
                answer = ask(pythons["snnrl"], "snnrl_mstdp.py", {**options, "window": window, "steps": length}, 600.0)
                ours.append(answer.get("sim_steps_per_second", float("nan")))
            ratios = ", ".join(f"{rate / theirs:.0f}" for rate in ours)
            print(f"| {pre}-{post} | {rule} | {theirs:.2f} | {ours[0]:.1f} | {ours[1]:.1f} | {ratios} |", flush=True)


if __name__ == "__main__":
    main()
