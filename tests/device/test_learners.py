"""Learners of images learn and predict on a GPU as on the CPU, and a batch on it comes to so much and no more."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from snnrl.learners import LEARNERS, Learner, make_learner
from tests.learners.test_learners import batch
from tests.simulated_gpu import Cost, simulated_gpu

CASES: dict[str, tuple[dict[str, Any], Cost]] = {
    "diehl_cook": ({}, Cost(60, waits=1)),
    "diehl_cook, Poisson": ({"encoding": "poisson"}, Cost(120, to_gpu=1, waits=4)),
    "diehl_cook, ngram": ({"label_readout": "ngram"}, Cost(60, waits=1)),
    "contrastive": ({}, Cost(46, to_gpu=1)),
    "contrastive, Poisson": ({"encoding": "poisson"}, Cost(60, to_gpu=2)),
    "direct_feedback": ({}, Cost(365)),
    "conv_stdp": ({"feature_images": 160}, Cost(430, to_gpu=1, to_host=2, waits=3)),
    "backprop": ({}, Cost(48)),
    "backprop, Poisson": ({"encoding": "poisson"}, Cost(54, to_gpu=1)),
    "backprop, jitter": ({"jitter": 2}, Cost(55, to_gpu=1)),
    "backprop_conv": ({}, Cost(105)),
}

ROUNDED = {"conv_stdp": 0.1}
"""What rounding may do to learners whose thresholds move by whole spikes, as a share of what they have learned."""


def test_every_learner_is_in_the_table() -> None:
    assert {name.split(",")[0] for name in CASES} == set(LEARNERS.names())


def make(name: str) -> Learner:
    settings = {"name": name.split(",")[0], **CASES[name][0]}
    learner = make_learner(settings, (1, 28, 28), 10, seed=0)
    learner.training_images = 2000
    return learner


def study(learner: Learner, device: str, numbers: range) -> None:
    for number in numbers:
        learner.anneal(number / 20)
        images, labels = batch(16, number)
        learner.learn(images.to(device), labels.to(device))


@pytest.mark.parametrize("name", CASES)
def test_a_learner_learns_as_on_the_cpu_at_a_known_cost(name: str) -> None:
    learner, images = make(name), batch(16, 99)
    study(learner, "cpu", range(4))
    expected = {key: value.clone() for key, value in learner.state_dict().items() if isinstance(value, torch.Tensor)}
    learner.calibrate([images])
    labels = learner.predict(images[0])
    with simulated_gpu() as counts:
        there = make(name).to("cuda")
        study(there, "cuda", range(3))
        there.anneal(3 / 20)
        last = [part.to("cuda") for part in batch(16, 3)]
        counts.reset()
        there.learn(*last)
        counts.check(CASES[name][1])
        saved = {key: value.cpu() for key, value in there.state_dict().items() if isinstance(value, torch.Tensor)}
        on_gpu = [part.to("cuda") for part in images]
        there.calibrate([tuple(on_gpu)])
        found = there.predict(on_gpu[0]).cpu()
        there.figures(*on_gpu)
    for key, value in expected.items():
        apart = (saved[key].double() - value.double()).norm() / value.double().norm().clamp_min(1e-9)
        assert apart <= ROUNDED.get(name, 1e-4), key
    assert (found == labels).float().mean() > 0.9
