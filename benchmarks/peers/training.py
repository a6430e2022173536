"""What the `*_lif_training.py` share: arguments, and the time of forward and backward of a linear layer and a LIF."""

from __future__ import annotations

import argparse
import time

import torch
from common import report


def training_arguments(doc: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, required=True, help="inputs, and neurons")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, default=5, help="averaged, after one that is not counted")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def clock(device: str) -> float:
    """Seconds, after the device has finished."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def measure(peer: str, version: str, network: torch.nn.Module, arguments: argparse.Namespace) -> None:
    """Prints the averages over `arguments.rounds` for input spikes [steps, batch, n] of density 0.1."""
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    forward, backward = seconds(network, arguments)
    report(peer, version, n=arguments.n, forward_seconds=forward, backward_seconds=backward)


def seconds(network: torch.nn.Module, arguments: argparse.Namespace) -> tuple[float, float]:
    """Of forward and backward, averaged."""
    network.to(arguments.device)
    shape = arguments.steps, arguments.batch, arguments.n
    spikes = (torch.rand(shape, device=arguments.device) < 0.1).float()
    forward = backward = 0.0
    for turn in range(1 + arguments.rounds):
        network.zero_grad()
        began = clock(arguments.device)
        total = network(spikes).sum()
        computed = clock(arguments.device)
        total.backward()
        ended = clock(arguments.device)
        if turn:
            forward += computed - began
            backward += ended - computed
    return forward / arguments.rounds, backward / arguments.rounds


if __name__ == "__main__":
    raise SystemExit("run one of the *_lif_training.py")
