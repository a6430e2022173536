from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from omegaconf import OmegaConf
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor

import snnrl
from snnrl.agents import Agent
from snnrl.config import RunConfig
from snnrl.errors import ConfigError
from snnrl.errors import __file__ as errors_file
from snnrl.loading import read_config
from snnrl.recipes import compose_run
from snnrl.training.rl_task import RLTask
from snnrl.training.trainer import Trainer

ROOT = Path(errors_file).parents[1]


class Trained:
    """A short run: its folder, and the agent as the trainer leaves it."""

    def __init__(self, run_dir: Path) -> None:
        words = ["env=CartPole", "env_steps=600", "num_envs=4", "seed=1", "logger=none", "progress=none"]
        settings = compose_run([*words, "eval.every=200", "eval.during=2", "eval.episodes=1"])
        run = Trainer(RLTask(RunConfig.from_mapping(settings)), run_dir).train()
        OmegaConf.save(OmegaConf.create(settings), run_dir / "config.yaml")
        self.run_dir, self.agent = run_dir, run.agent


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained") / "run")


@pytest.fixture(scope="module")
def agent(trained: Trained) -> Agent[Any]:
    return snnrl.load(trained.run_dir)


def walk(agent: Agent[Any], deterministic: bool) -> list[list[int]]:
    """Actions over a few batches of observations, state and an episode's start in the middle included."""
    generator = np.random.default_rng(0)
    state, actions = None, []
    for time in range(20):
        begins = np.array([time == 0, time % 7 == 0, False])
        observation = generator.normal(0.0, 0.1, (3, 4)).astype(np.float32)
        action, state = agent.predict(observation, state, begins, deterministic)
        actions.append(action.tolist())
    return actions


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_loaded_agent_predicts_what_the_trainers_own_does(trained: Trained, deterministic: bool) -> None:
    trained.agent.generator.set_state(snnrl.load(trained.run_dir).generator.get_state())
    expected = walk(trained.agent, deterministic)
    assert walk(snnrl.load(trained.run_dir), deterministic) == expected
    assert deterministic or {action for row in expected for action in row} == {0, 1}


def test_loading_brings_back_every_tensor_and_leaves_the_agent_in_evaluation(trained: Trained) -> None:
    loaded = snnrl.load(str(trained.run_dir))
    assert not loaded.training
    expected = trained.agent.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in loaded.state_dict().items())
    untrained = snnrl.make_agent("CartPole", seed=1).state_dict()
    assert not torch.equal(
        untrained["network.connections.input to actor.weight"], expected["network.connections.input to actor.weight"]
    )


def test_another_checkpoint_can_be_loaded(trained: Trained) -> None:
    last, best = snnrl.load(trained.run_dir), snnrl.load(trained.run_dir, "best")
    name = "network.connections.input to actor.weight"
    assert not torch.equal(last.state_dict()[name], best.state_dict()[name])
    path = trained.run_dir / "checkpoints" / "best.pt"
    assert torch.equal(snnrl.load(trained.run_dir, str(path)).state_dict()[name], best.state_dict()[name])
    with pytest.raises(ConfigError, match=r"checkpoint \S*nothing\.pt does not exist"):
        snnrl.load(trained.run_dir, str(trained.run_dir / "checkpoints" / "nothing.pt"))


def test_settings_of_a_run_are_read_as_they_were(trained: Trained) -> None:
    read = read_config(trained.run_dir)
    assert (read.seed, read.env.id, read.env_steps, read.agent["name"]) == (1, "CartPole-v1", 600, "rstdp")
    with pytest.raises(ConfigError, match="must be the folder of a run"):
        read_config(trained.run_dir / "checkpoints")


def test_stable_baselines3_evaluates_an_agent_in_its_vector_of_environments(agent: Agent[Any]) -> None:
    envs = make_vec_env("CartPole-v1", n_envs=2, seed=0)
    returns, lengths = evaluate_policy(agent, envs, n_eval_episodes=4, return_episode_rewards=True)  # type: ignore[arg-type]
    envs.close()
    assert len(returns) == 4
    assert returns == lengths
    assert all(8 <= result <= 500 for result in returns)


