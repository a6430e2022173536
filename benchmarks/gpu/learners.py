"""Learners of images on the card and on the CPU, batch by batch from equal states, without TF32 in convolutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from images import digits, on
from steps import apart, card, is_dry, row, tensors, weights, worst

from snnrl.learners import LEARNERS, make_learner
from snnrl.learners.data import Data

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "diehl_cook": [{}, {"encoding": "poisson"}, {"label_readout": "ngram"}],
    "contrastive": [{}, {"encoding": "poisson"}],
    "direct_feedback": [{}],
    "conv_stdp": [{"feature_images": 256}],
    "backprop": [{}, {"encoding": "poisson"}, {"jitter": 2}],
    "backprop_conv": [{}],
}
BATCH = 64


def compare(name: str, settings: Mapping[str, Any], data: Data, batches: int, device: str) -> Mapping[str, Any]:
    """Learn on both, calibrate and predict."""
    sides = []
    for place in ("cpu", device):
        learner = make_learner({"name": name, **settings}, data.shape, data.classes, seed=0).to(place)
        learner.training_images = len(data.train)
        sides.append((learner, *on(place, data.train), *on(place, data.held)))
    start = weights(sides[0][0])
    equal, first_off = 0, (0.0, "")
    for number in range(batches):
        chosen = slice(number * BATCH, (number + 1) * BATCH)
        states = []
        for learner, images, labels, _, _ in sides:
            learner.anneal(number / batches)
            learner.learn(images[chosen], labels[chosen])
            states.append(tensors(learner.state_dict()))
        off = worst(states[1], states[0])
        if off[1] == "" and equal == number:
            equal += 1
        elif first_off[1] == "":
            first_off = off
    found = []
    for learner, images, labels, held, _ in sides:
        learner.calibrate([(images[:500], labels[:500])])
        found.append(learner.predict(held).cpu())
    return {
        "batches": batches,
        "equal_batches": equal,
        "first_difference": first_off[0],
        "in": first_off[1],
        "apart": apart(weights(sides[1][0]), weights(sides[0][0]), start),
        "same_labels": float((found[0] == found[1]).float().mean()),
        "right_cpu": float((found[0] == data.held.labels).float().mean()),
        "right_card": float((found[1] == data.held.labels).float().mean()),
    }


def main() -> None:
    dry = is_dry(__doc__)
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False
    data = digits(1024, 200)
    for name in LEARNERS.names():
        for settings in VARIANTS[name][: 1 if dry else None]:
            words = " ".join(f"{key}={value}" for key, value in settings.items())
            batches = 2 if dry else 16
            row(f"{name} {words}".strip(), lambda n=name, s=settings, b=batches: compare(n, s, data, b, card(dry)))


if __name__ == "__main__":
    main()
