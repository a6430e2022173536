"""Neurons of which at most one fires in a step, and what their spikes see of their input."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.compiling import compiled
from snnrl.kernels.sums import count_each
from snnrl.kernels.threads import share_range
from snnrl.traces import scan_nearest_trace

_ROWS = 8
"""Rows of a batch that a thread takes at least."""
_REORDER = {"nnan", "nsz", "reassoc", "contract"}
"""What lets the compiler find a maximum in vectors; no sum is reordered here."""


class WinnerTakeAll(NamedTuple):
    """How neurons compete: potentials in mV, time in steps."""

    steps: int
    """Length of the presentation."""
    decay: float
    """Factor by which a potential shrinks in a step."""
    excess: float
    """How far above its threshold the foremost neuron must be to fire."""
    winner: float
    """Potential of a neuron after its spike."""
    losers: float
    """Potential of all others after it."""


def compete(current: Tensor, threshold: Tensor, competition: WinnerTakeAll) -> Tensor:
    """The one neuron that fires in each step, by a compiled loop.

    Potentials begin at 0 and follow ``u <- decay * u + current``; the neuron foremost in ``u - threshold`` fires if
    it is more than ``excess`` above it. The reference implementation is :func:`compete_stepwise`. The two round alike,
    so they agree on every winner but for exact ties of rounding; of equal neurons the first wins.

    Args:
        current: ``[steps, batch, neurons]``, or ``[1, batch, neurons]`` for one that is the same in all steps.
        threshold: ``[neurons]``.
        competition: how they compete.

    Returns:
        int64 ``[steps, batch]``, −1 where none fires.
    """
    winners = torch.empty((competition.steps, current.shape[1]), dtype=torch.int64, device=current.device)
    if current.device.type == "cuda" and winners.numel():
        from snnrl.kernels import competition_triton

        if competition_triton.available(len(threshold)):
            competition_triton.compete(current.contiguous(), threshold.contiguous(), winners, *competition[1:])
            return winners
    if current.device.type != "cpu":
        return compete_stepwise(current, threshold, competition)
    work = partial(
        _compete,
        current.detach().contiguous().numpy(),
        threshold.detach().contiguous().numpy(),
        np.float32(competition.decay),
        np.float32(competition.excess),
        np.float32(competition.winner),
        np.float32(competition.losers),
        winners.numpy(),
    )
    share_range(work, current.shape[1], _ROWS)
    return winners


def compete_stepwise(current: Tensor, threshold: Tensor, competition: WinnerTakeAll) -> Tensor:
    """The reference implementation of :func:`compete`."""
    potential = torch.zeros_like(current[0])
    decay = potential.new_full((), competition.decay)
    neurons = torch.arange(len(threshold), device=current.device)
    winners = []
    for step in range(competition.steps):
        potential = torch.addcmul(current[min(step, len(current) - 1)], potential, decay)
        foremost, winner = (potential - threshold).max(1)
        fires = foremost > competition.excess
        winners.append(torch.where(fires, winner, -1))
        after = torch.where(neurons == winner[:, None], competition.winner, competition.losers)
        potential = torch.where(fires[:, None], after, potential)
    return torch.stack(winners)


def gather_wins(winners: Tensor, trace: Tensor, neurons: int) -> tuple[Tensor, Tensor, Tensor]:
    """What the spikes of each neuron saw of its input, for neurons that fired.

    Args:
        winners: ``[steps, batch]``, as :func:`compete` returns them.
        trace: ``[steps, batch, inputs]``, or ``[1, batch, inputs]`` for one that is the same in all steps.
        neurons: how many there are.

    Returns:
        The neurons that fired, int64 ``[fired]`` and ascending; their spikes, ``[fired]``; and the mean of the traces
        at their spikes, ``[fired, inputs]``.
    """
    fired, spikes, row = _fired(winners, neurons)
    total = torch.zeros(len(fired), trace.shape[2], device=trace.device)
    if trace.device.type == "cpu":
        _gather(winners.numpy(), trace.contiguous().numpy(), row.numpy(), total.numpy())
    else:
        add_wins(winners, trace, row, total)
    return fired, spikes, total / spikes[:, None]


class InputSpikes(NamedTuple):
    """Spikes of the inputs that may fire at all, listed image by image."""

    fires: Tensor
    """bool ``[steps, listed]``."""
    source: Tensor
    """int64 ``[listed]``: which input."""
    offsets: Tensor
    """int64 ``[batch + 1]``: where the inputs of each image begin."""

    def of_images(self, images: slice) -> InputSpikes:
        """Those of some images of the batch; all of them are given back as they are."""
        if images == slice(0, len(self.offsets) - 1):
            return self
        offsets = self.offsets[images.start : images.stop + 1]
        listed = slice(int(offsets[0]), int(offsets[-1]))
        return InputSpikes(self.fires[:, listed].contiguous(), self.source[listed], offsets - offsets[0])

    def dense(self, inputs: int) -> Tensor:
        """Zeros and ones, ``[steps, batch, inputs]``."""
        batch = len(self.offsets) - 1
        image = torch.repeat_interleave(torch.arange(batch, device=self.source.device), self.offsets.diff())
        out = torch.zeros(len(self.fires), batch, inputs, device=self.source.device)
        out[:, image, self.source] = self.fires.to(out.dtype)
        return out


def compete_spikes(spikes: InputSpikes, weight: Tensor, threshold: Tensor, competition: WinnerTakeAll) -> Tensor:
    """:func:`compete` under the currents of input spikes, which are summed event by event on the CPU.

    Its reference implementation is ``compete_stepwise(spikes.dense(inputs) @ weight.t(), threshold, competition)``.

    Args:
        spikes: of a batch.
        weight: ``[neurons, inputs]``.
        threshold: ``[neurons]``.
        competition: how they compete.

    Returns:
        int64 ``[steps, batch]``, −1 where none fires.
    """
    if weight.device.type != "cpu":
        return compete(spikes.dense(weight.shape[1]) @ weight.t(), threshold, competition)
    batch = len(spikes.offsets) - 1
    winners = torch.empty(competition.steps, batch, dtype=torch.int64)
    work = partial(
        _compete_spikes,
        spikes.fires.numpy(),
        spikes.source.numpy(),
        spikes.offsets.numpy(),
        weight.detach().t().contiguous().numpy(),
        threshold.detach().contiguous().numpy(),
        np.float32(competition.decay),
        np.float32(competition.excess),
        np.float32(competition.winner),
        np.float32(competition.losers),
        winners.numpy(),
    )
    share_range(work, batch, _ROWS)
    return winners


def gather_spike_wins(
    winners: Tensor, spikes: InputSpikes, decay: float, inputs: int, neurons: int
) -> tuple[Tensor, Tensor, Tensor]:
    """:func:`gather_wins` for traces that a spike of the input sets to 1 and that shrink by ``decay`` in a step.

    Args:
        winners: ``[steps, batch]``.
        spikes: of the same batch.
        decay: of the trace in a step.
        inputs: how many inputs there are.
        neurons: how many neurons there are.
    """
    if winners.device.type != "cpu":
        dense = spikes.dense(inputs)
        return gather_wins(winners, scan_nearest_trace(dense, torch.zeros_like(dense[0]), decay), neurons)
    fired, count, row = _fired(winners, neurons)
    total = torch.zeros(len(fired), inputs)
    table = torch.pow(decay, torch.arange(len(winners), dtype=torch.float64)).float()
    _gather_spikes(
        winners.numpy(),
        spikes.fires.numpy(),
        spikes.source.numpy(),
        spikes.offsets.numpy(),
        table.numpy(),
        row.numpy(),
        total.numpy(),
    )
    return fired, count, total / count[:, None]


def _fired(winners: Tensor, neurons: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which neurons fired, how often, and for every neuron its place among those, 0 for the others."""
    count = count_each(winners.flatten() + 1, neurons + 1)[1:]
    fired = count.nonzero().squeeze(1)
    row = torch.zeros(neurons, dtype=torch.int64, device=winners.device)
    row[fired] = torch.arange(len(fired), device=winners.device)
    return fired, count[fired].float(), row


