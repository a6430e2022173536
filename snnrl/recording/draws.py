"""Random draws of an agent that is looked at, apart from those of its own."""

from __future__ import annotations

from types import TracebackType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from snnrl.agents.trainable import Trainable
from snnrl.types import Saved


class _States(NamedTuple):
    own: Tensor | None
    torch: Tensor
    numpy: Saved
    cuda: list[Tensor]


class Draws:
    """As a context, the generators by which an agent draws go on from where they were when this context was left last.

    The first time it is where they are. Whatever is drawn inside, the agent and the rest of the program draw outside
    what they would have drawn anyway.

    Args:
        agent: whose draws they are; algorithms of stable-baselines3 use the global generators of torch and NumPy.
    """

    def __init__(self, agent: Trainable) -> None:
        self._generator = getattr(agent, "generator", None)
        self._states = self._read()
        self._others = self._states

    def __enter__(self) -> None:
        self._others = self._read()
        self._write(self._states)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._states = self._read()
        self._write(self._others)

    def _read(self) -> _States:
        own = None if self._generator is None else self._generator.get_state()
        devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        return _States(own, torch.get_rng_state(), dict(np.random.get_state(legacy=False)), devices)

    def _write(self, states: _States) -> None:
        if self._generator is not None:
            self._generator.set_state(states.own)
        torch.set_rng_state(states.torch)
        np.random.set_state(states.numpy)
        if states.cuda:
            torch.cuda.set_rng_state_all(states.cuda)
