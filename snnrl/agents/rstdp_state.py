"""What the R-STDP agent remembers from one step to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnrl.devices import moved
from snnrl.envs import Feedback
from snnrl.networks import Activity, ActorCriticState, Seen
from snnrl.state import State
from snnrl.types import Array


class Signal(NamedTuple):
    """:class:`~snnrl.envs.Feedback` where the weights are."""

    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    reset: Tensor

    @classmethod
    def of(cls, feedback: Feedback, device: torch.device) -> Self:
        """All four in one copy, where the weights are on a GPU."""
        parts = feedback[: len(cls._fields)]
        if device.type == "cpu":
            return cls(*map(torch.as_tensor, parts))
        together = moved(torch.from_numpy(np.array(parts, dtype=np.float32)), device)
        return cls(together[0], *(together[1:] > 0))


class Decision(NamedTuple):
    """A decision whose outcome is not known yet."""

    activity: Activity
    value: Tensor
    """``[batch]``: the return that is predicted."""
    own_values: Mapping[str, Tensor]
    """``[batch]``: that of each hidden layer that has a critic of its own, by the layer's name."""
    credit: Tensor
    """``[batch, populations]``: the share of each action's population in the outcome."""
    surprisal: Tensor
    """``[batch]``: how much less likely than usual the choice was, ``-log p - entropy``."""


class Outcome(NamedTuple):
    """A decision and what came of it: one step of the third factor."""

    seen: Mapping[str, Seen]
    """What each plastic connection saw, by its key."""
    credit: Tensor
    td_error: Tensor
    decided: Tensor
    """``[batch]``: 1, but 0 where the observation only began an episode."""
    continuing: Tensor
    surprisal: Tensor
    own_errors: Mapping[str, Tensor]
    """``[batch]``, temporal-difference errors of hidden layers that have a critic of their own."""


class Glimpse(NamedTuple):
    """One step of the random play by which an encoder is calibrated."""

    observation: Array
    action: NDArray[np.int64]
    """``[batch]``, a number for each combination of choices."""
    reset: NDArray[np.bool_]


class RSTDPState(NamedTuple):
    """Training state of :class:`RSTDP`."""

    network: ActorCriticState
    rules: State
    """State of each plastic connection's rule."""
    decision: Decision | None
    window: tuple[Outcome, ...]
    """Decisions since the last change of weights."""
    glimpses: tuple[Glimpse, ...]
    """What has been seen during the warm-up; empty afterwards."""
    exploration_bonus: Tensor | None
    """``[batch, populations]``, added to preferences while exploring."""
    returns: Tensor
    """``[batch]`` discounted sums of past rewards; empty where the critic's range is given."""