def add_wins(winners: Tensor, trace: Tensor, row: Tensor, total: Tensor) -> None:
    """The reference implementation of the loop in :func:`gather_wins`: ``total[row[winner]] += trace``, in place.

    As a product, which repeats bit for bit on a GPU and needs no list of the wins on the host.
    """
    place = torch.where(winners < 0, len(total), row[winners.clamp(min=0)])
    wins = trace.new_zeros((len(total) + 1, *winners.shape)).scatter_(0, place[None], 1.0)
    wins = wins.sum(1, keepdim=True) if len(trace) == 1 else wins
    total += wins[:-1].flatten(1) @ trace.flatten(0, 1)


@compiled(fastmath=_REORDER)
def _compete(
    current: NDArray[np.float32],
    threshold: NDArray[np.float32],
    decay: np.float32,
    excess: np.float32,
    after_win: np.float32,
    after_loss: np.float32,
    winners: NDArray[np.int64],
    low: int,
    high: int,
) -> None:
    steps, neurons = winners.shape[0], threshold.shape[0]
    last = current.shape[0] - 1
    potential = np.empty(neurons, np.float32)
    for row in range(low, high):
        potential[:] = 0
        for step in range(steps):
            now = current[min(step, last), row]
            foremost = np.float32(-np.inf)
            for neuron in range(neurons):
                value = decay * potential[neuron] + now[neuron]
                potential[neuron] = value
                foremost = max(foremost, value - threshold[neuron])
            winners[step, row] = -1
            if foremost > excess:
                for neuron in range(neurons):
                    if potential[neuron] - threshold[neuron] >= foremost:
                        winners[step, row] = neuron
                        break
                potential[:] = after_loss
                potential[winners[step, row]] = after_win


