"""A decision of the default agent, compiled: from what its populations fired to a choice, in one pass.

:class:`~snnrl.agents.rstdp.RSTDP` is the definition; a compiled step gives the same but for rounding, with the same
draws and the same state, so that either may go on where the other was. Each file ``compiled_*.py`` serves one kind of
encoder; :func:`snnrl.agents.compiled.compiled_step` tells which, and :meth:`CompiledStep.serves` when. Tests go through
all settings of the agent and hold the two to be equal wherever one is taken.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from snnrl.agents.rstdp_config import RSTDPConfig, Suited
from snnrl.agents.rstdp_state import Decision, Outcome, RSTDPState
from snnrl.connections import Dense
from snnrl.decoders import ActionCode
from snnrl.envs import Feedback
from snnrl.kernels.decision import Choice, Closed, Told, decide
from snnrl.kernels.plain import takes_loop
from snnrl.networks import Activity, ActorCritic, ActorCriticState
from snnrl.noise import uniform
from snnrl.plasticity import LARGEST_VALUE, ReturnScale, RewardLimit, RunningScale
from snnrl.plasticity.returns import MARGIN
from snnrl.state import State
from snnrl.types import Array

NOTHING: dict[str, Tensor] = {}


class Parts(NamedTuple):
    """What an agent decides and learns with."""

    config: RSTDPConfig
    suited: Suited
    network: ActorCritic
    code: ActionCode
    returns: ReturnScale | None
    reward_limit: RewardLimit | None
    td_scale: RunningScale
    input_scales: nn.ModuleDict
    generator: torch.Generator
    rate_scale: Callable[[], Tensor]
    """What is left of the learning rates, 0-d."""
    bonus: Callable[[Tensor | None, Tensor], Tensor]
    """The exploration bonus from the last one and the preference."""


class CompiledStep(ABC):
    """Decides in place of an agent; one that learns as well has ``update``.

    Args:
        agent: its parts.
        readouts: what leads to its actor and its critic.

    Attributes:
        serving: what :meth:`serves` said last.
        highest: the most spikes of one of its actor's neurons in a window, where their rates are action values; else 0.
    """

    highest: float = 0.0

    def __init__(self, agent: Parts, *readouts: Dense) -> None:
        self.agent, self.readouts, self.serving = agent, readouts, False
        self.explores = bool(agent.suited.exploration_bonus)
        self._modules = tuple(agent.network.modules())
        self.sizes = agent.code.get_buffer("_sizes").numpy()

    def laid_out(self, rules: State) -> State:
        """States of rules as what learns from them wants them to lie in memory."""
        return rules

    def serves(self) -> bool:
        """Whether the agent is as this takes it: on the CPU, in single or double precision, and nobody looks on.

        Hooks wait for a part of the network to run.
        """
        agent, weights = self.agent, [readout.weight for readout in self.readouts]
        self.serving = (
            takes_loop(*weights, agent.td_scale.mean_square, agent.rate_scale())
            and all(weight.t().is_contiguous() for weight in weights)
            and not any(module._forward_hooks or module._forward_pre_hooks for module in self._modules)
        )
        return self.serving

    def act(
        self, seen: Array, feedback: Feedback, state: RSTDPState, exploring: float
    ) -> tuple[Tensor, RSTDPState] | None:
        """The choice ``[batch, dims]`` and the state after it; ``exploring`` is by what the bonus is multiplied.

        ``None``, with nothing done, where actions are not permitted, and for observations that have to be refused.
        """
        if feedback.action_mask is not None:
            return None
        found = self.see(seen, feedback, state.network)
        if found is None:
            return None
        activity, network = found
        return self._decide(activity, feedback, state._replace(network=network), exploring)

    @abstractmethod
    def see(
        self, seen: Array, feedback: Feedback, before: ActorCriticState
    ) -> tuple[Activity, ActorCriticState] | None:
        """Run encoder, actor and critic over the window of a decision."""

    def _decide(
        self, activity: Activity, feedback: Feedback, state: RSTDPState, exploring: float
    ) -> tuple[Tensor, RSTDPState]:
        agent, config, last = self.agent, self.agent.config, state.decision
        returns, limit = agent.returns, agent.reward_limit
        preference, level, bonus = activity.preference, activity.level, state.exploration_bonus
        if self.explores:
            bonus = agent.bonus(bonus, preference)
        batch, dims, numbers = len(level), agent.code.dims, level.numpy()
        noise = uniform((batch, dims, 1), preference, agent.generator)
        wanted = preference.numpy()
        made = Choice(np.empty((batch, dims), np.int64), *(np.empty_like(part) for part in (wanted, numbers, numbers)))
        sums, empty = state.returns.numpy(), np.empty_like
        closed = Closed(empty(numbers), np.empty(batch, np.bool_), empty(numbers), empty(numbers), empty(sums))
        told = (numbers, numbers) if last is None else (last.value.numpy(), last.surprisal.numpy())
        decide(
            wanted,
            wanted if bonus is None else bonus.numpy(),
            exploring if self.explores else 0.0,
            noise.view(batch, dims).numpy(),
            self.sizes,
            float(config.temperature),
            self.highest,
            numbers,
            self._fixed_range(),
            returns is not None and config.value_centre == "returns",
            returns is not None,
            _NO_ENDS if returns is None else (returns.low.view(1).numpy(), returns.high.view(1).numpy()),
            MARGIN,
            float(agent.suited.gamma),
            0 if returns is None else returns.horizon,
            (0.0, 1) if limit is None else (float(limit.most), limit.horizon),
            _NO_REWARDS if limit is None else (limit.usual.view(1).numpy(), limit.seen.view(1).numpy()),
            made,
            last is not None,
            Told(*feedback[:4], *told),
            sums,
            closed,
        )
        choice, credit, surprisal, value = tensors(*made)
        decision = Decision(activity, value, NOTHING, credit, surprisal)
        if last is None:
            return choice, state._replace(decision=decision, exploration_bonus=bonus)
        td_error, decided, continuing, surprise, after = tensors(*closed)
        outcome = Outcome(last.activity.seen, last.credit, td_error, decided, continuing, surprise, NOTHING)
        returned = state.returns if returns is None else after
        return choice, state._replace(
            decision=decision, window=(*state.window, outcome), exploration_bonus=bonus, returns=returned
        )

    def _fixed_range(self) -> tuple[float, float]:
        """Values of both ends of the critic's rate, where they are not those of the returns that were seen."""
        low, high = self.agent.config.value_range or (-LARGEST_VALUE, LARGEST_VALUE)
        return float(low), float(high)


_NO_ENDS: tuple[Array, Array] = np.zeros(1), np.zeros(1)
_NO_REWARDS: tuple[Array, Array] = np.zeros(1), np.zeros(1, np.int64)
KINDS = {torch.float32: np.float32, torch.float64: np.float64}


def arrays(*parts: Tensor) -> list[Array]:
    """Views of tensors."""
    return [part.numpy() for part in parts]


def tensors(*parts: Array) -> list[Tensor]:
    """Views of arrays."""
    return [torch.from_numpy(part) for part in parts]
