"""Agents on the card and on the CPU in turns, from equal seeds: when does anything differ, and by how much?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from steps import apart, card, is_dry, row, tensors, weights, worst
from torch import Tensor

from snnrl.agents import make_agent
from snnrl.envs import EnvConfig, env_seeds, make_envs
from snnrl.recipes import compose_run
from snnrl.training.rollout import Rollout

CASES = {
    "vectors, CartPole": (["env=CartPole"], 8, 80),
    "vectors, continuous actions, Pendulum": (["env=Pendulum"], 8, 64),
    "vectors, Acrobot": (["env=Acrobot"], 8, 64),
    "one-hot, FrozenLake": (["env=FrozenLake"], 8, 64),
    "frames, SpaceInvaders": (["env=SpaceInvaders"], 8, 80),
    "scenes, Pong": (["env=Pong", "agent.warmup_steps=64"], 4, 80),
    "exploration_bonus, Freeway": (["env=Freeway"], 4, 48),
    "images, MNIST by reward": (["experiment=mnist_reward"], 32, 64),
    "shuffled modulator, CartPole": (["env=CartPole", "agent.modulator=shuffled"], 8, 64),
    "without plasticity, CartPole": (["env=CartPole", "agent.plasticity=false"], 8, 32),
    "random, CartPole": (["env=CartPole", "agent=random"], 8, 16),
    "constant, CartPole": (["env=CartPole", "agent=constant"], 8, 16),
}
"""Words of the command line, environments, steps of all of them together."""


class Side:
    """An agent on one device, in environments of its own."""

    def __init__(self, words: list[str], num_envs: int, device: str) -> None:
        settings = compose_run(words)
        env = EnvConfig.from_mapping(settings["env"])
        self.envs = make_envs(env, num_envs)
        spaces = self.envs.single_observation_space, self.envs.single_action_space
        self.agent = make_agent(settings["agent"], *spaces, env, seed=0).to(device)
        self.rollout = Rollout(self.agent, self.envs, env, env_seeds(0, "train", 0, num_envs))

    def step(self) -> dict[str, Tensor]:
        """Act and learn once; everything that lasts, afterwards."""
        self.rollout.step()
        return tensors({**self.agent.state_dict(), "generator": self.agent.generator.get_state()})


def compare(words: list[str], num_envs: int, steps: int, device: str) -> Mapping[str, Any]:
    here, there = Side(words, num_envs, "cpu"), Side(words, num_envs, device)
    start = weights(here.agent)
    equal, first_off = 0, (0.0, "")
    for step in range(steps):
        expected, found = here.step(), there.step()
        off = worst(found, expected)
        if off[1] == "" and equal == step:
            equal += 1
        elif first_off[1] == "":
            first_off = off
    observation = here.envs.reset(seed=list(range(num_envs)))[0]
    actions = [side.agent.predict(np.asarray(observation), deterministic=True)[0] for side in (here, there)]
    for side in (here, there):
        side.envs.close()
    return {
        "steps": steps,
        "equal_steps": equal,
        "first_difference": first_off[0],
        "in": first_off[1],
        "apart": apart(weights(there.agent), weights(here.agent), start),
        "same_actions": float(np.mean(np.isclose(*actions, atol=1e-3))),
    }


def main() -> None:
    dry = is_dry(__doc__)
    torch.set_num_threads(1)
    for name, (words, num_envs, steps) in CASES.items():
        if not dry or name in ("vectors, CartPole", "scenes, Pong"):
            row(name, lambda w=words, n=num_envs, s=steps: compare(w, n, 34 if dry else s, card(dry)))


if __name__ == "__main__":
    main()