@compiled()
def _gather(
    winners: NDArray[np.int64], trace: NDArray[np.float32], row: NDArray[np.int64], total: NDArray[np.float32]
) -> None:
    steps, batch = winners.shape
    last, inputs = trace.shape[0] - 1, trace.shape[2]
    for step in range(steps):
        for image in range(batch):
            if winners[step, image] >= 0:
                target = row[winners[step, image]]
                for source in range(inputs):
                    total[target, source] += trace[min(step, last), image, source]


@compiled(fastmath=_REORDER)
def _compete_spikes(
    fires: NDArray[np.bool_],
    source: NDArray[np.int64],
    offsets: NDArray[np.int64],
    weight: NDArray[np.float32],
    threshold: NDArray[np.float32],
    decay: np.float32,
    excess: np.float32,
    after_win: np.float32,
    after_loss: np.float32,
    winners: NDArray[np.int64],
    low: int,
    high: int,
) -> None:
    steps, neurons = winners.shape[0], threshold.shape[0]
    potential = np.empty(neurons, np.float32)
    arriving = np.empty(neurons, np.float32)
    for row in range(low, high):
        potential[:] = 0
        for step in range(steps):
            arriving[:] = 0
            for event in range(offsets[row], offsets[row + 1]):
                if fires[step, event]:
                    synapses = weight[source[event]]
                    for neuron in range(neurons):
                        arriving[neuron] += synapses[neuron]
            foremost = np.float32(-np.inf)
            for neuron in range(neurons):
                value = decay * potential[neuron] + arriving[neuron]
                potential[neuron] = value
                foremost = max(foremost, value - threshold[neuron])
            winners[step, row] = -1
            if foremost > excess:
                for neuron in range(neurons):
                    if potential[neuron] - threshold[neuron] >= foremost:
                        winners[step, row] = neuron
                        break
                potential[:] = after_loss
                potential[winners[step, row]] = after_win


@compiled()
def _gather_spikes(
    winners: NDArray[np.int64],
    fires: NDArray[np.bool_],
    source: NDArray[np.int64],
    offsets: NDArray[np.int64],
    table: NDArray[np.float32],
    row: NDArray[np.int64],
    total: NDArray[np.float32],
) -> None:
    steps, batch = winners.shape
    last = np.empty(source.shape[0], np.int64)
    last[:] = -1
    for image in range(batch):
        for step in range(steps):
            for event in range(offsets[image], offsets[image + 1]):
                if fires[step, event]:
                    last[event] = step
            if winners[step, image] >= 0:
                target = row[winners[step, image]]
                for event in range(offsets[image], offsets[image + 1]):
                    if last[event] >= 0:
                        total[target, source[event]] += table[step - last[event]]
