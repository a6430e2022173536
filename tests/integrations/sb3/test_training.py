"""stable-baselines3's algorithms by our trainer: the same commands, files and exact resume as any run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

import snnrl
from snnrl.controls import main as controls
from snnrl.evaluate import main as evaluate
from snnrl.export import main as export
from snnrl.integrations.sb3.sb3_task import _Listener
from snnrl.recipes import compose_run
from snnrl.train import main as train
from snnrl.training.callbacks import NO_CALLBACK
from snnrl.training.checkpoints import load_checkpoint

QUIET = ["logger=none", "progress=none", "eval.episodes=2", "num_envs=2"]
RUNS: dict[str, list[str]] = {
    "ppo": [
        *("env=CartPole", "agent=ppo", "env_steps=512", "agent.n_steps=32", "agent.batch_size=32"),
        *("agent.normalise_observation=true", "agent.normalise_reward=true"),
    ],
    "ppo_ann": ["env=CartPole", "agent=ppo_ann", "env_steps=512", "agent.n_steps=32", "agent.batch_size=32"],
    "a2c": ["env=CartPole", "agent=a2c", "env_steps=400"],
    "dqn": [
        *("env=CartPole", "agent=dqn", "env_steps=600", "agent.target_update_interval=50"),
        *("agent.buffer_size=200", "agent.exploration_fraction=0.5", "agent.n_steps=3"),
    ],
    "sac": [
        *("env=Pendulum", "agent=sac", "env_steps=900", "agent.batch_size=16", "agent.net_arch=[16,16]"),
        *("agent.train_freq=8", "checkpoint.every=420", "agent.norm=batch", "agent.recalibrate_every=200"),
    ],
    "td3": [
        *("env=Pendulum", "agent=td3", "env_steps=900", "agent.batch_size=16", "agent.net_arch=[16,16]"),
        *("agent.train_freq=8", "checkpoint.every=420", "agent.proxy_target=true"),
    ],
}


def weights(folder: Path) -> dict[str, Any]:
    return load_checkpoint(max(folder.glob("checkpoints/step_*")))


def same(first: Any, second: Any, where: str = "") -> None:
    """Equal bit for bit, tensors and containers alike."""
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second), where
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), where
        for key in first:
            same(first[key], second[key], f"{where}.{key}")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), where
        for number, (one, other) in enumerate(zip(first, second, strict=True)):
            same(one, other, f"{where}[{number}]")
    else:
        assert first == second, where


@pytest.fixture(scope="module", params=list(RUNS))
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / str(request.param)
    words = ["checkpoint.every=120", *RUNS[request.param], *QUIET, "seed=3", "eval.every=200", "eval.during=1"]
    assert train([*words, f"run_dir={folder}"]) == 0
    return folder


def test_what_a_run_leaves_behind(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert any("rollout/return_mean" in row for row in rows)
    assert any("train/loss" in row or "train/critic_loss" in row or "train/value_loss" in row for row in rows)
    summary = json.loads((run / "summary.json").read_text())
    assert summary["eval/episodes"] == 2
    assert summary["env_steps"] >= 240
    assert evaluate([f"run={run}", "episodes=2"]) == 0


def test_what_is_loaded_plays_as_the_run_did_and_is_stable_baselines3s_own(run: Path) -> None:
    agent = snnrl.load(run)
    space = agent.model.observation_space
    observation = np.stack([space.sample() * 0.1 for _ in range(5)])
    action, state = agent.predict(observation, deterministic=True)
    assert len(action) == 5
    assert state is None
    again, _ = snnrl.load(run).predict(observation, deterministic=True)
    assert np.array_equal(action, again)
    one, _ = agent.predict(observation[0], deterministic=True)
    assert np.allclose(one, action[0], rtol=1e-5, atol=1e-5), "a batch sums in another order"
    name = "CartPole-v1" if "CartPole" in (run / "config.yaml").read_text() else "Pendulum-v1"
    mean, _ = evaluate_policy(agent.model, make_vec_env(name, 2), 2)
    assert np.isfinite(mean)


def test_a_killed_run_that_goes_on_ends_as_the_one_that_never_was(run: Path, tmp_path: Path) -> None:
    """The state of a kill is that of the last whole checkpoint, with more rows in the log than it knows of."""
    killed = tmp_path / "killed"
    shutil.copytree(run, killed)
    _, *later = sorted(killed.glob("checkpoints/step_*"))
    assert later
    for path in later:
        path.unlink()
    (killed / "summary.json").unlink()
    assert train([f"resume={killed}"]) == 0
    whole, resumed = weights(run), weights(killed)
    for saved in (whole, resumed):
        for key in ("train_seconds", "wall_seconds", "metrics_position"):
            saved.pop(key)
    same(whole, resumed)
    timeless = [
        [
            {key: value for key, value in json.loads(line).items() if not key.startswith("time/")}
            for line in (folder / "metrics.jsonl").read_text().splitlines()
        ]
        for folder in (run, killed)
    ]
    assert timeless[0] == timeless[1]


def test_a_small_copy_plays(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export([f"run={run}", f"out={tmp_path / 'copy'}"]) == 0
    assert evaluate([f"run={tmp_path / 'copy'}", "episodes=2"]) == 0
    assert train([f"resume={tmp_path / 'copy'}", "env_steps=2000"]) == 2
    assert "holds weights alone" in capsys.readouterr().err


def test_evaluations_on_the_way_change_nothing(tmp_path: Path) -> None:
    found = []
    for every in (0, 100):
        folder = tmp_path / str(every)
        words = [*RUNS["dqn"], *QUIET, f"eval.every={every}", "eval.during=1", f"run_dir={folder}"]
        assert train(words) == 0
        found.append(weights(folder)["agent"])
    same(*found)


def test_controls_of_what_has_no_plasticity_are_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert controls([f"run={run}"]) == 2
    assert "such as rstdp" in capsys.readouterr().err


@pytest.mark.parametrize("recipe", ["ppo", "dqn", "a2c", "sac", "td3"])
def test_the_ann_baseline_differs_in_the_network_alone(recipe: str) -> None:
    env = "Pendulum" if recipe in ("sac", "td3") else "CartPole"
    spiking, baseline = (compose_run([f"env={env}", f"agent={name}"]) for name in (recipe, f"{recipe}_ann"))
    assert (spiking["agent"].pop("network"), baseline["agent"].pop("network")) == ("spiking", "ann")
    assert spiking == baseline


@pytest.mark.parametrize(
    "experiment",
    [
        *("ppo_cartpole", "dqn_cartpole", "dqn_cartpole_zoo", "a2c_cartpole", "ppo_acrobot", "ppo_lunarlander"),
        *("sac_pendulum", "td3_pendulum"),
    ],
)
def test_an_experiment_can_be_made_and_its_ann_baseline_has_its_shapes(experiment: str) -> None:
    from snnrl.integrations.sb3.building import agent_class, read_config

    algorithm = experiment.partition("_")[0]
    spiking, baseline = (
        read_config(compose_run([f"experiment={experiment}", *words])["agent"]) for words in ([], BASELINE)
    )
    assert spiking.network == "spiking"
    assert baseline.network == "ann"
    assert algorithm in {each.__name__.lower() for each in agent_class({"name": algorithm}).ALGORITHM.__mro__}
    assert spiking.policy_kwargs()["net_arch"] == baseline.policy_kwargs()["net_arch"]


BASELINE = ["agent.network=ann"]


def test_an_untrained_agent_by_name() -> None:
    agent = snnrl.make_agent("CartPole", agent="ppo", sim_steps=2)
    action, _ = agent.predict(np.zeros((3, 4), np.float32), deterministic=True)
    assert action.shape == (3,)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["env=CartPole", "agent=ppo", "agent.sim_steps=0"], "agent.sim_steps=0: must be an integer of at least 1"),
        (["env=CartPole", "agent=ppo", "agent.neuron=lifs"], "agent.neuron=lifs: did you mean lif"),
        (["env=CartPole", "agent=ppo", "agent.network=foo"], "agent.network=foo: must be spiking or ann"),
        (["env=CartPole", "agent=ppo", "agent.net_arch=[0]"], "agent.net_arch=[0]: must be a list of sizes"),
        (["env=CartPole", "agent=ppo", "agent.activation=relus"], "agent.activation=relus: must be one of tanh"),
        (["env=CartPole", "agent=ppo", "agent.batch_size=0"], "agent.batch_size=0: must be an integer"),
        (["env=CartPole", "agent=ppo", "agent.gamma=2.0"], "agent.gamma=2.0: must be in [0, 1]"),
        (["env=CartPole", "agent=ppo", "agent.action_cells=3"], "action_cells=3: must be 0"),
        (["env=CartPole", "agent=sac"], "cannot take the actions"),
        (["env=Pendulum", "agent=dqn"], "cannot take the actions"),
        (["env=CartPole", "agent.name=ppoo"], "agent.name=ppoo: there is no such agent; did you mean ppo"),
    ],
)
def test_what_is_wrong_is_said_before_a_folder_is_made(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train([*words, f"run_dir={tmp_path / 'run'}"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("own", [3, None, {"name": "first"}])
def test_what_an_environment_itself_calls_an_episode_is_not_taken_for_the_monitors(own: Any) -> None:
    noted: list[tuple[float, int]] = []
    listener = _Listener(SimpleNamespace(note=lambda *episode: noted.append(episode), callback=NO_CALLBACK))  # type: ignore[arg-type]
    listener.locals = {"infos": [{"episode": own}, {"episode": {"r": 2.0, "l": 5, "t": 0.1}}, {}]}
    assert listener._on_step()
    assert noted == [(2.0, 5)]
