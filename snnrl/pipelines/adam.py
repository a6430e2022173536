"""Adam, whose memory is part of the learner's state."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from snnrl.kernels.adam import adam_step


class Adam(nn.Module):
    """Steps of Adam (Kingma & Ba 2015, ICLR, algorithm 1).

    The moments of all parameters, one vector each, and the count of steps are buffers,
    so that they are saved with the weights.

    Args:
        parameters: what is trained; the order must not change.
        beta_first: what is left of the mean gradient after a step.
        beta_second: what is left of the mean squared gradient.
    """

    first: Tensor
    second: Tensor
    count: Tensor

    def __init__(self, parameters: Iterable[Tensor], beta_first: float = 0.9, beta_second: float = 0.999) -> None:
        super().__init__()
        sizes = [parameter.numel() for parameter in parameters]
        self.betas = beta_first, beta_second
        self.register_buffer("first", torch.zeros(sum(sizes)))
        self.register_buffer("second", torch.zeros(sum(sizes)))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def step(self, parameters: Iterable[Tensor], gradients: Iterable[Tensor], rate: float) -> None:
        """Change ``parameters`` against their ``gradients``, at most about ``rate`` each."""
        self.count += 1
        step, start = int(self.count), 0
        for parameter, gradient in zip(parameters, gradients, strict=True):
            part = slice(start, start + parameter.numel())
            adam_step(parameter, gradient, self.first[part], self.second[part], self.betas, step, rate)
            start = part.stop
