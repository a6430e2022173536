"""Adam, whose memory is part of the learner's state."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Adam(nn.Module):
    """Steps of Adam (Kingma & Ba 2015, ICLR, algorithm 1), over all parameters as one vector.

    Its moments and its count of steps are buffers, so that they are saved with the weights.

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
        trained = list(parameters)
        gradient = torch.cat([part.reshape(-1) for part in gradients])
        beta_first, beta_second = self.betas
        self.count += 1
        steps = int(self.count)
        self.first.lerp_(gradient, 1 - beta_first)
        self.second.mul_(beta_second).addcmul_(gradient, gradient, value=1 - beta_second)
        width = self.second.sqrt().mul_(1 / math.sqrt(1 - beta_second**steps)).add_(1e-8)
        change = torch.div(self.first, width).mul_(-rate / (1 - beta_first**steps))
        for parameter, part in zip(trained, change.split([each.numel() for each in trained]), strict=True):
            parameter += part.view(parameter.shape)
