"""What the learners with a teacher have in common: two thousand digits in seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from snnrl.errors import ConfigError
from snnrl.learners import Learner, make_learner
from snnrl.learners.data import Data, load_data
from snnrl.training.supervised_task import image_order

LOCAL = ["contrastive", "direct_feedback", "conv_stdp"]
SETTINGS = {
    "contrastive": {},
    "direct_feedback": {"n_hidden": 300},
    "conv_stdp": {"batch_size": 20, "maps": 32},
    "backprop": {"n_hidden": 64, "batch_size": 20},
    "backprop_conv": {"maps": 6, "maps_second": 8, "n_hidden": 32, "batch_size": 20, "sim_steps": 3},
}
PASSES = {"contrastive": 2, "direct_feedback": 4, "conv_stdp": 3, "backprop": 2, "backprop_conv": 2}


@pytest.fixture
def data(digits: Path) -> Data:
    """2,000 images to train on, 500 to test on."""
    return load_data("MNIST", digits, "test", 2000, 500)


def new(name: str, seed: int = 0, **more: object) -> Learner:
    return make_learner({"name": name, **SETTINGS[name], **more}, (1, 28, 28), 10, seed)


def study(learner: Learner, data: Data, passes: int) -> None:
    size = len(data.train)
    learner.training_images = size * passes
    seen = 0
    for number in range(passes):
        order, position = image_order(0, number, size), 0
        while position < size:
            chosen = order[position : position + learner.batch_size(seen)]
            learner.anneal(seen / learner.training_images)
            learner.learn(data.train.images[chosen], data.train.labels[chosen])
            position, seen = position + len(chosen), seen + len(chosen)


def accuracy(learner: Learner, data: Data) -> float:
    return float((learner.predict(data.held.images) == data.held.labels).float().mean())


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_it_learns_two_thousand_digits(name: str, data: Data) -> None:
    learner = new(name)
    assert accuracy(learner, data) < 0.35
    study(learner, data, PASSES[name])
    assert accuracy(learner, data) > 0.8


@pytest.mark.parametrize("name", LOCAL)
def test_it_learns_where_no_gradient_can_be_taken(name: str, data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a gradient was asked for")

    monkeypatch.setattr(torch.autograd, "backward", refuse)
    monkeypatch.setattr(torch.autograd, "grad", refuse)
    few = Data(data.train.first(400), data.held, data.classes)
    with torch.inference_mode():
        learner = new(name)
        assert not any(parameter.requires_grad for parameter in learner.parameters())
        study(learner, few, 2)
        assert accuracy(learner, data) > 0.4


@pytest.mark.parametrize("name", ["contrastive", "backprop"])
def test_it_learns_from_random_spikes(name: str, data: Data) -> None:
    learner = new(name, encoding="poisson")
    study(learner, data, 1)
    assert accuracy(learner, data) > 0.7


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("contrastive", {"per_class": 0}, "learner.per_class=0: must be an integer of at least 1"),
        ("contrastive", {"encoding": "morse"}, "learner.encoding=morse: must be current or poisson"),
        ("contrastive", {"momentum": 1.0}, "learner.momentum=1.0: must be at least 0 and below 1"),
        ("contrastive", {"tau_mem": 0.5}, "learner.tau_mem=0.5: must be at least 1"),
        ("direct_feedback", {"n_hidden": -3}, "learner.n_hidden=-3: must be an integer of at least 1"),
        ("direct_feedback", {"hidden_lr": 0.0}, "learner.hidden_lr=0.0: must be above 0"),
        ("direct_feedback", {"window": float("nan")}, "learner.window=nan: must be above 0"),
        ("conv_stdp", {"maps": 0}, "learner.maps=0: must be an integer of at least 1"),
        ("conv_stdp", {"kernel": 29}, "learner.kernel=29: must be at most 28"),
        ("conv_stdp", {"sim_steps": 300}, "learner.sim_steps=300: must be an integer in [1, 255]"),
        ("conv_stdp", {"spikes_per_place": 99}, "learner.spikes_per_place=99: must be at most maps"),
        ("conv_stdp", {"depression": 1.5}, "learner.depression=1.5: must be above 0 and below 1"),
        (
            "backprop",
            {"surrogate": "sigmoyd"},
            "learner.surrogate=sigmoyd: must be one of atan, fast_sigmoid, sigmoid, triangle",
        ),
        ("backprop", {"sim_steps": 0}, "learner.sim_steps=0: must be an integer of at least 1"),
        ("backprop", {"learning_rate": -1.0}, "learner.learning_rate=-1.0: must be above 0"),
        ("backprop", {"jitter": -1}, "learner.jitter=-1: must be an integer of at least 0"),
        ("backprop_conv", {"kernel": 12}, "learner.kernel=12: must be small enough"),
        ("backprop_conv", {"maps_second": 0}, "learner.maps_second=0: must be an integer of at least 1"),
    ],
)
def test_a_setting_that_is_wrong_is_named(name: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        new(name, **settings)
    assert message in str(raised.value)
