"""What every learner promises."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.learners import LEARNERS, Learner, make_learner
from snnrl.recipes import compose_run, has_learner, recipe_names

RECIPES = [name for name in recipe_names("experiment") if has_learner(name)]


def test_every_learner_has_a_recipe() -> None:
    assert {compose_run([f"experiment={name}"])["learner"]["name"] for name in RECIPES} == set(LEARNERS.names())


def make(recipe: str, seed: int = 0) -> Learner:
    learner = make_learner(compose_run([f"experiment={recipe}"])["learner"], (1, 28, 28), 10, seed)
    learner.training_images = 2000
    return learner


def batch(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Bars, a place for each label, with noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 10
    images = torch.randint(0, 60, (count, 1, 28, 28), generator=generator)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[0, 3 + 2 * label : 6 + 2 * label, 4:24] += 190
    return images.to(torch.uint8), labels


def study(learner: Learner, batches: int, start: int = 0) -> None:
    for number in range(start, start + batches):
        learner.anneal(number / 20)
        learner.learn(*batch(20, number))


def state(learner: Learner) -> dict[str, Any]:
    return {**copy.deepcopy(learner.state_dict()), "generator": learner.generator.get_state()}


def check_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=0, atol=0, msg=name)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_seed_decides_everything(recipe: str) -> None:
    learners = [make(recipe, seed) for seed in (0, 0, 1)]
    for learner in learners:
        study(learner, 3)
    check_same(state(learners[0]), state(learners[1]))
    assert not all(map(torch.equal, learners[0].parameters(), learners[2].parameters()))


@pytest.mark.parametrize("recipe", RECIPES)
def test_state_dict_and_generator_are_all_that_lasts(recipe: str) -> None:
    straight = make(recipe)
    study(straight, 3)
    resumed = make(recipe, seed=5)
    resumed.load_state_dict(copy.deepcopy(straight.state_dict()))
    resumed.generator.set_state(straight.generator.get_state())
    for learner in (straight, resumed):
        study(learner, 3, start=3)
        learner.calibrate([batch(40, 100)])
    check_same(state(straight), state(resumed))
    assert torch.equal(straight.predict(batch(30, 101)[0]), resumed.predict(batch(30, 101)[0]))


@pytest.mark.parametrize("recipe", RECIPES)
def test_learning_changes_weights_and_reports_numbers(recipe: str) -> None:
    learner = make(recipe)
    before = state(learner)
    learner.anneal(0.0)
    metrics = learner.learn(*batch(20, 0))
    assert all(name.startswith("train/") for name in metrics)
    assert all(torch.isfinite(torch.as_tensor(value)) for value in metrics.values())
    study(learner, 2, start=1)
    parameters = dict(learner.named_parameters())
    assert any(not torch.equal(before[name], value) for name, value in parameters.items())
    assert all(torch.isfinite(value).all() for value in parameters.values())


@pytest.mark.parametrize("recipe", RECIPES)
def test_predicting_gives_labels_and_changes_nothing_but_the_draws(recipe: str) -> None:
    learner = make(recipe)
    study(learner, 2)
    learner.calibrate([batch(40, 100)])
    before = state(learner)
    found = learner.predict(batch(25, 9)[0])
    assert (found.dtype, found.shape) == (torch.int64, (25,))
    assert ((found >= 0) & (found < 10)).all()
    after = state(learner)
    check_same({**before, "generator": after["generator"]}, after)


@pytest.mark.parametrize("recipe", RECIPES)
def test_calibrating_leaves_weights_alone(recipe: str) -> None:
    learner = make(recipe)
    study(learner, 2)
    before = {name: value.clone() for name, value in learner.named_parameters()}
    learner.calibrate([batch(20, 100), batch(20, 101)])
    assert all(torch.equal(value, before[name]) for name, value in learner.named_parameters())


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_learns_bars_that_an_untrained_network_cannot_tell_apart_by_luck(recipe: str) -> None:
    learner = make(recipe)
    learner.training_images = 2400
    for number in range(120):
        learner.anneal(number / 120)
        learner.learn(*batch(20, number))
    learner.calibrate([batch(200, 1000)])
    images, labels = batch(200, 1001)
    assert (learner.predict(images) == labels).float().mean() > 0.7


@pytest.mark.parametrize("recipe", RECIPES)
def test_its_pictures_are_figures(recipe: str) -> None:
    from matplotlib.figure import Figure

    learner = make(recipe)
    study(learner, 1)
    learner.calibrate([batch(40, 100)])
    figures = learner.figures(*batch(20, 7))
    assert all(isinstance(figure, Figure) for figure in figures.values())


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_batch_has_at_least_one_image_whatever_was_seen(recipe: str) -> None:
    learner = make(recipe)
    assert all(learner.batch_size(seen) >= 1 for seen in (0, 1, 1000, 10**7))


@pytest.mark.parametrize("recipe", RECIPES)
def test_images_that_are_no_bytes_or_of_another_shape_are_refused(recipe: str) -> None:
    learner = make(recipe)
    images, labels = batch(2, 0)
    for wrong in (images.float(), torch.full_like(images, torch.nan, dtype=torch.float32), images[0], images[..., :20]):
        for use in (lambda wrong=wrong: learner.learn(wrong, labels), lambda wrong=wrong: learner.predict(wrong)):
            with pytest.raises(
                ConfigError, match=r"images=torch\..* of shape .*: must be torch.uint8 of shape \(batch, 1, "
            ):
                use()
