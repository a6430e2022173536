from __future__ import annotations

import copy

import torch
from torch import Tensor

from snnrl.kernels.first_spikes import earliest_winners, first_spikes
from snnrl.learners.contrast import ContrastLatency
from snnrl.learners.conv_stdp import ConvSTDPConfig, ConvSTDPLearner
from snnrl.networks import Network
from snnrl.neurons import IF


def small(**settings: object) -> ConvSTDPLearner:
    config = ConvSTDPConfig(**{"maps": 4, "spikes_per_place": 2, "threshold": 4.0, "feature_images": 8, **settings})  # type: ignore[arg-type]
    learner = ConvSTDPLearner((1, 12, 12), 3, config, seed=0)
    learner.training_images = 100
    return learner


def strokes(count: int) -> Tensor:
    images = torch.zeros(count, 1, 12, 12, dtype=torch.uint8)
    for number, image in enumerate(images):
        image[0, 2 + number % 6 : 4 + number % 6, 2:10] = 250
        image[0, 2:10, 3 + number % 4] = 200
    return images


def test_the_strongest_contrast_fires_first() -> None:
    image = torch.zeros(1, 1, 15, 15, dtype=torch.uint8)
    image[0, 0, 7, 7] = 255
    latency = ContrastLatency(sim_steps=15)(image)
    assert latency.shape == (1, 2, 15, 15)
    assert (latency[0, 0] == 0).nonzero().tolist() == [[7, 7]]
    assert latency[0, 1, 7, 7] == 15
    assert (latency[0, 1] < 15).any(), "the surround is seen by off-centre neurons"
    assert (ContrastLatency(sim_steps=15)(torch.zeros_like(image)) == 15).all()


def test_contrast_does_not_depend_on_brightness() -> None:
    images = strokes(4) // 2
    assert torch.equal(ContrastLatency()(images), ContrastLatency()(2 * images))


def test_the_winners_learn_by_the_rule_of_stdp() -> None:
    learner = small(threshold_gain=0.0)
    images, config, before = strokes(2), learner.config, learner.synapses.weight.clone()
    latency = learner.contrast(images)
    fired, margin = first_spikes(latency, before, learner.threshold, config.sim_steps, 1)
    found = earliest_winners(fired, margin, config.sim_steps, config.winners, config.radius)
    expected = before.clone()
    for image, row, column, chosen, step in found.tolist():
        for channel, y, x in torch.cartesian_prod(torch.arange(2), torch.arange(5), torch.arange(5)).tolist():
            w = before[chosen, channel, y, x]
            earlier = latency[image, channel, row + y, column + x] <= step
            expected[chosen, channel, y, x] += (0.04 if earlier else -0.03) * w * (1 - w)
    learner.learn(images, torch.tensor([0, 1]))
    assert len(found) > 1
    torch.testing.assert_close(learner.synapses.weight.data, expected.clamp(0, 1))


def test_it_learns_what_the_network_of_its_parts_learns() -> None:
    """Spikes of contrast, a convolution, neurons without leak that fire first, and the rule for the winners' spikes."""
    learner = small(threshold_gain=0.0)
    shown, steps = strokes(3), learner.config.sim_steps
    latency = learner.contrast(shown)
    network = Network()
    network.add("contrast", tuple(latency.shape[1:]))
    neurons = IF((learner.config.maps, 8, 8), v_threshold=learner.threshold[:, None, None].expand(-1, 8, 8))
    network.add("features", neurons)
    network.connect("contrast", "features", copy.deepcopy(learner.synapses))
    pre = (latency == torch.arange(steps).view(-1, 1, 1, 1, 1)).float()
    recording, _ = network.run({"contrast": pre})
    trains = recording["features"]["spikes"]
    earliest = torch.where(trains.any(0), trains.argmax(0), steps)

    fired, margin = first_spikes(latency, learner.synapses.weight, learner.threshold, steps, learner.config.maps)
    assert torch.equal(fired.permute(0, 3, 1, 2).long(), earliest)
    fired, margin = first_spikes(latency, learner.synapses.weight, learner.threshold, steps, 1)
    assert torch.equal(fired.amin(3).long(), earliest.amin(1))

    post = torch.zeros_like(trains)
    for image, row, column, chosen, step in earliest_winners(fired, margin, steps, 5, 2).tolist():
        assert earliest[image, chosen, row, column] == step
        post[step, image, chosen, row, column] = 1.0
    connection = network.connection(network.edges[0])
    state = learner.rule.init_state(connection, tuple(pre.shape[2:]), tuple(post.shape[2:]), len(shown))
    connection.apply_(learner.rule(connection, pre, post, state)[0])
    learner.learn(shown, torch.arange(3))
    torch.testing.assert_close(learner.synapses.weight, connection.weight)


def test_thresholds_grow_with_wins_and_keep_their_mean() -> None:
    learner = small(winners=1)
    learner.learn(strokes(8), torch.zeros(8, dtype=torch.int64))
    assert learner.threshold.std() > 0
    torch.testing.assert_close(learner.threshold.mean(), torch.tensor(4.0))


def test_features_come_first_and_then_stand_still() -> None:
    learner = small()
    labels = torch.arange(8) % 3
    first, readout = learner.synapses.weight.clone(), learner.readout.synapses.dense.weight
    assert learner.batch_size(0) == learner.config.feature_batch
    learner.learn(strokes(8), labels)
    assert not torch.equal(learner.synapses.weight, first)
    assert (readout == 0).all()
    assert learner.batch_size(8) == learner.config.batch_size
    first = learner.synapses.weight.clone()
    learner.learn(strokes(8), labels)
    assert torch.equal(learner.synapses.weight, first)
    assert (readout != 0).any()


def test_features_take_a_quarter_of_few_images() -> None:
    learner = small(feature_images=1000)
    assert (learner.batch_size(24), learner.batch_size(25)) == (8, 100)


def test_activity_has_norm_one_and_a_blank_image_none() -> None:
    learner = small()
    images = torch.cat([strokes(3), torch.zeros(1, 1, 12, 12, dtype=torch.uint8)])
    torch.testing.assert_close(learner.features(images).norm(dim=1), torch.tensor([1.0, 1.0, 1.0, 0.0]))
    blank = images[3:]
    metrics = learner.learn(blank, torch.tensor([0]))
    assert all(torch.isfinite(torch.as_tensor(value)) for value in metrics.values())
