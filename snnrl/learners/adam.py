"""Torch's Adam, whose memory is part of the learner's state."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from snnrl.types import Saved, Setting


class Adam(nn.Module):
    """``torch.optim.Adam`` (Kingma & Ba 2015, ICLR) that is saved, and goes to a device, with the weights it trains.

    Args:
        parameters: what is trained; the order must not change.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        super().__init__()
        self._optimiser = torch.optim.Adam(list(parameters), fused=True)

    def step(self, gradients: Sequence[Tensor], rate: float) -> None:
        """Change the parameters against their ``gradients``, at most about ``rate`` each."""
        (group,) = self._optimiser.param_groups
        group["lr"] = rate
        for parameter, gradient in zip(group["params"], gradients, strict=True):
            parameter.grad = gradient
        self._optimiser.step()
        self._optimiser.zero_grad()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """What ``to`` does to the weights it does to their moments; steps are counted in their own type."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for moments in self._optimiser.state.values():
            for name, value in moments.items():
                moved = fn(value)
                moments[name] = value.to(moved.device) if name == "step" else moved
        return self

    def get_extra_state(self) -> dict[str, Setting]:
        """What torch saves of an optimiser."""
        return self._optimiser.state_dict()

    def set_extra_state(self, state: Saved) -> None:
        """Take over what :meth:`get_extra_state` gave."""
        self._optimiser.load_state_dict(copy.deepcopy(state))
