"""Weights that have left the numbers: found before they are saved or played."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snnrl.errors import RunError


def check_finite(model: nn.Module, when: str) -> None:
    """Raise unless all of the model's weights are finite and no NaN is in what else it keeps.

    Args:
        model: what learns.
        when: the moment, for the message.

    Raises:
        RunError: a weight is NaN or infinite, so that the run has diverged.
    """
    weights = dict(model.named_parameters())
    for name, value in model.state_dict().items():
        if isinstance(value, Tensor) and value.is_floating_point() and _is_wrong(value, name in weights):
            raise RunError(
                f"the run has diverged: {name} holds NaN or infinite values {when}; must be finite, and a lower "
                "learning rate or smaller rewards may keep it so. They were not saved: the last checkpoint is of before"
            )


def _is_wrong(value: Tensor, weight: bool) -> bool:
    """Infinite limits and thresholds have their uses, infinite weights have none."""
    return not bool(torch.isfinite(value).all()) if weight else bool(torch.isnan(value).any())
