"""A decision of the default agent, compiled: from what its populations fired to a choice, and the last one closed.

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
from snnrl.kernels.choices import choose_by_value, choose_rows
from snnrl.kernels.plain import takes_loop
from snnrl.kernels.running import discount, limit_rewards
from snnrl.networks import Activity, ActorCritic, ActorCriticState
from snnrl.noise import uniform
from snnrl.plasticity import LARGEST_VALUE, ReturnScale, RewardLimit, RunningScale
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
        modules = tuple(agent.network.modules())
        self._hooks = [hooks for module in modules for hooks in (module._forward_hooks, module._forward_pre_hooks)]
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
            and not any(self._hooks)
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

    @np.errstate(over="ignore", invalid="ignore")  # what diverges is said by the trainer
    def _decide(
        self, activity: Activity, feedback: Feedback, state: RSTDPState, exploring: float
    ) -> tuple[Tensor, RSTDPState]:
        agent, config, last = self.agent, self.agent.config, state.decision
        preference, level, bonus = activity.preference, activity.level, state.exploration_bonus
        if self.explores:
            bonus = self.bonus(bonus, preference)
        batch, dims, numbers = len(level), agent.code.dims, level.numpy()
        noise = uniform((batch, dims, 1), preference, agent.generator).view(batch, dims).numpy()
        wanted, kind = preference.numpy(), numbers.dtype.type
        choice, credit = np.empty((batch, dims), np.int64), np.empty_like(wanted)
        surprisal, value = np.empty_like(numbers), np.zeros_like(numbers)
        ends = self._value_range()
        low = kind(ends[0])
        span = kind(ends[1]) - low
        memory = np.empty((3, wanted.shape[1]), kind)
        explored = wanted if bonus is None else bonus.numpy()
        asked = wanted, explored, noise, self.sizes, float(config.temperature), memory
        if self.highest:
            choose_by_value(*asked, self.highest, span, choice, credit, surprisal, value)
        else:
            choose_rows(*asked, exploring if self.explores else 0.0, choice, credit, surprisal)
        value += low + span * numbers
        made = tensors(value, credit, surprisal)
        decision = Decision(activity, made[0], NOTHING, *made[1:])
        chosen, state = torch.from_numpy(choice), state._replace(decision=decision, exploration_bonus=bonus)
        return chosen, state if last is None else self._close(last, feedback, state, value)

    def bonus(self, last: Tensor | None, preference: Tensor) -> Tensor:
        """The exploration bonus ``[batch, populations]`` after the last one."""
        return self.agent.bonus(last, preference)

    def _close(self, last: Decision, feedback: Feedback, state: RSTDPState, value: Array) -> RSTDPState:
        """The state with what came of the last decision, after which ``value`` ``[batch]`` is predicted."""
        agent, kind, ended = self.agent, value.dtype.type, feedback.terminated | feedback.truncated
        reward, decided, returned = np.array(feedback.reward, np.float32), ~feedback.reset, state.returns
        returns, limit = agent.returns, agent.reward_limit
        if limit is not None:
            measured = limit.usual.view(1).numpy(), limit.seen.view(1).numpy()
            limit_rewards(reward, *measured, float(limit.most), limit.horizon)
        if returns is not None:
            extremes, sums = (returns.low.view(1).numpy(), returns.high.view(1).numpy()), state.returns.numpy()
            after, gamma = np.empty_like(sums), float(agent.suited.gamma)
            discount(reward, feedback.reset, ended, sums, *extremes, gamma, returns.horizon, reward, after)
            returned = torch.from_numpy(after)
        ahead = np.where(feedback.terminated, kind(0), kind(agent.suited.gamma) * value)
        td_error = (reward.astype(kind) + ahead - last.value.numpy()) * decided
        kept = (decided & ~ended).astype(kind)
        error, known, continuing, surprise = tensors(td_error, decided, kept, last.surprisal.numpy() * decided)
        outcome = Outcome(last.activity.seen, last.credit, error, known, continuing, surprise, NOTHING)
        return state._replace(window=(*state.window, outcome), returns=returned)

    def _value_range(self) -> tuple[float, float]:
        """Values of both ends of the critic's rate."""
        returns, config = self.agent.returns, self.agent.config
        if returns is not None and config.value_centre == "returns":
            return returns.numbers()
        low, high = config.value_range or (-LARGEST_VALUE, LARGEST_VALUE)
        return float(low), float(high)


KINDS = {torch.float32: np.float32, torch.float64: np.float64}


def arrays(*parts: Tensor) -> list[Array]:
    """Views of tensors."""
    return [part.numpy() for part in parts]


def tensors(*parts: Array) -> list[Tensor]:
    """Views of arrays."""
    return [torch.from_numpy(part) for part in parts]
