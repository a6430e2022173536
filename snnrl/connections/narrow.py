"""Numbers in float32 of which bfloat16 holds the upper halves.

A change below a 512th of a weight would be lost in bfloat16. With the lower half kept beside it, sums are those of
float32 but for the last bit, in the memory of float32, while what is multiplied stays narrow (Kalamkar et al. 2020,
SC20, "Optimizing deep learning recommender systems training on CPU cluster architectures", "Split-SGD-BF16").
"""

from __future__ import annotations

import torch
from torch import Tensor

_MOST = 2**15 - 1


def widened(upper: Tensor, lower: Tensor | None) -> Tensor:
    """The float32 numbers whose nearest bfloat16 is ``upper``; :func:`narrowed` gave ``lower``, ``None`` is zeros."""
    wide = upper.detach().float()
    if lower is None:
        return wide
    return (wide.view(torch.int32) + lower * (upper != 0)).view(torch.float32)


def narrowed(wide: Tensor, upper: Tensor) -> Tensor:
    """Write the nearest bfloat16 of ``wide`` to ``upper``; returns what it lacks, int16 in units of the last bit."""
    upper.copy_(wide)
    lacking = wide.view(torch.int32) - upper.detach().float().view(torch.int32)
    return lacking.clamp_max_(_MOST).to(torch.int16)
