"""What is used often is new no more, and learns less."""

from __future__ import annotations

import pytest
import torch

from snnrl.errors import ConfigError
from snnrl.plasticity import Habituation


def used() -> Habituation:
    """Neuron 2 of 3 was active four times, with action 0 of 2 chosen three times."""
    made = Habituation(3, 2)
    made.visit(torch.tensor([2, 2, 1]))
    made.visit(torch.tensor([2, 2, 1]))
    for _ in range(3):
        made.use(torch.tensor([2]), torch.tensor([[1, 0]]))
    return made


def test_novelty_falls_with_the_root_of_visits() -> None:
    assert used().novelty(torch.tensor([2, 1, 0])).tolist() == pytest.approx([0.5, 2**-0.5, 1.0])


def test_an_action_that_was_chosen_is_less_new_than_another_and_only_there() -> None:
    assert used().untried(torch.tensor([2, 0])).tolist() == [[0.5, 1.0], [1.0, 1.0]]


def test_the_synapses_of_neurons_that_were_active_learn_less() -> None:
    assert used().plasticity(0.5).tolist() == pytest.approx([1.0, 1.2**-0.5, 1.4**-0.5])
    assert used().plasticity(0.0).tolist() == [1.0, 1.0, 1.0]


def test_counts_are_saved_with_the_weights() -> None:
    fresh = Habituation(3, 2)
    fresh.load_state_dict(used().state_dict())
    assert fresh.visits.tolist() == [0, 2, 4]
    assert fresh.uses.tolist() == [[0, 0], [0, 0], [3, 0]]


@pytest.mark.parametrize("sizes", [(0, 2), (3, 0)])
def test_there_are_neurons_and_actions(sizes: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="must be at least 1"):
        Habituation(*sizes)
