"""Batched reward-modulated STDP in snnrl, as `bindsnet_mstdp.py` has it.

    python benchmarks/peers/snnrl_mstdp.py --pre 784 --post 400 --batch 64 --steps 500 --rule MSTDP --window 1

Prints the simulation steps per second of the whole batch, after a warm-up. Weights change after each `--window` steps.
"""

from __future__ import annotations

import argparse
import time

import torch
from common import report

import snnrl
from snnrl.connections import Dense
from snnrl.networks import Network
from snnrl.neurons import LIF
from snnrl.plasticity import MSTDP, MSTDPET

RULES = {"MSTDP": MSTDP, "MSTDPET": MSTDPET}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pre", type=int, default=784)
    parser.add_argument("--post", type=int, default=400)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--rule", choices=RULES, default="MSTDP")
    parser.add_argument("--window", type=int, default=1)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    name = f"snnrl {arguments.rule}, window {arguments.window}"
    report(name, snnrl.__version__, sim_steps_per_second=speed(arguments))


def speed(arguments: argparse.Namespace) -> float:
    """Simulation steps of the whole batch per second."""
    torch.manual_seed(0)
    network = Network()
    network.add("inputs", arguments.pre)
    neurons = LIF(arguments.post, tau_mem=100.0, v_threshold=13.0, t_refractory=5.0, decay_input=False)
    network.add("neurons", neurons)
    connection = Dense(arguments.pre, arguments.post, weight_mean=0.5, weight_std=0.2, bounds=(0, 1))
    network.connect("inputs", "neurons", connection, rule=RULES[arguments.rule](a_plus=1e-4, a_minus=1e-4))
    network.to(arguments.device)
    warm_up = max(10, 2 * arguments.window)
    spikes = (
        (torch.rand(warm_up + arguments.steps, arguments.batch, arguments.pre) < 0.020).float().to(arguments.device)
    )
    reward = torch.ones(arguments.batch, device=arguments.device)
    _, state = network.run({"inputs": spikes[:warm_up]}, modulator=reward, window=arguments.window)
    if arguments.device == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    recording, _ = network.run({"inputs": spikes[warm_up:]}, state, modulator=reward, window=arguments.window)
    int(recording["neurons"]["spikes"].sum())
    return float(arguments.steps / (time.perf_counter() - began))


if __name__ == "__main__":
    main()
