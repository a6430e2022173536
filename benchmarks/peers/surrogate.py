"""What `spikingjelly_mnist.py` and `snnrl_mnist_surrogate.py` share: 784-128-10, 20 steps, one thread.

Timed are forward, backward and Adam. Input is drawn, as bright as a handwritten digit (a fifth of 784 values above 0):
spikes of that intensity at every step, or the intensity itself as a constant current. The readout integrates the hidden
spikes; the loss is cross-entropy, the learning rate 2e-3.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from common import report

INPUTS, HIDDEN, CLASSES, STEPS = 784, 128, 10, 20
TAU = 10.0
RATE = 2e-3


def surrogate_arguments(doc: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--input", choices=["spikes", "current"], default="spikes")
    parser.add_argument("--images", type=int, default=6400, help="of each round")
    parser.add_argument("--rounds", type=int, default=5, help="the median counts, after one that is not counted")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return arguments


def drawn_input(arguments: argparse.Namespace) -> tuple[torch.Tensor, torch.Tensor]:
    """Spikes [steps, batch, inputs] or currents [1, batch, inputs]; labels [batch]."""
    shape = arguments.batch, INPUTS
    intensity = torch.rand(shape) * (torch.rand(shape) < 0.2)
    labels = torch.randint(CLASSES, (arguments.batch,))
    if arguments.input == "current":
        return intensity.unsqueeze(0), labels
    return (torch.rand(STEPS, *shape) < intensity).float(), labels


def timed(peer: str, version: str, arguments: argparse.Namespace, train: Callable[..., object]) -> None:
    """Prints images per second of processor time, for `train(shown, labels)`, one step of Adam."""
    shown, labels = drawn_input(arguments)
    steps = max(1, arguments.images // arguments.batch)
    speeds = []
    for _ in range(1 + arguments.rounds):
        began = time.process_time()
        for _ in range(steps):
            train(shown, labels)
        speeds.append(steps * arguments.batch / (time.process_time() - began))
    report(peer, version, images_per_second=statistics.median(speeds[1:]), batch=arguments.batch)


if __name__ == "__main__":
    raise SystemExit("run spikingjelly_mnist.py or snnrl_mnist_surrogate.py")
