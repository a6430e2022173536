"""Batched reward-modulated STDP in BindsNET: Poisson inputs onto LIF neurons, learning, with a reward at every step.

    python benchmarks/peers/bindsnet_mstdp.py --pre 784 --post 400 --batch 64 --steps 50 --rule MSTDP --threads 2

Prints the simulation steps per second of the whole batch, after a warm-up. Inputs fire at 20 Hz on average.
Batches need no workaround; eligibility is held as [batch, pre, post].
"""

from __future__ import annotations

import argparse
import time
from importlib.metadata import version

import torch
from bindsnet.learning import MSTDP, MSTDPET
from bindsnet.network import Network
from bindsnet.network.nodes import Input, LIFNodes
from bindsnet.network.topology import Connection
from common import report

RULES = {"MSTDP": MSTDP, "MSTDPET": MSTDPET}
WARM_UP_STEPS = 3


def build(pre: int, post: int, batch: int, rule: str) -> Network:
    network = Network(dt=1.0, batch_size=batch)
    inputs, neurons = Input(pre), LIFNodes(post)
    network.add_layer(inputs, "inputs")
    network.add_layer(neurons, "neurons")
    connection = Connection(
        inputs,
        neurons,
        w=torch.rand(pre, post),
        update_rule=RULES[rule],
        nu=(1e-4, 1e-4),
        wmin=0.0,
        wmax=1.0,
        norm=None,
    )
    network.add_connection(connection, "inputs", "neurons")
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pre", type=int, default=784)
    parser.add_argument("--post", type=int, default=400)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--rule", choices=RULES, default="MSTDP")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    network = build(arguments.pre, arguments.post, arguments.batch, arguments.rule)
    shape = WARM_UP_STEPS + arguments.steps, arguments.batch, arguments.pre
    spikes = (torch.rand(shape) < 0.020).byte()
    network.run({"inputs": spikes[:WARM_UP_STEPS]}, time=WARM_UP_STEPS, reward=1.0)
    began = time.perf_counter()
    network.run({"inputs": spikes[WARM_UP_STEPS:]}, time=arguments.steps, reward=1.0)
    seconds = time.perf_counter() - began
    report(f"BindsNET {arguments.rule}", version("bindsnet"), sim_steps_per_second=arguments.steps / seconds)


if __name__ == "__main__":
    main()
