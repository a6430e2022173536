"""The pass of a three-factor rule over the eligibility of an all-to-all connection, on the CPU."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.compiling import compiled
from snnrl.kernels.threads import share_range

NOTHING = 1e-30
"""Below this size what is left of an eligibility is 0: numbers near the end of float32's range are slow."""
_GRAIN = 64
"""Postsynaptic neurons that a thread has at least."""


def gather_outer(
    eligibility: Tensor, pre: Tensor, post: Tensor, share: Tensor, reach: Tensor, waiting: Tensor, through: Tensor
) -> Tensor:
    """See :meth:`snnrl.connections.Connection.gather`, its reference, for a connection of all neurons with all.

    Postsynaptic activity that has one value at most events, as spikes have, costs by those at which it has another.

    Args:
        eligibility: ``[batch, post, pre]``, contiguous, of float32 or float64 as all that follow; updated in place.
        pre: ``[steps, events, batch, pre]``.
        post: ``[steps, events, batch, post]``.
        share: ``[steps, batch]``, by which the products of a step count in the change.
        reach: ``[steps, batch]``, by which they count in the eligibility after the window.
        waiting: ``[batch]``, by which the eligibility before the window counts in the change.
        through: ``[batch]``, what is left of it.

    Returns:
        The change ``[post, pre]``, summed over the batch.
    """
    delta = eligibility.new_zeros(eligibility.shape[1:])
    parts = (pre, post, share, reach, waiting, through)
    arrays = eligibility.numpy(), *(part.contiguous().numpy() for part in parts), delta.numpy()
    ungated = np.empty((0, 0, 0), delta.numpy().dtype)
    share_range(partial(gather, *arrays, ungated), eligibility.shape[1], _GRAIN)
    return delta


@compiled(fastmath=("contract",))
def _sum_events(
    pre: NDArray[np.float32],
    post: NDArray[np.float32],
    step: int,
    row: int,
    unit: int,
    several: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Add ``pre`` times how far ``post`` of one unit is from its least, over the events of a step."""
    events, at, count = pre.shape[1], 0, 0
    base = post[step, 0, row, unit]
    for event in range(1, events):
        base = min(base, post[step, event, row, unit])
    for event in range(events):
        several[count] = event
        count += post[step, event, row, unit] != base
    for neuron in range(out.shape[0]):
        out[neuron] *= base
    while at + 4 <= count:
        i, j, k, m = several[at], several[at + 1], several[at + 2], several[at + 3]
        a, b = post[step, i, row, unit] - base, post[step, j, row, unit] - base
        c, d = post[step, k, row, unit] - base, post[step, m, row, unit] - base
        xa, xb, xc, xd = pre[step, i, row], pre[step, j, row], pre[step, k, row], pre[step, m, row]
        for neuron in range(out.shape[0]):
            out[neuron] += ((a * xa[neuron] + b * xb[neuron]) + c * xc[neuron]) + d * xd[neuron]
        at += 4
    while at < count:
        a, xa = post[step, several[at], row, unit] - base, pre[step, several[at], row]
        for neuron in range(out.shape[0]):
            out[neuron] += a * xa[neuron]
        at += 1


@compiled(fastmath=("contract",))
def gather(
    eligibility: NDArray[np.float32],
    pre: NDArray[np.float32],
    post: NDArray[np.float32],
    share: NDArray[np.float32],
    reach: NDArray[np.float32],
    waiting: NDArray[np.float32],
    through: NDArray[np.float32],
    delta: NDArray[np.float32],
    gate: NDArray[np.float32],
    low: int,
    high: int,
) -> None:
    """:func:`gather_outer` of the postsynaptic neurons ``low .. high - 1``.

    ``gate`` ``[steps, batch, groups]`` is what the coincidences of each group of postsynaptic neurons, those of a group
    side by side, are multiplied by; of no step for none.
    """
    (steps, events, batch), size, number = post.shape[:3], pre.shape[3], eligibility.dtype.type
    none, smallest = number(0), number(NOTHING)
    product, whole = np.empty(size, eligibility.dtype), np.empty((steps, size), eligibility.dtype)
    per_gate = post.shape[3] // gate.shape[2] if len(gate) else 1
    several = np.empty(events, np.int64)
    for row in range(batch):
        for step in range(steps):
            whole[step] = none
            for event in range(events):
                now = pre[step, event, row]
                for neuron in range(size):
                    whole[step, neuron] += now[neuron]
        earns, stays = waiting[row], through[row]
        for unit in range(low, high):
            synapses, change = eligibility[row, unit], delta[unit]
            for step in range(steps):
                product[:] = whole[step]
                _sum_events(pre, post, step, row, unit, several, product)
                factor = gate[step, row, unit // per_gate] if len(gate) else number(1)
                gain, rest = share[step, row] * factor, reach[step, row] * factor
                if step == 0:
                    for neuron in range(size):
                        old = synapses[neuron]
                        kept = stays * old
                        change[neuron] += earns * old + gain * product[neuron]
                        synapses[neuron] = (none if abs(kept) < smallest else kept) + rest * product[neuron]
                else:
                    for neuron in range(size):
                        change[neuron] += gain * product[neuron]
                        synapses[neuron] += rest * product[neuron]
