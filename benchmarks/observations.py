"""What observations in other units, or beside noise, cost the default agent: CartPole, best actions, 100 episodes.

    python benchmarks/observations.py noise --seeds 100 101

``noise`` adds ten numbers that say nothing (normal, mean 0, deviation 1), ``times`` multiplies all by 100,
``shift`` adds 5 to all, ``plain`` leaves them as they are.
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

import snnrl

DIMS = 10
LINES = {"plain": (1.0, 0.0), "times": (100.0, 0.0), "shift": (1.0, 5.0)}

Vector = NDArray[np.float32]


class Noise(gym.ObservationWrapper[Vector, int, Vector]):
    """Adds :data:`DIMS` numbers that are drawn anew at every step."""

    def __init__(self, env: gym.Env[Vector, int]) -> None:
        super().__init__(env)
        space, far = env.observation_space, np.full(DIMS, np.inf, np.float32)
        assert isinstance(space, Box)
        self.observation_space = Box(np.append(space.low, -far), np.append(space.high, far), dtype=np.float32)

    def observation(self, observation: Vector) -> Vector:
        return np.append(observation, self.np_random.standard_normal(DIMS)).astype(np.float32)


class Linear(gym.ObservationWrapper[Vector, int, Vector]):
    """Observations, and the bounds of their space, times ``times`` plus ``plus``."""

    def __init__(self, env: gym.Env[Vector, int], times: float, plus: float) -> None:
        super().__init__(env)
        space = env.observation_space
        assert isinstance(space, Box)
        low, high = (bound.astype(np.float64) * times + plus for bound in (space.low, space.high))
        self.times, self.plus = times, plus
        self.observation_space = Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)

    def observation(self, observation: Vector) -> Vector:
        return (observation * self.times + self.plus).astype(np.float32)


def made(what: str) -> gym.Env[Vector, int]:
    """CartPole with what is done to its observations."""
    env: gym.Env[Vector, int] = gym.make("CartPole-v1")
    return Noise(env) if what == "noise" else Linear(env, *LINES[what])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["noise", *LINES])
    parser.add_argument("--seeds", type=int, nargs="+", default=[100])
    parser.add_argument("--env-steps", type=int, default=60_000)
    told = parser.parse_args()
    for seed in told.seeds:
        run = snnrl.train(
            lambda: made(told.what),
            env_steps=told.env_steps,
            num_envs=16,
            seed=seed,
            eval={"episodes": 100},
            progress="none",
        )
        assert run.evaluation is not None
        returns = np.asarray(run.evaluation.returns)
        print(f"{told.what} seed {seed}: mean {returns.mean():.1f}, worst {returns.min():.1f}", flush=True)


if __name__ == "__main__":
    main()
