"""What the learners with a teacher have in common: two thousand digits in seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from snnrl.errors import ConfigError
from snnrl.learners import Learner, make_learner
from snnrl.learners.data import Data, load_data
from snnrl.training.supervised_task import image_order

LOCAL = ["clamped", "broadcast", "convolutional"]
SETTINGS = {
    "clamped": {},
    "broadcast": {"n_hidden": 300},
    "convolutional": {"batch_size": 20, "maps": 32},
    "surrogate": {"n_hidden": 64, "batch_size": 20},
    "surrogate_conv": {"maps": 6, "maps_second": 8, "n_hidden": 32, "batch_size": 20, "steps": 3},
}
PASSES = {"clamped": 2, "broadcast": 4, "convolutional": 3, "surrogate": 2, "surrogate_conv": 2}


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


@pytest.mark.parametrize("name", ["clamped", "surrogate"])
def test_it_learns_from_random_spikes(name: str, data: Data) -> None:
    learner = new(name, encoding="poisson")
    study(learner, data, 1)
    assert accuracy(learner, data) > 0.7


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("clamped", {"per_class": 0}, "learner.per_class=0: must be an integer of at least 1"),
        ("clamped", {"encoding": "morse"}, "learner.encoding=morse: must be current or poisson"),
        ("clamped", {"momentum": 1.0}, "learner.momentum=1.0: must be in"),
        ("clamped", {"tau": 0.5}, "learner.tau=0.5: must be"),
        ("broadcast", {"n_hidden": -3}, "learner.n_hidden=-3: must be an integer of at least 1"),
        ("broadcast", {"hidden_lr": 0.0}, "learner.hidden_lr=0.0: must be a number above 0"),
        ("broadcast", {"window": float("nan")}, "learner.window=nan: must be a number above 0"),
        ("convolutional", {"maps": 0}, "learner.maps=0: must be an integer of at least 1"),
        ("convolutional", {"kernel": 29}, "learner.kernel=29: must be at most 28"),
        ("convolutional", {"steps": 300}, "learner.steps=300: must be from 1 to 255"),
        ("convolutional", {"spikes_per_place": 99}, "learner.spikes_per_place=99: must be at most maps"),
        ("convolutional", {"depression": 1.5}, "learner.depression=1.5: must be in"),
        ("surrogate", {"surrogate": "sigmoyd"}, "learner.surrogate=sigmoyd: did you mean sigmoid"),
        ("surrogate", {"steps": 0}, "learner.steps=0: must be an integer of at least 1"),
        ("surrogate", {"learning_rate": -1.0}, "learner.learning_rate=-1.0: must be a number above 0"),
        ("surrogate", {"jitter": -1}, "learner.jitter=-1: must be an integer of at least 0"),
        ("surrogate_conv", {"kernel": 12}, "learner.kernel=12: must be small enough"),
        ("surrogate_conv", {"maps_second": 0}, "learner.maps_second=0: must be an integer of at least 1"),
    ],
)
def test_a_setting_that_is_wrong_is_named(name: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        new(name, **settings)
    assert message in str(raised.value)
