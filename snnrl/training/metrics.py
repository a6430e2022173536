"""Means of what an agent reports between two rows of the log."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class RunningMetrics:
    """Sums metrics on their device and reads them back only when they are logged."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, metrics: Mapping[str, Tensor | float]) -> None:
        """Count one report; every value a number or a 0-d tensor."""
        for name, value in metrics.items():
            number = torch.as_tensor(value)
            self._sums[name] = self._sums[name] + number if name in self._sums else number
            self._counts[name] = self._counts.get(name, 0) + 1

    def take(self) -> dict[str, float]:
        """The means since the last call."""
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means
