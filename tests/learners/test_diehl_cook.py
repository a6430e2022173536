"""The STDP learner against its equations."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch

from snnrl.errors import ConfigError
from snnrl.learners.diehl_cook import DiehlCookConfig, DiehlCookLearner
from snnrl.networks import Network


def learner(**settings: Any) -> DiehlCookLearner:
    chosen = {"n_neurons": 12, "weight_power": 1.0, **settings}
    return DiehlCookLearner((1, 6, 5), 10, DiehlCookConfig(**chosen), seed=3)


def images(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    bright = torch.randint(0, 256, (count, 1, 6, 5), generator=generator)
    return torch.where(torch.rand(bright.shape, generator=generator) < 0.4, bright, 0).to(torch.uint8)


def bright(count: int) -> torch.Tensor:
    """Images as the learner has them inside, ``[count, inputs]``."""
    return images(count).flatten(1).float()


def winners_of(made: DiehlCookLearner, shown: torch.Tensor) -> torch.Tensor:
    """The winners while learning."""
    return made._compete(shown, made._learning)[0]


def test_first_weights_sum_up_alike() -> None:
    for power in (1.0, 16.0):
        torch.testing.assert_close(learner(weight_power=power).synapses.weight.sum(1), torch.full((12,), 78.4))


def test_every_image_drives_with_the_same_number_of_spikes() -> None:
    made = learner(input_spikes=90.0)
    with torch.no_grad():
        made.synapses.weight.fill_(1.0)
    current = made._current(bright(7))
    assert current.shape == (1, 7, 12)
    torch.testing.assert_close(current * 15, torch.full_like(current, 90.0))


def test_poisson_spikes_have_the_mean_of_the_constant_current() -> None:
    made = learner(encoding="poisson", input_spikes=60.0)
    one = bright(1).expand(3000, 30)
    current = made._spikes(one, 15).dense(30) @ made.synapses.weight.t()
    assert current.shape == (15, 3000, 12)
    torch.testing.assert_close(current.mean((0, 1)), made._current(one[:1])[0, 0], rtol=0.02, atol=0.0)


@pytest.mark.parametrize("steps", [1, 15])
def test_one_image_changes_the_weights_and_threshold_of_the_neuron_that_fired_by_the_rule(steps: int) -> None:
    made = learner(learning_rate=0.04, sim_steps=steps)
    made.training_images = 500
    image, first = images(1), made.synapses.weight.clone()
    winners = winners_of(made, image)
    (neuron,) = set(winners[winners >= 0].tolist())
    spikes = int((winners >= 0).sum())
    assert spikes == steps
    made.learn(image, torch.zeros(1, dtype=torch.int64))
    others = [index for index in range(12) if index != neuron]
    assert torch.equal(made.synapses.weight[others], first[others])
    rate = 0.04 if spikes == 1 else 1 - (1 - 0.04) ** spikes
    expected = (first[neuron] + rate * (image.flatten() / 255 - 0.05) * (2.0 - first[neuron])).clamp(min=0)
    torch.testing.assert_close(made.synapses.weight[neuron], expected * (78.4 / expected.sum()))
    assert made.neurons.theta[neuron] == pytest.approx(spikes * 48.0 * 12 / 500)
    assert (made.neurons.theta[others] == 0).all()


def test_it_learns_what_the_network_of_its_parts_learns() -> None:
    """Input spikes, a dense connection, competing neurons and the rule, run step by step in a network."""
    made = learner(encoding="poisson", input_spikes=200.0, sim_steps=20)
    made.training_images = 500
    network = Network()
    network.add("input", made.inputs)
    network.add("neurons", copy.deepcopy(made.neurons).eval())
    network.connect("input", "neurons", copy.deepcopy(made.synapses), rule=copy.deepcopy(made.rule))
    network.train().neuron("neurons").eval()
    shown, before = images(9), made.generator.get_state()
    spikes = made._spikes(shown.flatten(1).float(), 20).dense(made.inputs)
    recording, _ = network.run({"input": spikes}, window=20)
    made.generator.set_state(before)
    made.learn(shown, torch.zeros(9, dtype=torch.int64))
    fired = recording["neurons"]["spikes"].sum((0, 1))
    assert fired.sum() > 9
    torch.testing.assert_close(made.neurons.theta.float(), fired * 48.0 * 12 / 500)
    learned = network.connection(network.edges[0]).weight
    torch.testing.assert_close(learned, made.synapses.weight)
    assert not torch.equal(learned, learner(encoding="poisson").synapses.weight)


def test_without_learning_rate_and_gain_nothing_changes() -> None:
    made = learner(learning_rate=0.0, learning_rate_end=0.001, threshold_gain=0.0)
    made.anneal(0.5)
    before = made.synapses.weight.clone()
    made.learn(images(20), torch.zeros(20, dtype=torch.int64))
    torch.testing.assert_close(made.synapses.weight, before)
    assert (made.neurons.theta == 0).all()


def test_the_learning_rate_falls_exponentially() -> None:
    made = learner(learning_rate=0.08, learning_rate_end=0.02)
    found = []
    for progress in (0.0, 0.5, 1.0):
        made.anneal(progress)
        found.append(made.rule.learning_rate)
    assert found == pytest.approx([0.08, 0.04, 0.02])


def test_a_batch_grows_with_what_was_seen() -> None:
    made = learner(batch_size=32, batch_growth=0.01)
    assert [made.batch_size(seen) for seen in (0, 99, 250, 3200, 10**6)] == [1, 1, 2, 32, 32]


def test_a_neuron_that_takes_more_than_its_fair_share_loses_it() -> None:
    made = learner(learning_rate=0.0, learning_rate_end=0.001)
    made.training_images = 1500
    made.neurons.theta[0] = -300.0
    shares = []
    for number in range(30):
        winners = winners_of(made, images(50, number))
        counts = torch.bincount(winners[winners >= 0], minlength=12).float()
        shares.append(float(counts[0] / counts.sum()))
        made.learn(images(50, number), torch.zeros(50, dtype=torch.int64))
    assert shares[0] == 1
    assert shares[-1] < 0.25


@pytest.mark.parametrize("label_readout", ["all", "likelihood"])
def test_naming_and_predicting_change_neither_weights_nor_thresholds(label_readout: str) -> None:
    made = learner(label_readout=label_readout, encoding="poisson")
    labels = torch.arange(30) % 10
    made.learn(images(30), labels)
    weight, threshold = made.synapses.weight.clone(), made.neurons.theta.clone()
    made.calibrate([(images(30), labels)])
    made.predict(images(30))
    assert torch.equal(made.synapses.weight, weight)
    assert torch.equal(made.neurons.theta, threshold)


def test_a_black_image_is_no_error() -> None:
    made = learner()
    black = torch.zeros(2, 1, 6, 5, dtype=torch.uint8)
    made.learn(black, torch.zeros(2, dtype=torch.int64))
    assert torch.isfinite(made.synapses.weight).all()
    made.calibrate([(images(30), torch.arange(30) % 10)])
    assert made.predict(black).shape == (2,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sim_steps": 0}, r"learner\.sim_steps=0: must be an integer of at least 1"),
        ({"depression": math.nan}, r"learner\.depression=nan: must be at least 0"),
        ({"weight_sum": 0.0}, r"learner\.weight_sum=0\.0: must be above 0"),
        ({"label_readout": "one"}, r"learner\.label_readout=one: must be one of all, proportion, likelihood, ngram"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        learner(**settings)
