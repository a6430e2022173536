"""Train in an environment of your own: any Gymnasium environment that is made of numbers."""

import os

import gymnasium as gym
import numpy as np

import snnrl


class Track(gym.Env):
    """Keep a point that drifts to the right near the middle; 50 steps."""

    observation_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.steps = self.np_random.uniform(-0.5, 0.5), 0
        return np.array([self.place], np.float32), {}

    def step(self, action):
        self.place = float(np.clip(self.place + 0.02 + (0.1 if action else -0.1), -1, 1))
        self.steps += 1
        return np.array([self.place], np.float32), 1 - abs(self.place), False, self.steps == 50, {}


steps = 400 if "SNNRL_SHORT" in os.environ else 10_000
run = snnrl.train(Track, env_steps=steps, num_envs=4, eval={"episodes": 4}, progress="none")
print(run.evaluation)
