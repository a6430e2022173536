"""What is said of what a user names or gives: words that stand alone, and environments that only a program can make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.wrappers import FlattenObservation, TimeLimit
from stable_baselines3.common.vec_env import DummyVecEnv

import snnrl
from snnrl.envs import is_registered, name_of
from snnrl.errors import ConfigError
from snnrl.evaluate import main as evaluate
from snnrl.train import main as train

QUIET: dict[str, Any] = {"env_steps": 32, "num_envs": 1, "eval": {"episodes": 1, "every": 0}, "progress": "none"}


class Own(gymnasium.Env[Any, Any]):
    observation_space = spaces.Box(-1, 1, (3,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        return np.zeros(3, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.ones(3, np.float32), 1.0, True, False, {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "run"
    snnrl.train(Own(), run_dir=path, logger="none", **QUIET)
    return path


def test_every_way_to_a_run_asks_for_its_environment_with_the_line_to_write(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "its environment Own was given by a program"
    loading = f'must be given again in Python: agent = snnrl.load("{folder}", env=env)'
    resuming = f'must be given again in Python: snnrl.train(env, resume="{folder}")'
    with pytest.raises(ConfigError, match=said) as caught:
        snnrl.load(folder)
    assert loading in str(caught.value)
    with pytest.raises(ConfigError, match=said) as caught:
        snnrl.train(resume=folder, env_steps=64)
    assert resuming in str(caught.value)
    assert evaluate([f"run={folder}"]) == 2
    assert loading in capsys.readouterr().err
    assert train([f"resume={folder}", "env_steps=64"]) == 2
    assert resuming in capsys.readouterr().err


def test_the_lines_that_are_named_work(folder: Path) -> None:
    agent = snnrl.load(folder, env=Own())
    assert snnrl.evaluate(agent, episodes=2).returns.tolist() == [1.0, 1.0]
    assert snnrl.train(Own(), resume=folder, env_steps=64).steps == 64


def test_an_agent_of_a_file_asks_for_its_environment(folder: Path, tmp_path: Path) -> None:
    snnrl.load(folder, env=Own()).save(tmp_path / "agent")
    agent = snnrl.load(tmp_path / "agent")
    with pytest.raises(ConfigError, match=r"RSTDP: its environment Own .*: snnrl\.evaluate\(agent, env\)"):
        snnrl.evaluate(agent)
    with pytest.raises(ConfigError, match=r"RSTDP: its environment Own .*: agent\.set_env\(env\)"):
        agent.learn(10)
    assert len(snnrl.evaluate(agent, Own(), episodes=1).returns) == 1


@pytest.mark.parametrize(
    ("env", "name"),
    [
        (lambda: gymnasium.make("CartPole-v1", render_mode="rgb_array"), "CartPole-v1"),
        (lambda: gymnasium.make("FrozenLake-v1", is_slippery=False), "FrozenLake-v1 with is_slippery"),
        (lambda: gymnasium.make("CartPole-v1", max_episode_steps=9), "CartPole-v1 with max_episode_steps"),
        (lambda: FlattenObservation(gymnasium.make("CartPole-v1")), "CartPole-v1 with FlattenObservation"),
        (lambda: TimeLimit(Own(), 5), "Own"),
        (lambda: gymnasium.make_vec("CartPole-v1", num_envs=2), "CartPole-v1"),
    ],
)
def test_an_environment_is_called_by_its_id_alone_where_the_id_makes_the_same(env: Any, name: str) -> None:
    made = env()
    assert name_of(made) == name
    assert is_registered(name) == (name == "CartPole-v1")
    made.close()


def test_an_agent_is_not_evaluated_in_spaces_that_it_was_not_made_for() -> None:
    agent = snnrl.make_agent("CartPole", sim_steps=4)
    for other in ("Acrobot", "Pendulum"):
        with pytest.raises(ConfigError, match=rf"env={other}-v1: must be one with the agent's Box.*; it has Box"):
            snnrl.evaluate(agent, other)


def test_bounds_may_differ_where_an_agent_is_evaluated() -> None:
    class Wider(Own):
        observation_space = spaces.Box(-2, 2, (3,), np.float64)

    assert len(snnrl.evaluate(snnrl.make_agent(Own, sim_steps=4), Wider, episodes=1).returns) == 1


def test_a_vector_of_stable_baselines3_and_eval_env_are_refused_with_what_to_pass() -> None:
    vector = DummyVecEnv([Own, Own])
    for call in (lambda: snnrl.train(vector, **QUIET), lambda: snnrl.make_agent(vector)):  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=r"env=DummyVecEnv: .*env=lambda: gym\.make\(\.\.\.\), num_envs=2"):
            call()
    with pytest.raises(ConfigError, match=r"eval_env: .*snnrl\.evaluate\(run\.agent, eval_env\)"):
        snnrl.train(Own(), eval_env=Own(), **QUIET)


def test_a_word_that_stands_alone_is_told_what_belongs_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    for word, said in (
        ("run", "must be resume=run, the folder of a run to go on with"),
        ("CartPole", "must be env=CartPole"),
        ("ppo", "must be agent=ppo"),
        ("mnist_surrogate", "must be experiment=mnist_surrogate"),
    ):
        assert train([word]) == 2
        assert capsys.readouterr().err == f"error: {word}: {said}\n"
