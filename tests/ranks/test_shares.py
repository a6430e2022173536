"""How work is shared out, without other processes: each rank's part is computed here, one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from snnrl.connections import Dense
from snnrl.errors import ConfigError
from snnrl.kernels.messages import events_of, message_of
from snnrl.loading import task_of
from snnrl.networks.sharing import MOST_ALONE, WHOLE, OwnNeurons, SharedConnection, shared
from snnrl.plasticity import STDP, ThirdFactor, ThreeFactor, TruncatedThreeFactor
from snnrl.ranks import ALONE, Ranks, TorchRanks, launched
from snnrl.recipes import compose_run
from snnrl.spikes import SparseSpikes
from snnrl.training.folder import resume_line


class Part(Ranks):
    """One of several ranks, which says nothing to the others."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def interleaved(self, part: Tensor, rows: int) -> Tensor:
        """The own part alone."""
        return part


def inputs(steps: int, batch: int, size: int) -> SparseSpikes:
    return SparseSpikes.from_dense((torch.rand(steps, batch, size) < 0.02) * torch.rand(steps, batch, size))


@pytest.mark.parametrize("rule", [ThreeFactor(0.9), TruncatedThreeFactor(0.8, cutoff=0.3)], ids=["whole", "truncated"])
@pytest.mark.parametrize("ranks", [2, 3])
def test_changes_learned_in_parts_are_those_of_the_whole_connection(
    rule: ThreeFactor | TruncatedThreeFactor, ranks: int
) -> None:
    torch.manual_seed(0)
    whole = Dense(1001, 7)
    parts = [SharedConnection(whole, OwnNeurons(Part(rank, ranks))) for rank in range(ranks)]
    state = rule.init_state(whole, (1001,), (7,), 4)
    states = [rule.init_state(part.learned(whole), (1001,), (7,), 4) for part in parts]
    for _ in range(4):
        pre, post = inputs(3, 4, 1001), torch.rand(30, 4, 7)
        third = ThirdFactor(torch.randn(3, 4), (torch.rand(3, 4) < 0.8).float())
        expected, state = rule(whole, pre, post, state, third)
        found = torch.empty_like(expected)
        for rank, part in enumerate(parts):
            change, states[rank] = rule(part.learned(whole), part.taken(pre), post, states[rank], third)
            found[:, rank::ranks] = part.joined(change)
        assert torch.equal(found, expected)


def test_only_large_connections_and_rules_that_do_not_read_weights_are_shared() -> None:
    own, large, small = OwnNeurons(Part(1, 2)), Dense(MOST_ALONE, 2), Dense(10, 2)
    assert isinstance(shared(large, ThreeFactor(), own), SharedConnection)
    assert shared(small, ThreeFactor(), own) is WHOLE
    assert shared(large, STDP(), own) is WHOLE
    assert shared(large, ThreeFactor(), OwnNeurons(ALONE)) is WHOLE


@pytest.mark.parametrize("step", [1, 2, 3])
def test_events_of_some_neurons_are_a_slice_of_the_dense_tensor(step: int) -> None:
    spikes = SparseSpikes.from_dense(torch.rand(2, 3, 11) * (torch.rand(2, 3, 11) < 0.4))
    for first in range(step):
        expected = spikes.dense()[..., first::step]
        assert torch.equal(spikes.of_neurons(first, step).dense(), expected)
        own = OwnNeurons(Part(first, step)).taken(spikes)
        assert own.rows == spikes.rows
        assert torch.equal(own.dense(), expected)


@pytest.mark.parametrize(("rows", "size"), [(8, 2), (7, 2), (5, 4), (1, 3), (0, 2)])
def test_every_row_is_one_ranks_own(rows: int, size: int) -> None:
    blocks: list[int] = []
    for rank in range(size):
        part = TorchRanks.__new__(TorchRanks)
        part.rank, part.size = rank, size
        blocks.extend(range(rows)[part.own(rows)])
    assert blocks == list(range(rows))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["env=CartPole", "num_envs=5"], "num_envs=5: must be a multiple of 2, the number of processes"),
        (["experiment=ppo_cartpole"], "agent=ppo: must be one that torchrun shares out, such as rstdp"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        task_of(compose_run([*words, "progress=none"]), ranks=Part(0, 2))


def test_batches_that_cannot_be_shared_out_are_refused(patterns: Path) -> None:
    words = ["experiment=mnist_unsupervised", f"data_dir={patterns}", "batch_size=127", "n_neurons=10"]
    with pytest.raises(ConfigError, match=r"learner\.batch_size=127: must be a multiple of 2"):
        task_of(compose_run(words), ranks=Part(0, 2))


def test_a_process_of_its_own_is_alone_and_half_a_launcher_is_refused() -> None:
    assert launched({}) is ALONE
    assert launched({"WORLD_SIZE": "1", "RANK": "0"}) is ALONE
    with pytest.raises(ConfigError, match="WORLD_SIZE=2: needs MASTER_ADDR, MASTER_PORT besides; torchrun sets them"):
        launched({"WORLD_SIZE": "2", "RANK": "1"})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"RANK": "2"}, "RANK=2: must be from 0 to 1"), ({"MASTER_PORT": "x"}, "MASTER_PORT=x: must")],
)
def test_a_process_that_cannot_be_one_of_them_does_not_wait_for_the_others(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        launched({"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500", **wrong})


def test_the_command_that_goes_on_names_torchrun() -> None:
    line = resume_line(Path("runs/a"), {}, 2)
    assert line == "torchrun --nproc-per-node=2 -m snnrl.train resume=runs/a"


def test_events_come_out_of_messages_as_they_went_in() -> None:
    found = inputs(1, 5, 1001)
    first = found.row < 3
    parts = (found.row[first], found.index[first], 3), (found.row[~first] - 3, found.index[~first], 2)
    row, index = events_of([message_of(*part) for part in parts], [3, 2])
    assert torch.equal(row, found.row)
    assert torch.equal(index, found.index)
