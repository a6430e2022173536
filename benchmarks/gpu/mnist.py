"""Images per second while learning, without labels and by surrogate gradient; and one pass of MNIST by each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import product
from typing import Any

import torch
from images import digits, has_mnist, on
from steps import clock, is_dry, rate, row

from snnrl.learners import make_learner
from snnrl.learners.data import Data
from snnrl.recipes import compose_run
from snnrl.training.supervised_task import image_order

SPEEDS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "mnist_unsupervised": [
        ("100 neurons", {"n_neurons": 100}),
        ("400 neurons", {"n_neurons": 400}),
        ("400 neurons, Poisson", {"n_neurons": 400, "encoding": "poisson"}),
    ],
    "mnist_surrogate": [("128 hidden", {"n_hidden": 128})],
}


def speed(experiment: str, more: Mapping[str, Any], batch: int, device: str, data: Data, seconds: float) -> float:
    """Images per second from the second batch on."""
    settings = compose_run([f"experiment={experiment}"])["learner"] | dict(more) | {"batch_size": batch}
    learner = make_learner(settings, data.shape, data.classes).to(device)
    learner.training_images = 10 * len(data.train)
    images, labels = on(device, data.train)
    at = 0

    def learn() -> int:
        nonlocal at
        at = (at + batch) % max(len(images) - batch, 1)
        learner.learn(images[at : at + batch], labels[at : at + batch])
        return batch

    learn()
    return rate(learn, seconds)


def whole_pass(experiment: str, more: Mapping[str, Any], device: str, data: Data) -> Mapping[str, Any]:
    """Test accuracy after each training image has been learned from once, in the order of a run with seed 0."""
    settings = compose_run([f"experiment={experiment}"])["learner"] | dict(more)
    learner = make_learner(settings, data.shape, data.classes, seed=0).to(device)
    images, labels = on(device, data.train)
    order, seen = image_order(0, 0, len(images)).to(device), 0
    learner.training_images = len(images)
    began = clock()
    while seen < len(images):
        chosen = order[seen : seen + learner.batch_size(seen)]
        learner.anneal(seen / len(images))
        learner.learn(images[chosen], labels[chosen])
        seen += len(chosen)
    ended = clock()
    learner.calibrate(list(zip(images.split(500), labels.split(500), strict=True)))
    held, names = on(device, data.held)
    right = sum(
        int((learner.predict(part) == name).sum()) for part, name in zip(held.split(500), names.split(500), strict=True)
    )
    return {"accuracy": right / len(held), "images_per_second": seen / (ended - began)}


def main() -> None:
    dry = is_dry(__doc__)
    torch.set_num_threads(min(8, os.cpu_count() or 1))
    devices, batches = (["cpu"], [32]) if dry else (["cuda", "cpu"], [128, 1024])
    data = digits(500, 100) if dry else digits(60_000 if has_mnist() else 20_000, 10_000)
    for (experiment, kinds), batch, device in product(SPEEDS.items(), batches, devices):
        for name, more in kinds:
            row(
                f"{experiment}, {name}, batch {batch}, {device}",
                lambda e=experiment, m=more, b=batch, d=device: {
                    "images_per_second": speed(e, m, b, d, data, 0.1 if dry else 0.8)
                },
            )
    for experiment, device in product(SPEEDS, devices):
        row(f"one pass, {experiment}, {device}", lambda e=experiment, d=device: whole_pass(e, {}, d, data))


if __name__ == "__main__":
    main()
