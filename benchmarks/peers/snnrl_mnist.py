"""Unsupervised MNIST in snnrl, learning, as `bindsnet_mnist.py` has it.

    python benchmarks/peers/snnrl_mnist.py --neurons 100 --batch 32 --steps 100 --encoding poisson --images 20000

Prints images per second of training, encoding included and batches at their full size, after a warm-up.
"""

from __future__ import annotations

import argparse
import time

import torch
from common import report

import snnrl
from snnrl.learners import make_learner
from snnrl.learners.data import load_data
from snnrl.recipes import compose_run
from snnrl.training.supervised_task import image_order


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, default=100)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--encoding", choices=["current", "poisson"], default="current")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    settings = compose_run(["experiment=mnist_unsupervised"])["learner"]
    settings |= {"n_neurons": arguments.neurons, "batch_size": arguments.batch, "sim_steps": arguments.steps}
    settings |= {"encoding": arguments.encoding}
    data = load_data("MNIST")
    train = data.train.to(torch.device(arguments.device))
    learner = make_learner(settings, data.shape, data.classes).to(arguments.device)
    order = image_order(0, 0, len(train)).to(arguments.device)
    chosen = [order[start : start + arguments.batch] for start in range(0, arguments.images, arguments.batch)]
    began = 0.0
    for number, batch in enumerate([*chosen[: max(2000 // arguments.batch, 2)], None, *chosen]):
        if batch is None:
            began = _clock(arguments.device)
        else:
            learner.anneal(number * arguments.batch / len(train))
            learner.learn(train.images[batch], train.labels[batch])
    seconds = _clock(arguments.device) - began
    name = f"snnrl {arguments.encoding}"
    report(name, snnrl.__version__, images_per_second=arguments.images / seconds, images=arguments.images)


def _clock(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
