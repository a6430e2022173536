"""Memory of sparse connections and sparse spikes goes by what there is, not by what there could be."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from snnrl.connections import Dense, MeanField, Sparse, sparse, synapses
from snnrl.connections.synapses import random_pairs
from snnrl.errors import ConfigError
from snnrl.networks import Network
from snnrl.neurons import LIF
from snnrl.plasticity import MSTDPET, STDP
from snnrl.spikes import SparseSpikes


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Largest(TorchDispatchMode):
    """Takes note of the largest tensor that any operation makes."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(tensor, Tensor):
                self.numbers = max(self.numbers, min(tensor.numel(), tensor.untyped_storage().nbytes()))
        return made


def largest(work: Callable[[], object]) -> int:
    with Largest() as seen:
        work()
    return seen.numbers


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (synapses, sparse):
        monkeypatch.setattr(module, "AT_ONCE", 1000)


PRE, POST = 700, 300


def drawn(**more: Any) -> Sparse:
    return Sparse.random(PRE, POST, 0.01, **{"weight_std": 1.0, "generator": seeded()} | more)


@pytest.mark.usefixtures("few_at_once")
@pytest.mark.parametrize("many", [1 << 30, 1000], ids=["one by one", "skipping"])
def test_random_synapses_take_memory_for_themselves_alone(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synapses, "MANY", many)
    connection = drawn()
    count = len(connection.weight)
    assert abs(count - 2100) < 5 * math.sqrt(2100)
    assert largest(drawn) <= 2 * count + 1000


@pytest.mark.usefixtures("few_at_once")
def test_random_synapses_are_those_of_one_draw_for_every_pair() -> None:
    connection = drawn()
    index = (torch.rand(POST, PRE, generator=seeded()) < 0.01).nonzero().t()
    assert torch.equal(connection.post_index, index[0])
    assert torch.equal(connection.pre_index, index[1])


@pytest.mark.parametrize("density", [1e-3, 0.3, 0.999, 1.0])
def test_distances_to_the_next_synapse_give_the_density(density: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within 5 standard errors, for all pairs and for the last ones."""
    monkeypatch.setattr(synapses, "MANY", 0)
    pairs = 200_000
    found = random_pairs(pairs, density, seeded())
    assert torch.equal(found, found.unique())
    assert found[0] >= 0
    assert found[-1] < pairs
    for size, count in ((pairs, len(found)), (pairs // 4, int((found >= pairs - pairs // 4).sum()))):
        assert abs(count - size * density) <= 5 * math.sqrt(size * density * (1 - density))


def test_a_tenth_of_a_million_neurons_are_connected_sparsely_in_no_time() -> None:
    connection = Sparse.random(100_000, 100_000, 1e-7, weight_mean=1.0, generator=seeded())
    assert abs(len(connection.weight) - 1000) < 160


def few_spikes(rows: int, size: int) -> SparseSpikes:
    row = torch.arange(0, rows, 7)
    index = torch.randint(size, row.shape, generator=seeded(1))
    return SparseSpikes(row, index, torch.ones(len(row)), (rows,), size)


@pytest.mark.usefixtures("few_at_once")
@pytest.mark.parametrize(
    "make", [lambda: drawn(), lambda: Dense(PRE, 3, weight_std=1.0), lambda: MeanField(PRE, 3, weight_std=1.0)]
)
def test_sparse_spikes_are_not_laid_out_densely(make: Callable[[], Sparse]) -> None:
    connection, spikes = make(), few_spikes(400, PRE)
    current = connection(spikes)
    torch.testing.assert_close(current, connection(spikes.dense()))
    assert largest(lambda: connection(spikes)) <= max(current.numel(), 4 * connection.weight.numel())
    assert largest(lambda: connection(spikes)) < 400 * PRE // 2


def test_the_hebbian_product_of_a_sparse_connection_takes_memory_for_its_synapses() -> None:
    connection, spikes = drawn(), few_spikes(400, PRE)
    post, pre = torch.rand(200, 2, POST, generator=seeded(2)), spikes.reshape_rows(200, 2)
    product = connection.hebbian(post, pre)
    torch.testing.assert_close(product, connection.hebbian(post, pre.dense()))
    assert largest(lambda: connection.hebbian(post, pre)) <= 2 * len(connection.weight)


@pytest.mark.parametrize("make", [drawn, lambda: Dense(PRE, 3), lambda: MeanField(PRE, 3)])
@pytest.mark.parametrize("size", [PRE - 1, PRE + 1])
def test_sparse_spikes_of_another_population_are_refused(make: Callable[[], Sparse], size: int) -> None:
    with pytest.raises(ConfigError, match=rf"^spikes=\[4, {size}\]: must be of shape \[..., {PRE}\]$"):
        make()(few_spikes(4, size))


@pytest.mark.parametrize("rule", [STDP, MSTDPET])
def test_a_rule_on_a_sparse_connection_takes_memory_for_its_synapses(rule: Any) -> None:
    network = Network()
    network.add("input", PRE)
    network.add("output", LIF(POST))
    connection = drawn(norm=2.0, bounds=(-1.0, 1.0))
    network.connect("input", "output", connection, rule=rule())
    spikes = (torch.rand(4, 1, PRE, generator=seeded(1)) < 0.1).float()
    most = largest(lambda: network.run({"input": spikes}, modulator=torch.ones(1), window=2))
    assert most <= max(2 * len(connection.weight), spikes.numel())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sparse(6, 4, density=0.1), r"^density=0.1: must be given to Sparse.random, which draws the synapses$"),  # type: ignore[call-arg]
        (lambda: Sparse.random(0, 4, 0.1), r"^pre=0: must be a positive number of neurons$"),
        (lambda: Sparse.random(4, 0, 0.1), r"^post=0: must be a positive number of neurons$"),
        (
            lambda: Sparse.random(4, 4, 0.1, weigth_std=1.0),
            r"^weigth_std=1.0: Sparse has no such setting; did you mean",
        ),
        (
            lambda: Sparse(6, 4, torch.tensor([[0.5], [1.0]])),
            r"^index=torch.float32: must be integers, the neurons' numbers$",
        ),
    ],
)
def test_a_wrong_setting_of_a_sparse_connection_is_named(make: Callable[[], Sparse], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
