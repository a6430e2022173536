"""Training from Python is training by the command: the same weights, and no file unless one is asked for."""

from __future__ import annotations

import inspect
import signal
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import snnrl
from snnrl.errors import ConfigError
from snnrl.train import main
from snnrl.training.checkpoints import CheckpointStore
from snnrl.training.evaluation import Evaluation

QUIET: dict[str, Any] = {"progress": "none", "logger": "none", "num_envs": 4}
SHORT: dict[str, Any] = {**QUIET, "eval": {"episodes": 1, "every": 200, "during": 1}}
ALONE: dict[str, Any] = {**QUIET, "num_envs": 8, "eval": {"episodes": 1, "every": 0}, "checkpoint": {"every": 0}}
FEW: dict[str, Any] = {"agent.n_steps": 16, "agent.batch_size": 16, "agent.net_arch": [8]}
AGENTS: dict[str, dict[str, Any]] = {"rstdp": {"agent.sim_steps": 4}, "ppo_ann": FEW}


def words(settings: dict[str, Any], prefix: str = "") -> list[str]:
    """Settings as they are typed."""
    typed = []
    for key, value in settings.items():
        typed += words(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}={value}"]
    return typed


def trained(run_dir: Path) -> dict[str, torch.Tensor]:
    """The weights that a run's folder ends with."""
    saved = CheckpointStore(run_dir / "checkpoints").load()
    return dict(saved["agent"])


def assert_same(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]) if isinstance(value, torch.Tensor) else True, name


@pytest.mark.parametrize("agent", AGENTS)
def test_the_same_seed_gives_the_same_weights_by_command_and_from_python(agent: str, tmp_path: Path) -> None:
    settings = {"env_steps": 512, "seed": 5, **SHORT, **AGENTS[agent]}
    assert main(["env=CartPole", f"agent={agent}", *words(settings), f"run_dir={tmp_path / 'command'}"]) == 0
    run = snnrl.train("CartPole", agent=agent, **settings)
    assert_same(trained(tmp_path / "command"), run.agent.state_dict())


def test_a_run_with_a_folder_leaves_what_the_command_leaves(tmp_path: Path) -> None:
    settings = {"env_steps": 64, "seed": 5, **SHORT}
    assert main(["env=CartPole", *words(settings), f"run_dir={tmp_path / 'command'}"]) == 0
    run = snnrl.train("CartPole", run_dir=tmp_path / "python", **settings)
    assert run.run_dir == tmp_path / "python"
    left = [sorted(str(path.relative_to(tmp_path / name)) for path in (tmp_path / name).rglob("*")) for name in LEFT]
    assert left[0] == left[1]
    with pytest.raises(ConfigError, match="exists already and is never overwritten"):
        snnrl.train("CartPole", run_dir=tmp_path / "python", **settings)


LEFT = ("command", "python")


def test_nothing_is_written_unless_a_folder_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = snnrl.train("CartPole", env_steps=400, **{**ALONE, "eval": {"episodes": 2, "every": 200}})
    run.agent.learn(64)
    assert list(tmp_path.iterdir()) == []
    assert isinstance(run.evaluation, Evaluation)
    assert len(run.evaluation.returns) == 2
    assert run.summary is not None
    assert run.summary["eval/return_mean"] == run.evaluation.returns.mean()
    assert run.run_dir is None
    assert run.steps == run.summary["env_steps"] >= 400
    assert any("rollout/return_mean" in row for row in run.history)
    assert [row["step"] for row in run.history] == sorted(row["step"] for row in run.history)


@pytest.mark.parametrize("agent", AGENTS)
def test_learning_once_is_training_without_checkpoints(agent: str) -> None:
    settings = {**ALONE, "env_steps": 512, "seed": 2}
    run = snnrl.train("CartPole", agent=agent, **settings, **AGENTS[agent])
    own = {key.removeprefix("agent."): value for key, value in AGENTS[agent].items()}
    learnt = snnrl.make_agent("CartPole", agent, seed=2, **own).learn(512)
    assert_same(run.agent.state_dict(), learnt.state_dict())
    assert learnt.num_timesteps == run.steps


@pytest.mark.parametrize("agent", AGENTS)
def test_learning_on_is_a_run_that_is_resumed_with_more_steps(agent: str, tmp_path: Path) -> None:
    settings = {**ALONE, "env_steps": 256, "seed": 2, **AGENTS[agent]}
    run = snnrl.train("CartPole", agent=agent, run_dir=tmp_path / "run", **settings)
    longer = snnrl.train(resume=tmp_path / "run", env_steps=run.steps + 256)
    own = {key.removeprefix("agent."): value for key, value in AGENTS[agent].items()}
    learnt = snnrl.make_agent("CartPole", agent, seed=2, **own).learn(256).learn(256, reset_num_timesteps=False)
    assert longer.steps == learnt.num_timesteps
    assert_same(longer.agent.state_dict(), learnt.state_dict())


