"""Changes by pairs of spikes in one step of one row; on the CPU."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.compiling import compiled


def pair_change(pre: Tensor, x_pre: Tensor, post: Tensor, x_post: Tensor, a_plus: float, a_minus: float) -> Tensor:
    """``a_plus post x_pre - a_minus x_post pre`` of each synapse ``[pre, post]``, rounded as operations of torch are.

    Args:
        pre: ``[pre]`` presynaptic spikes.
        x_pre: ``[pre]``, their trace.
        post: ``[post]`` postsynaptic spikes.
        x_post: ``[post]``, their trace.
        a_plus: potentiation of a pair.
        a_minus: depression of a pair.
    """
    out = pre.new_empty((len(pre), len(post)))
    parts = (part.contiguous().numpy() for part in (pre, x_pre, post, x_post))
    fired, before, answered, after = parts
    _change(fired, before, answered, after, float(a_plus), float(a_minus), out.numpy())
    return out


@compiled()
def _change(
    pre: NDArray[np.float32],
    x_pre: NDArray[np.float32],
    post: NDArray[np.float32],
    x_post: NDArray[np.float32],
    a_plus: float,
    a_minus: float,
    out: NDArray[np.float32],
) -> None:
    number, units = out.dtype.type, len(post)
    up, down = number(a_plus), number(a_minus)
    for neuron in range(len(pre)):
        change, trace, fired = out[neuron], x_pre[neuron], pre[neuron]
        for unit in range(units):
            change[unit] = up * (post[unit] * trace) - down * (x_post[unit] * fired)
