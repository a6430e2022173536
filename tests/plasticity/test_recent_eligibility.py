"""Eligibility of neurons that spiked lately alone, against one at every synapse, which is the definition."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from snnrl.connections import Conv2d, Dense
from snnrl.kernels.eligible import BLOCK, Events, advance, as_dense, no_rows
from snnrl.plasticity import MSTDPET, EligibilityState, ThirdFactor, ThreeFactor, TruncatedThreeFactor
from snnrl.spikes import SparseSpikes

PRE, POST, STEPS, LENGTH = 2_000, 40, 3, 2
BATCHES = [1, 3, BLOCK + 5]


class Play:
    """Windows of random spikes, of which few neurons fire, and what follows them."""

    def __init__(self, batch: int, dtype: torch.dtype, *, ends: float = 0.1) -> None:
        self.batch, self.dtype, self.ends, self.draw = batch, dtype, ends, torch.Generator().manual_seed(batch)
        self.connection = Dense(PRE, POST).to(dtype)

    def states(self, rule: ThreeFactor) -> list[EligibilityState]:
        dense = rule.init_state(self.connection, (PRE,), (POST,), self.batch)
        return [dense, rule.init_recent(self.connection, dense.traces, self.batch)]

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.draw, dtype=self.dtype)

    def window(self) -> tuple[SparseSpikes, Tensor, ThirdFactor]:
        steps = STEPS, self.batch
        spikes = (self.uniform(*steps, PRE) < 0.01) * self.uniform(PRE)
        post = (self.uniform(STEPS * LENGTH, self.batch, POST) < 0.5).to(self.dtype)
        modulator, instant = self.uniform(*steps) - 0.5, self.uniform(*steps) - 0.5
        going_on = (self.uniform(*steps) >= self.ends).to(self.dtype)
        gate = self.uniform(*steps, POST) - 0.5
        return SparseSpikes.from_dense(spikes), post, ThirdFactor(modulator, going_on, instant, gate)


def dense(play: Play, state: EligibilityState) -> Tensor:
    out = torch.zeros((play.batch, PRE, POST), dtype=play.dtype)
    return as_dense(state.recent, out).transpose(1, 2)


@pytest.mark.parametrize("batch", BATCHES)
def test_eligibility_is_that_of_all_synapses_bit_for_bit(batch: int) -> None:
    rule, play = ThreeFactor(0.9, postsynaptic_floor=0.05), Play(batch, torch.float32)
    states = play.states(rule)
    for _ in range(8):
        window = play.window()
        states = [rule(play.connection, *window[:2], state, window[2])[1] for state in states]
        assert torch.equal(dense(play, states[1]), states[0].eligibility)


def test_with_one_row_weights_change_bit_for_bit() -> None:
    rule, play = ThreeFactor(0.9), Play(1, torch.float32)
    states = play.states(rule)
    for _ in range(8):
        window = play.window()
        found = [rule(play.connection, *window[:2], state, window[2]) for state in states]
        states = [state for _, state in found]
        assert torch.equal(found[0][0], found[1][0])


@pytest.mark.parametrize("rule", [ThreeFactor(0.5), ThreeFactor(0.0), ThreeFactor(1.0), MSTDPET(tau_eligibility=3.0)])
@pytest.mark.parametrize("batch", BATCHES[1:])
def test_weights_change_alike_but_for_rounding_also_when_much_has_been_forgotten(rule: ThreeFactor, batch: int) -> None:
    play = Play(batch, torch.float64)
    states, changed = play.states(rule), torch.zeros(())
    for _ in range(20):
        window = play.window()
        found = [rule(play.connection, *window[:2], state, window[2]) for state in states]
        states = [state for _, state in found]
        torch.testing.assert_close(found[1][0], found[0][0], rtol=0, atol=1e-14)
        changed = found[0][0].abs().max()
    assert changed > 1e-4


def test_a_neuron_that_has_been_silent_for_long_is_listed_no_longer_and_none_is_after_an_end() -> None:
    rule, play = ThreeFactor(0.5), Play(1, torch.float32, ends=0.0)
    state = play.states(rule)[1]
    pre, post, third = play.window()
    _, state = rule(play.connection, pre, post, state, third)
    (rows,) = state.recent
    assert len(rows.neuron) == len(pre.index.unique()) > 20
    silent = SparseSpikes(pre.row[:0], pre.index[:0], pre.value[:0], pre.rows, pre.size)
    for windows in (7, 1):
        for _ in range(windows):
            _, state = rule(play.connection, silent, post, state, third)
        listed = len(rows.neuron) if windows == 7 else 0
        assert len(state.recent[0].neuron) == listed, "2^-24 is left of the first step's after 7 windows of 3 steps"
    ended = third._replace(continuing=torch.zeros(STEPS, 1))
    _, state = rule(play.connection, pre, post, state, ended)
    assert not len(state.recent[0].neuron)


def test_a_part_of_the_neurons_learns_what_it_would_among_all() -> None:
    """Processes of a run share neurons out; together they change weights bit for bit as one does."""
    rule, play = ThreeFactor(0.9), Play(5, torch.float32)
    whole, own = play.states(rule)[1], Dense(len(range(1, PRE, 3)), POST)
    part = rule.init_recent(own, whole.traces, play.batch)
    for _ in range(6):
        pre, post, third = play.window()
        change, whole = rule(play.connection, pre, post, whole, third)
        mine, part = rule(own, pre.of_neurons(1, 3), post, part, third)
        assert torch.equal(mine, change[:, 1::3])


def test_where_loops_cannot_work_it_goes_on_with_one_at_every_synapse() -> None:
    rule, play = ThreeFactor(0.9), Play(3, torch.float32)
    states = play.states(rule)
    for turn in range(3):
        pre, post, third = play.window()
        given = pre.dense().repeat_interleave(LENGTH, 0) if turn == 1 else pre
        found = [rule(play.connection, given, post, state, third) for state in states]
        states = [state for _, state in found]
        torch.testing.assert_close(found[0][0], found[1][0], rtol=0, atol=1e-6)
        assert bool(states[1].recent) == (turn < 1)


def test_it_suits_large_dense_connections_on_the_cpu_unless_it_is_refused() -> None:
    large = Dense(PRE, POST)
    assert ThreeFactor().keeps_recent(large)
    assert not ThreeFactor(sparse=False).keeps_recent(large)
    assert not ThreeFactor().keeps_recent(Dense(100, POST))
    assert not ThreeFactor().keeps_recent(Dense(PRE, POST).bfloat16())
    assert not ThreeFactor().keeps_recent(Conv2d(300, 300, 1))
    assert not TruncatedThreeFactor().keeps_recent(large)


def test_an_event_beyond_the_neurons_is_refused() -> None:
    one = torch.ones(1)
    wrong = Events(torch.tensor([0]), torch.tensor([0]), torch.tensor([7]), one, 7)
    with pytest.raises(IndexError, match="7"):
        advance(no_rows(1, 2, torch.float32), wrong, torch.ones(1, 1, 2), torch.ones(1, 1), one, one)
