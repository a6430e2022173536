"""An Atari policy sees the same while it learns and while it plays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import snnrl
from snnrl.envs import EnvConfig
from snnrl.integrations.sb3.environments import SIDE, Screen, make_vec_env, shrink
from snnrl.train import main as train

BREAKOUT = EnvConfig("ALE/Breakout-v5")


def test_a_screen_shrinks_to_means_of_its_pixels() -> None:
    frames = np.full((2, 1, 210, 160), 40, np.uint8)
    frames[1, :, :, 80:] = 200
    small = shrink(frames)
    assert small.shape == (2, 1, SIDE, SIDE)
    assert (small[0] == 40).all()
    assert set(np.unique(small[1])) == {40, 200}
    assert (small[1, 0, :, SIDE // 2 :] == 200).all()


def test_frames_are_stacked_alike_in_training_and_in_play() -> None:
    envs = make_vec_env(BREAKOUT, 2, frames=4)
    envs.seed(5)
    learner = envs.reset()
    screen, stack = Screen(4), None
    begins = np.ones(2, bool)
    rng = np.random.default_rng(0)
    stack = screen.add(np.zeros((2, 1, 210, 160), np.uint8), stack, begins)
    assert stack.shape == learner.shape == (2, 4, SIDE, SIDE)
    for value in (10, 20, 30, 40, 50):
        stack = screen.add(np.full((2, 1, 210, 160), value, np.uint8), stack, np.zeros(2, bool))
    assert [int(stack[0, frame].max()) for frame in range(4)] == [20, 30, 40, 50]
    stack = screen.add(np.full((2, 1, 210, 160), 60, np.uint8), stack, np.array([True, False]))
    assert [int(stack[0, frame].max()) for frame in range(4)] == [0, 0, 0, 60]
    assert [int(stack[1, frame].max()) for frame in range(4)] == [30, 40, 50, 60]
    done = np.zeros(2, bool)
    while not done.any():
        learner, reward, done, infos = envs.step(rng.integers(0, 4, 2))
        assert set(np.unique(reward)) <= {-1.0, 0.0, 1.0}
    (ended,) = np.flatnonzero(done)[:1]
    assert "episode" not in infos[ended]
    assert infos[ended]["lives"] == 4
    assert (learner[ended, :3] == 0).all()
    assert learner[ended, 3].any()
    envs.close()


def test_ppo_on_atari_trains_and_plays(tmp_path: Path) -> None:
    words = ["experiment=ppo_atari", "env=Breakout", "env_steps=64", "num_envs=2", "agent.n_steps=16"]
    words += ["agent.batch_size=16", "agent.n_epochs=1", "agent.sim_steps=2", "env.max_episode_steps=40"]
    quiet = ["logger=none", "progress=none", "eval.episodes=2", "eval.every=0", f"run_dir={tmp_path / 'run'}"]
    assert train([*words, *quiet]) == 0
    agent = snnrl.load(tmp_path / "run")
    frames = np.zeros((3, 1, 210, 160), np.uint8)
    action, state = agent.predict(frames, None, np.ones(3, bool), True)
    assert action.shape == (3,)
    assert state.shape == (3, 4, SIDE, SIDE)
