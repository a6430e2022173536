from __future__ import annotations

import torch
from torch import Tensor

from snnrl.learners.contrastive import ContrastiveConfig, ContrastiveLearner


def one(**settings: object) -> ContrastiveLearner:
    config = ContrastiveConfig(**{"per_class": 2, "sim_steps": 1, "momentum": 0.0, "learning_rate": 0.5, **settings})  # type: ignore[arg-type]
    return ContrastiveLearner((1, 2, 2), 3, config, seed=0)


IMAGE = torch.tensor([[[[3, 0], [0, 4]]]], dtype=torch.uint8)
UNIT = torch.tensor([0.6, 0.0, 0.0, 0.8])


def change(learner: ContrastiveLearner, label: int) -> Tensor:
    before = learner.synapses.dense.weight.clone()
    learner.learn(IMAGE, torch.tensor([label]))
    return learner.synapses.dense.weight - before


def prefer(learner: ContrastiveLearner, neuron: int) -> None:
    """Make a neuron fire whatever the noise."""
    learner.synapses.dense.weight.zero_()
    learner.synapses.dense.weight[neuron] = 100.0


def test_nothing_changes_where_the_network_fires_as_the_teacher_would_have_it() -> None:
    learner = one()
    prefer(learner, 3)
    assert torch.equal(change(learner, label=1), torch.zeros(6, 4))


def test_a_wrong_spike_weakens_its_synapses_and_strengthens_those_of_the_clamped_winner() -> None:
    learner = one()
    prefer(learner, 3)
    found = change(learner, label=2)
    trace = UNIT * (1 - learner._decay)
    torch.testing.assert_close(found[3], -0.5 * trace, rtol=1e-3, atol=1e-4)
    winner = found[4:].sum(1).argmax().item() + 4
    torch.testing.assert_close(found[winner], 0.5 * trace, rtol=1e-3, atol=1e-4)
    others = [neuron for neuron in range(6) if neuron not in (3, winner)]
    assert torch.equal(found[others], torch.zeros(4, 4))


def test_the_rate_falls_to_nothing() -> None:
    learner = one()
    learner.anneal(1.0)
    assert torch.equal(change(learner, label=0), torch.zeros(6, 4))


def test_spikes_and_current_have_the_same_mean_trace() -> None:
    bright = torch.full((64, 1, 2, 2), 128, dtype=torch.uint8)
    current, rise = one(sim_steps=40, tau_mem=3.0)._present(bright)
    spikes, steady = one(sim_steps=40, tau_mem=3.0, encoding="poisson")._present(bright)
    assert (current.shape, rise.shape, spikes.shape, steady.shape) == ((1, 64, 4), (40, 1, 1), (40, 64, 4), (40, 1, 1))
    torch.testing.assert_close((spikes * steady).mean((1, 2)), (current * rise).mean((1, 2)), rtol=0.15, atol=0.02)


def test_a_blank_image_is_no_trouble() -> None:
    blank = torch.zeros(2, 1, 2, 2, dtype=torch.uint8)
    for encoding in ("current", "poisson"):
        learner = one(encoding=encoding)
        learner.learn(blank, torch.tensor([0, 1]))
        assert torch.isfinite(learner.synapses.dense.weight).all()
        assert learner.predict(blank).shape == (2,)