@pytest.mark.parametrize("agent", AGENTS)
def test_learning_again_keeps_what_was_learned_and_plays_no_episode_twice(agent: str) -> None:
    own = {key.removeprefix("agent."): value for key, value in AGENTS[agent].items()}
    once, twice = (snnrl.make_agent("CartPole", agent, **own).learn(256) for _ in range(2))
    twice.learn(256)
    assert twice.num_timesteps < 300
    assert twice.epoch == 2 * once.epoch
    changed = [not torch.equal(old, new) for old, new in zip(once.parameters(), twice.parameters(), strict=True)]
    assert any(changed)


def test_an_agent_learns_on_in_a_run() -> None:
    agent = snnrl.make_agent("CartPole", sim_steps=4).learn(64)
    before = [weights.clone() for weights in agent.parameters()]
    run = snnrl.train("CartPole", agent=agent, env_steps=64, **SHORT)
    assert run.agent is agent
    assert not all(torch.equal(old, new) for old, new in zip(before, agent.parameters(), strict=True))
    with pytest.raises(ConfigError, match=r"env=Pendulum-v1: must be one with the agent's .*4"):
        snnrl.train("Pendulum", agent=agent, env_steps=64, **SHORT)


def test_a_trainer_works_in_three_lines() -> None:
    task = snnrl.make_task("CartPole", env_steps=64, seed=1, **SHORT)
    run = snnrl.Trainer(task).train()
    assert run.agent is task.model
    assert run.steps == 64


def test_ctrl_c_ends_training_in_order_and_then_the_program(tmp_path: Path) -> None:
    def interrupt(variables: dict[str, Any], _: dict[str, Any]) -> None:
        if variables["self"].num_timesteps >= 32:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        snnrl.train("CartPole", env_steps=400, callback=interrupt, run_dir=tmp_path / "run", **SHORT)
    resumed = snnrl.train(resume=tmp_path / "run").steps
    assert 400 <= resumed < 400 + SHORT["num_envs"]  # a step that begins an episode is none of its environment
    agent = snnrl.make_agent("CartPole")
    with pytest.raises(KeyboardInterrupt):
        agent.learn(400, interrupt)
    assert agent.num_timesteps == 32


def test_an_agent_is_evaluated_where_it_learned_or_where_it_is_told() -> None:
    agent = snnrl.make_agent("CartPole")
    found = snnrl.evaluate(agent, episodes=3)
    assert np.array_equal(found.returns, snnrl.evaluate(agent, "CartPole", episodes=3).returns)
    assert not np.array_equal(found.lengths, snnrl.evaluate(agent, "CartPole", episodes=3, seed=1).lengths)
    with pytest.raises(ConfigError, match="episodes=0: must be an integer of at least 1"):
        snnrl.evaluate(agent, episodes=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: snnrl.train("CartPoel", env_steps=10), "did you mean CartPole"),
        (lambda: snnrl.train("CartPole", env_step=10), "did you mean env_steps"),
        (lambda: snnrl.train("CartPole", agent="rstp"), "did you mean rstdp"),
        (lambda: snnrl.train("CartPole", eval={"evry": 3}), r"eval\.evry=3: there is no such setting"),
        (lambda: snnrl.train("CartPole", callback=3), "callback=3: must be a function"),
        (lambda: snnrl.train("CartPole", resume="runs"), "env=CartPole: must be left out when a run is resumed"),
        (lambda: snnrl.train(resume="nowhere"), "resume=nowhere: there is no such folder"),
        (lambda: snnrl.train(3), "env=3: must be a recipe, a registered id, a gymnasium.Env"),  # type: ignore[arg-type]
        (lambda: snnrl.make_agent("CartPole").learn(0), "total_timesteps=0: must be an integer of at least 1"),
        (lambda: snnrl.make_agent("CartPole").learn(9, log_interval=0), "log_interval=0: must be an integer"),
        (lambda: snnrl.make_agent("CartPole").set_env("Pendulum"), "env=Pendulum-v1: must be one with the agent's"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(call: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_an_agent_made_by_its_class_alone_says_what_it_lacks() -> None:
    bare = snnrl.make_agent("CartPole")
    bare.origin = None
    for call in (lambda: bare.learn(10), lambda: bare.save("x"), lambda: snnrl.evaluate(bare)):
        with pytest.raises(ConfigError, match="made without an environment"):
            call()


def test_help_shows_the_functions_although_the_commands_have_their_names() -> None:
    for name in ("train", "evaluate"):
        command = import_module(f"snnrl.{name}")
        function = getattr(snnrl, name)
        assert inspect.isfunction(function)
        assert "env" in inspect.signature(function).parameters
        assert "ConfigError" in str(function.__doc__)
        assert function.main is command.main


def test_what_is_returned_is_printed_in_short() -> None:
    run = snnrl.train("CartPole", agent={"gamma": 0.9}, env_steps=64, eval={"episodes": 2, "every": 0}, progress="none")
    lines = repr(run).splitlines()
    assert lines[0].startswith("Run(RSTDP(env=CartPole-v1, num_timesteps=64")
    assert "gamma=0.9" in lines[0]
    assert lines[1].strip().startswith("steps=64, return ")
    assert lines[1].endswith("over 2 episodes,")
    assert lines[2].strip() == "run_dir=None)"
    assert repr(run.evaluation).startswith("Evaluation(return ")
    assert max(map(len, lines)) < 400