@pytest.mark.parametrize("deterministic", [True, False])
def test_stable_baselines3_evaluates_an_agent_in_one_monitored_environment(
    agent: Agent[Any], deterministic: bool
) -> None:
    env = Monitor(gymnasium.make("CartPole-v1"))
    mean, std = evaluate_policy(agent, env, n_eval_episodes=3, deterministic=deterministic)  # type: ignore[arg-type]
    env.close()
    assert 8 <= mean <= 500
    assert std >= 0


@pytest.mark.parametrize("name", ["CartPole", "FrozenLake", "Pendulum", "Pong", "MountainCar-v0", "ALE/Breakout-v5"])
def test_a_plain_gymnasium_loop_runs(name: str) -> None:
    env, agent = snnrl.make_env(name), snnrl.make_agent(name, seed=2)
    observation, _ = env.reset(seed=0)
    assert env.observation_space == agent.observation_space
    state = None
    for _ in range(5):
        action, state = agent.predict(observation, state)
        assert env.action_space.contains(action)
        observation, _reward, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            observation, _ = env.reset()
            state = None
    env.close()


def test_vectors_of_environments_are_those_of_training() -> None:
    envs = snnrl.make_envs("CartPole", 3)
    assert envs.num_envs == 3
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    observation, _ = envs.reset(seed=[1, 2, 3])
    alone, _ = snnrl.make_env("CartPole").reset(seed=2)
    assert np.array_equal(observation[1], alone)
    action, _ = snnrl.make_agent("CartPole").predict(observation)
    assert envs.step(action)[0].shape == (3, 4)
    envs.close()
    games = snnrl.make_envs("Pong", 2)
    assert games.single_observation_space.shape == (1, 210, 160)
    games.close()


def test_an_environment_can_be_rendered() -> None:
    env = snnrl.make_env("CartPole", render_mode="rgb_array")
    env.reset(seed=0)
    picture: Any = env.render()
    env.close()
    assert picture.shape == (400, 600, 3)


def test_the_recipe_of_an_environment_names_the_agent_and_an_argument_another() -> None:
    assert type(snnrl.make_agent("CartPole")).__name__ == "RSTDP"
    assert type(snnrl.make_agent("CartPole", "random")).__name__ == "Random"
    frames = snnrl.make_agent("Pong").state_dict()["network.connections.input to actor.weight"]
    assert frames.shape[1] > 1000


@pytest.mark.parametrize("seed", [0, 3])
def test_an_untrained_agent_is_a_function_of_its_seed(seed: int) -> None:
    one, same, other = (snnrl.make_agent("CartPole", seed=number) for number in (seed, seed, seed + 1))
    assert walk(one, False) == walk(same, False)
    assert not torch.equal(
        one.state_dict()["network.connections.input to actor.weight"],
        other.state_dict()["network.connections.input to actor.weight"],
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: snnrl.make_env("CartPoel"), "did you mean CartPole"),
        (lambda: snnrl.make_envs("CartPole", 0), "num_envs=0"),
        (lambda: snnrl.make_agent("CartPole", "rstp"), "did you mean rstdp"),
        (lambda: snnrl.make_agent("CartPole", gama=0.9), "did you mean gamma"),
        (lambda: snnrl.load("nowhere"), "path=nowhere: .* must be the folder of a run"),
    ],
)
def test_what_is_not_there_is_a_config_error(call: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()


def test_the_package_offers_what_it_names_and_nothing_else() -> None:
    assert all(callable(getattr(snnrl, name)) for name in snnrl.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'loads'"):
        _ = snnrl.loads  # type: ignore[attr-defined]


def test_importing_the_package_imports_no_torch() -> None:
    script = "import sys, snnrl, snnrl.train, snnrl.evaluate\nprint('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
