"""A spiking actor and critic that act: from an observation to an action, and what went on in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnrl.agents.base import Agent
from snnrl.agents.rstdp_config import RSTDPConfig, Suited
from snnrl.agents.rstdp_state import RSTDPState
from snnrl.agents.trainable import Layout, Question, Readings
from snnrl.decoders import ActionCode
from snnrl.encoders import HostEncoder
from snnrl.envs import Feedback
from snnrl.networks import Activity, ActorCritic, ActorCriticState
from snnrl.plasticity import LARGEST_VALUE, ReturnScale, spike_train
from snnrl.ranks import Ranks
from snnrl.spaces import View, as_batch, first, split
from snnrl.spikes import SparseSpikes
from snnrl.state import reset_rows
from snnrl.types import Action, Array, Observation, PolicyState


class _Look(NamedTuple):
    """A decision's window, before anything is decided."""

    activity: Activity
    after: ActorCriticState
    permitted: Tensor | None
    batched: bool
    """Whether the observation was a batch."""


class ActorCriticAgent(Agent[RSTDPState]):
    """What :class:`~snnrl.agents.rstdp.RSTDP` is besides learning.

    Attributes:
        config: the recipe.
        suited: its settings that depend on the encoder.
        view: how the encoder sees observations.
        code: how populations of the actor stand for actions.
        network: encoder, hidden layers, actor and critic.
        returns: the unit of reward and the critic's range; ``None`` where the recipe gives the range.
    """

    takes_masks = True
    config: RSTDPConfig
    suited: Suited
    view: View
    code: ActionCode
    network: ActorCritic
    returns: ReturnScale | None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.get_buffer("learning_rate_scale").device

    def share(self, ranks: Ranks) -> None:
        encoder = self.network.encoder
        if isinstance(encoder, HostEncoder) or self.device.type == "cpu":
            encoder.ranks = ranks
        self.network.share_out(ranks)

    @property
    def sees_own_rows(self) -> bool:
        encoder = self.network.encoder
        return encoder.shares_rows and encoder.calibrated and encoder.ranks.size > 1

    def value(self, level: Tensor) -> Tensor:
        """What a critic of this rate predicts, ``[batch]``."""
        low, high = self._value_range(level.dtype)
        return low + (high - low) * level

    def _value_range(self, dtype: torch.dtype) -> tuple[Tensor | float, Tensor | float]:
        """Values of a silent critic and of one at its highest rate."""
        if self.config.value_range is not None:
            return self.config.value_range
        assert self.returns is not None
        if self.config.value_centre == "zero":
            return -LARGEST_VALUE, LARGEST_VALUE
        low, high = self.returns.value_range()
        return low.to(dtype), high.to(dtype)

    def _permitted(self, mask: Array | None) -> Tensor | None:
        return None if mask is None else self.code.permitted(mask, self.device)

    @torch.no_grad()
    def predict(
        self,
        observation: Observation,
        state: PolicyState = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: Array | None = None,
    ) -> tuple[Action, PolicyState]:
        look = self._look(observation, state, episode_start, action_masks, expected=deterministic)
        action, _ = self._play(self._policy(look.activity, look.permitted), look.permitted, deterministic=deterministic)
        return (action if look.batched else first(self.action_space, action)), look.after

    @torch.no_grad()
    def read(self, question: Question) -> tuple[Action, PolicyState, Readings]:
        observation, state, episode_start, deterministic, potentials, action_masks = question
        measured: dict[str, Tensor] = {}
        if potentials:
            self.eval()
            with undone(self):
                seen, network = self._see(observation, state, episode_start)[:2]
                measured = self.network.potentials(seen, network, expected=deterministic)
        look = self._look(observation, state, episode_start, action_masks, expected=deterministic)
        policy = self._policy(look.activity, look.permitted)
        action, choice = self._play(policy, look.permitted, deterministic=deterministic)
        value = self._value_of(look.activity, policy.argmax(-1) if choice is None else choice)
        return action, look.after, self._readings(look.activity, value, measured, expected=deterministic)

    @torch.no_grad()
    def act_and_read(
        self, observation: Observation, feedback: Feedback, state: RSTDPState, *, potentials: bool = False
    ) -> tuple[Action, RSTDPState, Readings]:
        measured: dict[str, Tensor] = {}
        if potentials and self.can_checkpoint:
            with undone(self):
                arrays = self.view(split(self.observation_space, observation))
                seen = self.network.encoder.placed(arrays, self.device)
                began = torch.as_tensor(feedback.reset, device=self.device)
                network = reset_rows(state.network, self.network.begin(len(seen)), began)
                measured = self.network.potentials(seen, network)
        closed = len(state.window)
        action, after = self.act(observation, feedback, state)
        if after.decision is None:
            return action, after, Readings()
        readings = self._readings(after.decision.activity, after.decision.value, measured, expected=False)
        error = after.window[-1].td_error if len(after.window) > closed else None
        return action, after, readings._replace(td_error=error)

    def _readings(
        self, activity: Activity, value: Tensor, potentials: Mapping[str, Tensor], *, expected: bool
    ) -> Readings:
        entering = activity.input
        if isinstance(entering, SparseSpikes):
            entering = spike_train(entering.reshape_rows(1, *entering.rows), self.config.sim_steps)
        fired = dict(activity.fired)
        exact = {"actor": fired.pop("actor")} if expected and hasattr(self.network.neurons["actor"], "expect") else {}
        return Readings({"input": entering, **fired}, exact, potentials, self._preference(activity), value)

    def prediction_error(self, raw: float, learned: float, value: float, next_value: float) -> float:
        unit = 1.0 if self.returns is None else float(self.returns.unit)
        return learned / unit + self.suited.gamma * next_value - value

    def layout(self) -> Layout:
        return Layout(dict(self.network.shapes), self.code.names(), self.config.sim_steps, self.config.dt)

    def _look(
        self,
        observation: Observation,
        state: PolicyState,
        episode_start: NDArray[np.bool_] | None,
        action_masks: Array | None,
        *,
        expected: bool,
    ) -> _Look:
        """Run the window of a decision."""
        if self.training:
            self.eval()
        seen, network, batched = self._see(observation, state, episode_start)
        permitted = None if action_masks is None else self._permitted(np.reshape(action_masks, (len(seen), -1)))
        activity, after = self.network(seen, network, expected=expected)
        return _Look(activity, after, permitted, batched)

    def _see(
        self, observation: Observation, state: PolicyState, episode_start: NDArray[np.bool_] | None
    ) -> tuple[Tensor, ActorCriticState, bool]:
        """What the network is given, its state, and whether the observation was a batch."""
        arrays, batched = as_batch(self.observation_space, observation)
        seen = self.view(arrays)
        fresh = self.network.begin(len(seen))
        network: ActorCriticState = fresh if state is None else state
        if episode_start is not None and state is not None and np.any(episode_start):
            rows = torch.as_tensor(np.asarray(episode_start, dtype=bool), device=self.device)
            network = reset_rows(network, fresh, rows)
        return self.network.encoder.placed(seen, self.device), network, batched

    def _preference(self, activity: Activity) -> Tensor:
        """``[batch, populations]``: what an agent that does not learn chooses by."""
        return activity.preference

    def _value_of(self, activity: Activity, choice: Tensor) -> Tensor:
        """``[batch]``: what is predicted of choices ``[batch, dims]``."""
        return self.value(activity.level)

    def _policy(self, activity: Activity, permitted: Tensor | None) -> Tensor:
        return self.code.policy(self._preference(activity), self.config.temperature, permitted)

    def _play(self, policy: Tensor, permitted: Tensor | None, *, deterministic: bool) -> tuple[Action, Tensor | None]:
        """The actions of an agent that does not learn, and the choices ``[batch, dims]`` if they were drawn."""
        if deterministic:
            return self.code.best(policy), None
        choice = self.code.explore(policy, self.generator, permitted)
        return self.code.chosen(choice), choice


@contextmanager
def undone(agent: ActorCriticAgent) -> Iterator[None]:
    """Put back what lasts, besides weights, when the block is left: draws, adaptation, running statistics."""
    draws = agent.generator.get_state()
    kept = {name: buffer.clone() for name, buffer in agent.network.named_buffers()}
    try:
        yield
    finally:
        agent.generator.set_state(draws)
        for name, buffer in agent.network.named_buffers():
            buffer.copy_(kept[name])
