"""Unsupervised MNIST in BindsNET as its examples `eth_mnist.py` and `batch_eth_mnist.py` set it up: learning, no plots.

    python benchmarks/peers/bindsnet_mnist.py --neurons 100 --batch 32 --steps 100 --images 96 --threads 2

Prints images per second, encoding and the reset between batches included, after a warm-up batch. The data are MNIST's
first training images, read from the folder in SNNRL_DATA.
"""

from __future__ import annotations

import argparse
import os
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from bindsnet.encoding import PoissonEncoder
from bindsnet.models import DiehlAndCook2015
from common import report

INTENSITY = 128.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, default=100)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    path = Path(os.environ["SNNRL_DATA"]) / "MNIST" / "raw" / "train-images-idx3-ubyte"
    count = arguments.images + arguments.batch
    pixels = np.fromfile(path, np.uint8, count=count * 784, offset=16).reshape(-1, 1, 28, 28)
    images = torch.from_numpy(pixels).float() / 255 * INTENSITY
    network = DiehlAndCook2015(
        n_inpt=784,
        n_neurons=arguments.neurons,
        batch_size=arguments.batch,
        exc=22.5,
        inh=120.0,
        dt=1.0,
        norm=78.4,
        nu=(1e-4, 1e-2),
        theta_plus=0.05,
        inpt_shape=(1, 28, 28),
    )
    encoder = PoissonEncoder(time=arguments.steps, dt=1.0)
    began, seen = 0.0, 0
    for batch in images.split(arguments.batch):
        if len(batch) < arguments.batch:
            break
        spikes = torch.stack([encoder(image) for image in batch], dim=1)
        network.run(inputs={"X": spikes}, time=arguments.steps)
        network.reset_state_variables()
        if began == 0.0:
            began = time.perf_counter()
        else:
            seen += len(batch)
    seconds = time.perf_counter() - began
    report("BindsNET", version("bindsnet"), images_per_second=seen / seconds, images=seen)


if __name__ == "__main__":
    main()
