from __future__ import annotations

import math

import pytest
import torch

from snnrl.learners.labels import READOUTS, LabelReadout


def winners(*images: list[int]) -> torch.Tensor:
    """``[steps, images]`` of the spikes of each image, padded with silence."""
    steps = max(map(len, images))
    return torch.tensor([[*image, *[-1] * (steps - len(image))] for image in images]).t()


def readout() -> LabelReadout:
    """Three neurons, two classes: three images of class 0, one of class 1."""
    made = LabelReadout(3, 2)
    made.observe(winners([0, 0, 2], [0, 2], [0]), torch.tensor([0, 0, 0]), pairs=True)
    made.observe(winners([1, 2]), torch.tensor([1]), pairs=True)
    return made


def test_a_neuron_stands_for_the_class_of_its_highest_mean_response() -> None:
    made = readout()
    assert made.responses.tolist() == [[4, 0, 2], [0, 1, 1]]
    assert made.assignments().tolist() == [0, 1, 1], "neuron 2: 2/3 a spike for class 0, a whole one for class 1"
    assert LabelReadout(2, 2).assignments().tolist() == [-1, -1]


def test_all_activity_compares_means_over_the_neurons_of_a_class() -> None:
    made = readout()
    assert made.read(winners([0, 1]), "all").tolist() == [0], "1 against 1/2"
    assert made.read(winners([1, 2]), "all").tolist() == [1]


def test_shares_are_added_by_proportion_and_multiplied_by_likelihood() -> None:
    made = readout()
    shares = torch.tensor([[1.0, 0.0, 0.4], [0.0, 1.0, 0.6]])
    shown = winners([0, 2], [1, 2, 2], [2], [0, 0, 1])
    counts = made.count(shown)
    assert counts.tolist() == [[1, 0, 1], [0, 1, 2], [0, 0, 1], [2, 1, 0]]
    assert torch.equal(made.read(shown, "proportion"), (counts @ shares.t()).argmax(1))
    assert torch.equal(made.read(shown, "likelihood"), (counts @ (shares + 0.01).log().t()).argmax(1))
    assert made.read(winners([0, 2, 2, 2, 2, 2, 2]), "proportion").tolist() == [1]
    assert made.read(winners([0, 2, 2, 2, 2, 2, 2]), "likelihood").tolist() == [0], "0 never fired for class 1"


def test_pairs_are_successive_spikes_of_one_image_with_the_classes_they_came_with() -> None:
    made = readout()
    assert made.pairs.tolist() == [0 * 3 + 0, 0 * 3 + 2, 1 * 3 + 2]
    assert made.pair_responses.tolist() == [[1, 0], [2, 0], [0, 1]]


def test_a_pair_tells_what_its_spikes_do_not() -> None:
    """Both classes have the same spikes in another order."""
    made = LabelReadout(2, 2)
    made.observe(winners([0, 1], [1, 0]), torch.tensor([0, 1]), pairs=True)
    shown = winners([1, 0], [0, 1])
    assert made.read(shown, "ngram").tolist() == [1, 0]
    assert made.read(shown, "likelihood").tolist() == [0, 0]
    assert made.read(winners([0, 0]), "ngram").tolist() == made.read(winners([0, 0]), "likelihood").tolist()


def test_observing_in_parts_is_observing_at_once() -> None:
    generator = torch.Generator().manual_seed(0)
    shown, labels = torch.randint(-1, 6, (5, 40), generator=generator), torch.arange(40) % 4
    whole, parts = LabelReadout(6, 4), LabelReadout(6, 4)
    whole.observe(shown, labels, pairs=True)
    for part in range(0, 40, 7):
        parts.observe(shown[:, part : part + 7], labels[part : part + 7], pairs=True)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name


def test_what_was_seen_survives_saving_whatever_its_size() -> None:
    made, fresh = readout(), LabelReadout(3, 2)
    fresh.load_state_dict(made.state_dict())
    shown = winners([0, 2], [2, 1, 2])
    for label_readout in READOUTS:
        assert torch.equal(fresh.read(shown, label_readout), made.read(shown, label_readout))
    made.clear()
    assert all(float(value.sum()) == 0 for value in made.state_dict().values())


@pytest.mark.parametrize("label_readout", READOUTS)
def test_silence_and_untaught_neurons_are_no_error(label_readout: str) -> None:
    made = LabelReadout(3, 2)
    assert made.read(winners([-1, -1], [0, 1]), label_readout).tolist() == [0, 0]
    assert not any(math.isnan(value) for value in made.assignments().tolist())
