"""The eligibility of every synapse of all-to-all connections, in one pass over memory; on the CPU.

:meth:`snnrl.plasticity.ThreeFactor.gather` is the reference, which reads it three times and writes it twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.compiling import compiled
from snnrl.kernels.rows import fill
from snnrl.kernels.threads import share_range

NOTHING = 1e-30
"""Below this size what is left of an eligibility is 0: numbers near the end of float32's range are slow."""
FEW = 2
"""Coincidences of a row up to which the pass is bound by memory; of more, products of matrices are faster."""
BLOCK = 1 << 14
"""Changes that stay in a cache while all rows are added to them."""
LARGE = 1 << 22
"""Numbers beyond which eligibility is read from memory each time, and not from a cache."""


def advance_all(
    eligibility: Tensor, pre: Tensor, post: Tensor, share: Tensor, reach: Tensor, waiting: Tensor, through: Tensor
) -> Tensor:
    """What eligibility and coincidences earn in a window, and the eligibility after it, in place.

    ``dw = sum over b of waiting[b] e[b] + sum over k and b of share[k, b] H[k, b]``, and then ``e[b] <- through[b] e[b]
    + sum over k of reach[k, b] H[k, b]``, where ``H[k, b]`` is the product of ``pre[k, b]`` and ``post[k, b]``.

    Args:
        eligibility: ``[batch, pre, post]``, contiguous.
        pre: ``[coincidences, batch, pre]``.
        post: ``[coincidences, batch, post]``.
        share: ``[coincidences, batch]``, by which coincidences count in the change, as the next two.
        reach: ``[coincidences, batch]``, what is left of them after the window.
        waiting: ``[batch]``, by which the eligibility from before counts.
        through: ``[batch]``, what is left of that.

    Returns:
        The change ``[pre, post]``.
    """
    delta = eligibility.new_empty(eligibility.shape[1:])
    parts = (part.detach().contiguous().numpy() for part in (pre, post, share, reach, waiting, through))
    fired, answered, earning, staying, wait, kept = parts
    factors, held, change = (fired, answered, earning, staying, wait, kept), eligibility.numpy(), delta.numpy()
    share_range(lambda low, high: _advance(low, high, held, *factors, change), len(delta), 16)
    return delta


@compiled(fastmath=("contract",))
def _advance(
    low: int,
    high: int,
    eligibility: NDArray[np.float32],
    pre: NDArray[np.float32],
    post: NDArray[np.float32],
    share: NDArray[np.float32],
    reach: NDArray[np.float32],
    waiting: NDArray[np.float32],
    through: NDArray[np.float32],
    delta: NDArray[np.float32],
) -> None:
    number, (batch, _, units) = eligibility.dtype.type, eligibility.shape
    none, smallest = number(0), number(NOTHING)
    block = max(1, BLOCK // units)
    for first in range(low, high, block):
        last = min(first + block, high)
        for neuron in range(first, last):
            fill(delta[neuron], 0)
        for row in range(batch):
            wait, kept, factor = waiting[row], through[row], post[0, row]
            for neuron in range(first, last):
                synapses, change, amplitude = eligibility[row, neuron], delta[neuron], pre[0, row, neuron]
                earned, stays = share[0, row] * amplitude, reach[0, row] * amplitude
                for unit in range(units):
                    old = synapses[unit]
                    left = kept * old
                    change[unit] += wait * old + earned * factor[unit]
                    synapses[unit] = (none if abs(left) < smallest else left) + stays * factor[unit]
            for coincidence in range(1, len(pre)):
                _add(coincidence, row, first, last, eligibility, pre, post, share, reach, delta)


@compiled(fastmath=("contract",))
def _add(
    coincidence: int,
    row: int,
    first: int,
    last: int,
    eligibility: NDArray[np.float32],
    pre: NDArray[np.float32],
    post: NDArray[np.float32],
    share: NDArray[np.float32],
    reach: NDArray[np.float32],
    delta: NDArray[np.float32],
) -> None:
    """Add a coincidence, of few presynaptic neurons as spikes are, to what was just read."""
    factor = post[coincidence, row]
    for neuron in range(first, last):
        amplitude = pre[coincidence, row, neuron]
        if amplitude != 0:
            synapses, change = eligibility[row, neuron], delta[neuron]
            earned, stays = share[coincidence, row] * amplitude, reach[coincidence, row] * amplitude
            for unit in range(len(factor)):
                change[unit] += earned * factor[unit]
                synapses[unit] += stays * factor[unit]
