"""The pass of a three-factor rule over the eligibility of a row, a part of :mod:`~snnrl.kernels.decision`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnrl.kernels.compiling import compiled
from snnrl.kernels.rows import copy

NOTHING = 1e-30
"""Below this size what is left of an eligibility is 0: numbers near the end of float32's range are slow."""


@compiled(fastmath=("contract",))
def _sum_events(
    pre: NDArray[np.float32],
    post: NDArray[np.float32],
    row: int,
    unit: int,
    several: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Add ``pre`` times how far ``post`` of one unit is from its least, over the events of a step."""
    events, at, count = pre.shape[0], 0, 0
    base = post[0, row, unit]
    for event in range(1, events):
        base = min(base, post[event, row, unit])
    for event in range(events):
        several[count] = event
        count += post[event, row, unit] != base
    for neuron in range(out.shape[0]):
        out[neuron] *= base
    while at + 4 <= count:
        i, j, k, m = several[at], several[at + 1], several[at + 2], several[at + 3]
        a, b = post[i, row, unit] - base, post[j, row, unit] - base
        c, d = post[k, row, unit] - base, post[m, row, unit] - base
        xa, xb, xc, xd = pre[i, row], pre[j, row], pre[k, row], pre[m, row]
        for neuron in range(out.shape[0]):
            out[neuron] += ((a * xa[neuron] + b * xb[neuron]) + c * xc[neuron]) + d * xd[neuron]
        at += 4
    while at < count:
        a, xa = post[several[at], row, unit] - base, pre[several[at], row]
        for neuron in range(out.shape[0]):
            out[neuron] += a * xa[neuron]
        at += 1


@compiled(fastmath=("contract",))
def gather_row(
    row: int,
    eligibility: NDArray[np.float32],
    pre: NDArray[np.float32],
    whole: NDArray[np.float32],
    post: NDArray[np.float32],
    gate: NDArray[np.float32],
    share: float,
    waiting: float,
    through: float,
    several: NDArray[np.int64],
    product: NDArray[np.float32],
    delta: NDArray[np.float32],
) -> None:
    """:meth:`snnrl.plasticity.ThreeFactor.gather` of one step of the third factor and one row of the batch.

    Postsynaptic activity that has one value at most events, as spikes have, costs by those at which it has another.

    Args:
        row: of the batch.
        eligibility: ``[batch, post, pre]``, updated in place.
        pre: ``[events, batch, pre]``.
        whole: ``[pre]``, its sum over the events.
        post: ``[events, batch, post]``.
        gate: ``[groups]``, what the coincidences of each group of postsynaptic neurons, those of a group side by side,
            are multiplied by.
        share: by which coincidences count in the change.
        waiting: by which the eligibility from before counts in it.
        through: what is left of eligibility and coincidences afterwards.
        several: ``[events]``, memory.
        product: ``[pre]``, memory.
        delta: ``[post, pre]`` to which the change is added.
    """
    units, size, number = post.shape[2], pre.shape[2], eligibility.dtype.type
    none, smallest, each = number(0), number(NOTHING), units // len(gate)
    for unit in range(units):
        synapses, change = eligibility[row, unit], delta[unit]
        copy(product, whole)
        _sum_events(pre, post, row, unit, several, product)
        gain, rest = share * gate[unit // each], through * gate[unit // each]
        for neuron in range(size):
            old = synapses[neuron]
            kept = through * old
            change[neuron] += waiting * old + gain * product[neuron]
            synapses[neuron] = (none if abs(kept) < smallest else kept) + rest * product[neuron]
