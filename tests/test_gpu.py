"""What runs on a GPU where there is one, against the same on the CPU."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from snnrl.connections import Sparse
from snnrl.kernels import LIFWindow, add_rows, count_each, lif_scan
from snnrl.kernels.competition import WinnerTakeAll, compete
from snnrl.learners import make_learner
from snnrl.neurons import LIF, Neuron

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [1, 255, 10_000])
@pytest.mark.parametrize(("reset", "refractory"), [*product(["hard", "soft"], [0.0, 5.0])])
def test_a_window_is_the_loop_of_the_cpu_bit_for_bit(size: int, reset: str, refractory: float) -> None:
    neuron = LIF(size, tau_mem=5.0, reset=reset, t_refractory=refractory)
    current = 4 * drawn(60, 3, size, seed=0) + 1
    expected, after = Neuron.scan(neuron, current, neuron.init_state(3))
    neuron.cuda()
    spikes, state = neuron.scan(current.cuda(), neuron.init_state(3))
    assert torch.equal(spikes.cpu(), expected)
    assert torch.equal(state.v.cpu(), after.v)
    assert torch.equal(state.refractory.cpu(), after.refractory)


@pytest.mark.parametrize("surrogate", range(4))
def test_gradients_are_those_of_the_cpu(surrogate: int) -> None:
    window = LIFWindow(0.875, 0.125, 0.0, 1.0, 0.0, 1.0, surrogate > 1, 0, surrogate, 1.5)
    found = []
    for device in ("cpu", "cuda"):
        current = (8 * drawn(40, 255, seed=1) + 4).to(device).requires_grad_()
        scanned = lif_scan(current, torch.zeros(255, device=device), torch.zeros(255, device=device), window)
        assert scanned is not None
        found += torch.autograd.grad((scanned[0] * drawn(40, 255, seed=2).to(device)).sum(), current)
    torch.testing.assert_close(found[1].cpu(), found[0], rtol=1e-5, atol=1e-6)


def test_sums_by_index_repeat() -> None:
    index, rows = torch.randint(20, (50_000,)).cuda(), drawn(50_000, 56, seed=3).cuda()
    sums = [torch.zeros(20, 56).cuda() for _ in range(5)]
    for total in sums:
        add_rows(total, index, rows)
    assert all(torch.equal(total, sums[0]) for total in sums)
    expected = torch.zeros(20, 56).index_add(0, index.cpu(), rows.cpu())
    torch.testing.assert_close(sums[0].cpu(), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("given", [1, 15])
@pytest.mark.parametrize("neurons", [1, 100, 1600])
def test_the_winners_of_a_competition_are_those_of_the_cpu(neurons: int, given: int) -> None:
    """Rounding alone may make a difference, and seldom."""
    competition = WinnerTakeAll(15, 0.875, 10.0, 0.0, -48.0)
    current, threshold = 60 * drawn(given, 128, neurons, seed=4).abs(), 60 * drawn(neurons, seed=5).abs()
    expected = compete(current, threshold, competition)
    found = compete(current.cuda(), threshold.cuda(), competition).cpu()
    assert (expected >= 0).any()
    assert (found != expected).float().mean() <= 0.002


def test_counts_by_index_are_those_of_the_cpu() -> None:
    index = torch.randint(20, (5_000,))
    assert torch.equal(count_each(index.cuda(), 25).cpu(), torch.bincount(index, minlength=25))


def test_synapses_may_be_listed_on_the_gpu() -> None:
    index = torch.tensor([[0, 1, 1], [2, 0, 1]])
    connection = Sparse(3, 2, index.cuda(), weight=torch.tensor([1.0, 2.0, 3.0]))
    assert (
        connection(torch.eye(3)).tolist()
        == Sparse(3, 2, index, weight=torch.tensor([1.0, 2.0, 3.0]))(torch.eye(3)).tolist()
    )


def test_a_learner_that_has_learned_goes_to_the_gpu_and_learns_on() -> None:
    learner = make_learner({"name": "backprop", "n_hidden": 8, "batch_size": 4}, (1, 6, 6), 3)
    images, labels = (torch.rand(4, 1, 6, 6) * 255).byte(), torch.arange(4) % 3
    learner.learn(images, labels)
    learner.cuda().learn(images.cuda(), labels.cuda())
    assert learner.predict(images.cuda()).is_cuda
