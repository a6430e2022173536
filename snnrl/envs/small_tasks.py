"""Small tasks for hidden layers: one that no single readout of place cells solves, and two that need memory."""

from __future__ import annotations

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.wrappers import TransformObservation
from numpy.typing import NDArray

from snnrl.envs.types import Env
from snnrl.errors import require
from snnrl.types import Info

Shown = NDArray[np.float32]
"""An observation."""


class XOR(gymnasium.Env[Shown, np.int64]):
    """Say whether two numbers differ in sign: a contextual bandit, reward 1 for the right answer and 0 for the other.

    Action 1 is right where the signs differ, action 0 where they are the same. A sum of functions of each number alone
    is right in three of the four quadrants at best (Minsky & Papert 1969, Perceptrons), which earns 0.75 a question.

    Args:
        length: questions of an episode, at least 1.
        render_mode: there is nothing to be seen; ``None``.

    Raises:
        ConfigError: an episode without questions.
    """

    observation_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
    action_space: spaces.Discrete = spaces.Discrete(2)

    def __init__(self, length: int = 10, render_mode: str | None = None) -> None:
        require(length >= 1, "env.kwargs.length", length, "at least 1 question")
        self.length, self.render_mode = length, render_mode
        self._left, self._right = length, 0

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> tuple[Shown, Info]:
        super().reset(seed=seed)
        self._left = self.length
        return self._ask(), {}

    def step(self, action: np.int64) -> tuple[Shown, float, bool, bool, Info]:
        reward = float(action == self._right)
        self._left -= 1
        return self._ask(), reward, self._left == 0, False, {}

    def _ask(self) -> Shown:
        positive = self.np_random.integers(2, size=2)
        self._right = int(positive[0] != positive[1])
        return ((2 * positive - 1) * self.np_random.uniform(0.3, 1.0, size=2)).astype(np.float32)


class TMaze(gymnasium.Env[Shown, np.int64]):
    """Remember on which side a cue was, and turn to that side at the end of a corridor.

    The observation is the cue, −1 or 1 in the first step and 0 afterwards, and the place, −1 in the corridor and 1 at
    its end. There the action counts: 0 turns to the side of −1, 1 to that of 1, and the reward is 1 for the side of the
    cue and −1 for the other (after Bakker 2002, NeurIPS, "Reinforcement learning with long short-term memory", without
    actions in the corridor). Without memory the return is 0 on average.

    Args:
        length: steps from the cue to the turn, at least 1.
        render_mode: there is nothing to be seen; ``None``.

    Raises:
        ConfigError: no corridor.
    """

    observation_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
    action_space: spaces.Discrete = spaces.Discrete(2)

    def __init__(self, length: int = 5, render_mode: str | None = None) -> None:
        require(length >= 1, "env.kwargs.length", length, "at least 1 step")
        self.length, self.render_mode = length, render_mode
        self._place, self._cue = 0, 1

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> tuple[Shown, Info]:
        super().reset(seed=seed)
        self._place, self._cue = 0, 2 * int(self.np_random.integers(2)) - 1
        return self._show(), {}

    def step(self, action: np.int64) -> tuple[Shown, float, bool, bool, Info]:
        if self._place < self.length:
            self._place += 1
            return self._show(), 0.0, False, False, {}
        return self._show(), 1.0 if 2 * int(action) - 1 == self._cue else -1.0, True, False, {}

    def _show(self) -> Shown:
        cue = self._cue if self._place == 0 else 0
        return np.array([cue, 1 if self._place == self.length else -1], dtype=np.float32)


def cart_pole_partial(render_mode: str | None = None) -> Env:
    """CartPole of which only the cart's position and the pole's angle are seen, and no velocity.

    Velocities follow from what was seen before, so that a policy needs memory (Wieland 1991, IJCNN).

    Args:
        render_mode: as CartPole's.
    """
    whole: Env = CartPoleEnv(render_mode=render_mode)
    space = whole.observation_space
    assert isinstance(space, spaces.Box)
    seen = spaces.Box(space.low[::2], space.high[::2], dtype=np.float32)
    return TransformObservation(whole, lambda observation: observation[::2], seen)


_TASKS = {"XOR": ("XOR", None), "TMaze": ("TMaze", None), "CartPolePartial": ("cart_pole_partial", 500)}
for _name, (_maker, _limit) in _TASKS.items():
    if f"snnrl/{_name}-v0" not in gymnasium.registry:
        gymnasium.register(f"snnrl/{_name}-v0", f"snnrl.envs.small_tasks:{_maker}", max_episode_steps=_limit)
