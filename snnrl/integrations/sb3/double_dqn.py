"""Double DQN: the network chooses the next action, its slow copy says what that is worth."""

from __future__ import annotations

from typing import ClassVar

import torch
from stable_baselines3 import DQN
from torch.nn import functional

from snnrl.types import Setting


class DoubleDQN(DQN):
    """SB3's DQN, or with ``double_q`` that of van Hasselt, Guez & Silver (2016, AAAI, eq. 4).

    The highest of several uncertain values is on average too high, and DQN learns from it; a value of the action that
    another network prefers is not.

    Args:
        *args: as in SB3.
        double_q: whether the network that is trained chooses the next action.
        **kwargs: as in SB3.
    """

    policy_aliases: ClassVar = DQN.policy_aliases

    def __init__(self, *args: Setting, double_q: bool = True, **kwargs: Setting) -> None:
        self.double_q = double_q
        super().__init__(*args, **kwargs)

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Train as SB3's DQN does, on targets of the double estimator if they are wanted."""
        if not self.double_q:
            super().train(gradient_steps, batch_size)
            return
        policy, buffer, losses = self.policy, self.replay_buffer, []
        assert buffer is not None
        policy.set_training_mode(True)
        self._update_learning_rate(policy.optimizer)
        for _ in range(gradient_steps):
            seen = buffer.sample(batch_size, env=self._vec_normalize_env)
            with torch.no_grad():
                chosen = self.q_net(seen.next_observations).argmax(1, keepdim=True)
                worth = self.q_net_target(seen.next_observations).gather(1, chosen)
                discounts = self.gamma if seen.discounts is None else seen.discounts
                wanted = seen.rewards + (1 - seen.dones) * discounts * worth
            values = self.q_net(seen.observations).gather(1, seen.actions.long())
            loss = functional.smooth_l1_loss(values, wanted)
            losses.append(loss.detach())
            policy.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(policy.parameters(), self.max_grad_norm)
            policy.optimizer.step()
        self._n_updates += gradient_steps
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/loss", torch.stack(losses).mean().item())
