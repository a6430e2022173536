from __future__ import annotations

import json
import os
import shlex
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium
import pytest
import torch
from gymnasium import spaces
from omegaconf import OmegaConf

from snnrl import train
from snnrl.config import RunConfig
from snnrl.errors import __file__ as errors_file
from snnrl.recipes import compose_run
from snnrl.training.checkpoints import load_checkpoint

ROOT = Path(errors_file).parents[1]
TINY = ("num_envs=2", "eval.every=0", "eval.episodes=1", "logger=none", "progress=none")


class Toy(gymnasium.Env[Any, Any]):
    """One step an episode, in spaces that a test sets."""

    def __init__(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
        self.observation_space, self.action_space = observation_space, action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.observation_space.sample(), 1.0, True, False, {}


@contextmanager
def registered(env_id: str, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> Iterator[None]:
    gymnasium.register(env_id, lambda: Toy(observation_space, action_space))
    try:
        yield
    finally:
        del gymnasium.registry[env_id]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with evaluations on the way; not to be written to."""
    path = tmp_path_factory.mktemp("finished") / "run"
    words = ["env=CartPole", "env_steps=400", "num_envs=4", "seed=3", "agent.gamma=0.97", "progress=none"]
    assert train.main([*words, "eval.every=200", "eval.during=2", "eval.episodes=5", f"run_dir={path}"]) == 0
    return path


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The only line on stderr, with nothing on stdout."""
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    return line


def test_the_run_folder_holds_all_that_a_run_leaves(run_dir: Path) -> None:
    names = {path.name for path in run_dir.iterdir()}
    assert names == {".lock", "config.yaml", "metrics.jsonl", "checkpoints", "tensorboard", "summary.json"}
    assert {path.name.split("_")[0] for path in (run_dir / "checkpoints").iterdir()} == {"best.pt", "step"}
    assert any(path.name.startswith("events.out.tfevents") for path in (run_dir / "tensorboard").iterdir())


def test_the_written_config_is_resolved_and_reads_as_the_same_run(run_dir: Path) -> None:
    text = (run_dir / "config.yaml").read_text()
    assert "${" not in text
    mapping = OmegaConf.to_container(OmegaConf.load(run_dir / "config.yaml"))
    assert isinstance(mapping, dict)
    config = RunConfig.from_mapping({str(key): value for key, value in mapping.items()})
    assert (config.env.id, config.seed, config.env_steps, config.num_envs) == ("CartPole-v1", 3, 400, 4)
    assert config.agent["gamma"] == 0.97
    assert (config.eval_every, config.eval.during, config.eval.episodes) == (200, 2, 5)
    assert config.run_dir == run_dir


def test_the_summary_tells_the_result_and_what_it_depends_on(run_dir: Path) -> None:
    summary = json.loads((run_dir / "summary.json").read_text())
    assert {
        *("eval/return_mean", "eval/return_std", "eval/episodes", "env_steps"),
        *("wall_seconds", "env_steps_per_second", "seed", "versions"),
    } <= summary.keys()
    assert summary["eval/episodes"] == 5
    assert summary["seed"] == 3
    assert 400 <= summary["env_steps"] < 404
    assert 0 < summary["env_steps"] / summary["env_steps_per_second"] <= summary["wall_seconds"]
    assert {"python", "snnrl", "torch", "gymnasium", "numpy"} <= summary["versions"].keys()
    low, high = summary["eval/return_interval_95"]
    assert low <= summary["eval/return_mean"] <= high
    (last,) = [row for row in rows(run_dir) if "eval/return_mean" in row][-1:]
    assert last["eval/return_mean"] == summary["eval/return_mean"]
    assert last["eval/return_std"] == summary["eval/return_std"]


def rows(run_dir: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def test_metrics_go_on_from_the_first_steps_to_the_last(run_dir: Path) -> None:
    steps = [row["step"] for row in rows(run_dir)]
    assert steps == sorted(steps)
    assert steps[0] <= 8
    assert steps[-1] >= 400
    keys = {key for row in rows(run_dir) for key in row}
    assert {
        *("rollout/return_mean", "rollout/length_mean", "rollout/episodes"),
        *("eval/return_mean", "eval/return_std", "eval/length_mean"),
        *("train/td_error_rms", "train/value_mean", "time/env_steps_per_second"),
    } <= keys
    assert len([row for row in rows(run_dir) if "eval/return_mean" in row]) == 2


def test_tensorboard_shows_the_metrics_of_the_file(run_dir: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run_dir / "tensorboard"))
    events.Reload()
    shown = [(event.step, event.value) for event in events.Scalars("eval/return_mean")]
    written = [(row["step"], row["eval/return_mean"]) for row in rows(run_dir) if "eval/return_mean" in row]
    assert shown == [(step, pytest.approx(value)) for step, value in written]


def test_the_last_checkpoint_is_of_all_steps_and_has_learnt(run_dir: Path) -> None:
    (path,) = sorted((run_dir / "checkpoints").glob("step_*.pt"))[-1:]
    saved = load_checkpoint(path)
    assert saved["steps"] == json.loads((run_dir / "summary.json").read_text())["env_steps"]
    assert path.name == f"step_{saved['steps']:012d}.pt"
    best = load_checkpoint(run_dir / "checkpoints" / "best.pt")
    assert 200 <= best["steps"] < 204
    assert not torch.equal(
        saved["agent"]["network.connections.input to actor.weight"],
        best["agent"]["network.connections.input to actor.weight"],
    )


def test_the_command_says_at_its_start_how_to_go_on_and_at_its_end_what_came_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train.main(["env=CartPole", "env_steps=30", *TINY, "run_dir='a run'"]) == 0
    shown = capsys.readouterr()
    assert "CartPole-v1" in shown.err
    assert "30 env steps" in shown.err
    assert "python -m snnrl.train resume='a run'" in shown.err
    (result,) = shown.out.splitlines()
    assert result.startswith("eval/return_mean ")
    assert result.endswith("written to a run")


def test_without_a_run_dir_each_run_has_a_new_folder_that_names_it() -> None:
    words = ["env=CartPole", "env_steps=4", *TINY, "seed=2"]
    assert train.main(words) == 0
    assert train.main(words) == 0
    names = [path.name for path in Path("runs").iterdir()]
    assert len(names) == 2
    assert all(name.startswith("CartPole-rstdp-seed2-") for name in names)


def test_two_runs_of_one_seed_are_the_same_and_another_seed_is_another_run() -> None:
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        assert train.main(["env=CartPole", "env_steps=60", *TINY, f"seed={seed}", f"run_dir={name}"]) == 0
    one, same, other = (
        load_checkpoint(max(Path(name, "checkpoints").glob("step_*.pt")))["agent"] for name in ("one", "same", "other")
    )
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert not torch.equal(
        one["network.connections.input to actor.weight"], other["network.connections.input to actor.weight"]
    )


@pytest.mark.parametrize(("agent", "settings"), [("random", []), ("constant", ["agent.action=1"])])
def test_agents_that_do_not_learn_run_through_the_same_command(agent: str, settings: list[str]) -> None:
    words = ["env=CartPole", f"agent={agent}", *settings, "env_steps=1", *TINY, "run_dir=run"]
    assert train.main(words) == 0
    summary = json.loads(Path("run/summary.json").read_text())
    assert summary["agent"] == agent
    assert summary["eval/return_mean"] > 0
    if agent == "constant":
        assert 8 <= summary["eval/return_mean"] <= 11, "a pole that is pushed one way for ever"


WRONG = {
    "env=SpaceInvader": "env=SpaceInvader: .* did you mean SpaceInvaders?",
    "agent=rstp": "agent=rstp: .* did you mean rstdp?",
    "experiment=xyzzy": "experiment=xyzzy: there is no such recipe",
    "agent=null": "agent=null: must be a recipe; .*rstdp",
    "~agent": "~agent: a setting cannot be left out",
    "eval=3": "eval=3: must be a mapping of settings",
    "seed=18446744073709551616": "seed=18446744073709551616: must be an integer from 0",
    "agent.encoder.scale=3": "agent.encoder.scale=3: must be a list of numbers, or null",
    "env.reward.life_loss_ends=true": "env.reward.life_loss_ends=true: must be false",
    "agent.weight_mean=nan": "agent.weight_mean=nan: must be finite",
    "sed=1": "sed=1: there is no such setting; did you mean seed?",
    "env_steps=-5": "env_steps=-5: must be an integer of at least 1",
    "env_steps=abc": "env_steps=abc: must be an integer of at least 1",
    "env_steps=1.5": "env_steps=1.5: must be an integer of at least 1",
    "num_envs=0": "num_envs=0: must be an integer of at least 1",
    "device=tpu": "device=tpu: must be auto, cpu, cuda or cuda:<n>",
    "env.id=CartPoel-v1": "env.id=CartPoel-v1: .* did you mean CartPole-v1",
    "env.id=ALE/SpaceInvader-v5": "env.id=ALE/SpaceInvader-v5: .* did you mean SpaceInvaders",
    "agent.gamma=2": "agent.gamma=2: must be in [0, 1]",
    "agent.gamma=high": "agent.gamma=high: must be a number",
    "agent.gama=0.9": "agent.gama=0.9: there is no such setting; did you mean agent.gamma",
    "logger=wandbb": "logger=wandbb: .* did you mean wandb?",
    "progress=fancy": "progress=fancy: must be one of auto, bar, plain, none",
    "eval.episodes=0": "eval.episodes=0: must be an integer of at least 1",
    "eval.every=-1": "eval.every=-1: must be an integer of at least 0",
    "eval.during=0": "eval.during=0: must be an integer of at least 1",
    "eval.durin=3": "eval.durin=3: there is no such setting; did you mean eval.during",
    "checkpoint.every=-1": "checkpoint.every=-1: must be an integer of at least 0",
    "seed=-1": "seed=-1: must be an integer from 0 to 4294967295",
    "agent.value_range=[2,1]": "agent.value_range=[2.0, 1.0]: must be [lowest, highest] with lowest below highest",
    "env.reward.scale=0": "env.reward.scale=0: must be a finite number above 0",
    "env.kwargs.colour=red": "env.kwargs={'colour': 'red'}: must be arguments of CartPole-v1",
    "agent.encoder.scal=1": "agent.encoder.scal=1: population, .*has no such setting; did you mean scale",
    "env.value_range=[1,2]": "env.value_range=[1,2]: there is no such setting; it is now agent.value_range",
    "env.frames.rows=[1,2]": "env.frames.rows=[1,2]: there is no such setting; it is now agent.encoder",
    "agent.encoder.spikes_per_step=11": "agent.encoder.spikes_per_step=11.*: must be above 0 and at most 10",
    "CartPole": "CartPole: must be env=CartPole",
    "--steps": "--steps: must be key=value",
}


@pytest.mark.parametrize("word", WRONG)
def test_a_wrong_word_ends_the_command_with_one_line_and_no_folder(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    env = [] if word.startswith("env.id=") else ["env=CartPole"]
    assert train.main([*env, "env_steps=20", "progress=none", word]) == 2
    line = one_line(capsys)
    named, _, right = WRONG[word].partition(".*")
    assert line.startswith(f"error: {named}")
    assert right.strip() in line
    assert list(Path().iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is there")
def test_cuda_where_there_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["env=CartPole", "device=cuda"]) == 2
    assert one_line(capsys).startswith("error: device=cuda: torch sees 0 CUDA devices here; must be auto or cpu")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("observation_space", "action_space", "named"),
    [
        (spaces.Text(4), spaces.Discrete(2), "Text("),
        (spaces.Dict({"word": spaces.Text(4), "number": spaces.Discrete(2)}), spaces.Discrete(2), "Dict("),
        (spaces.Discrete(2), spaces.Sequence(spaces.Discrete(2)), "Sequence("),
        (spaces.Discrete(2), spaces.Box(0.0, float("inf"), (1,)), "Box(0.0, inf"),
    ],
    ids=["text", "dict", "sequence", "unbounded"],
)
def test_a_space_that_the_agent_cannot_take_is_named(
    observation_space: spaces.Space[Any],
    action_space: spaces.Space[Any],
    named: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with registered("Toy-v0", observation_space, action_space):
        assert train.main(["env.id=Toy-v0", "env_steps=4", *TINY]) == 2
    line = one_line(capsys)
    assert line.startswith("error: ")
    assert f"space {named}" in line
    assert " must " in line
    assert list(Path().iterdir()) == []


def test_an_environment_of_ones_own_trains_by_its_id() -> None:
    with registered("Toy-v0", spaces.Box(-1.0, 1.0, (3,)), spaces.Box(-2.0, 2.0, (2,))):
        assert train.main(["env.id=Toy-v0", "env_steps=8", *TINY, "run_dir=run"]) == 0
    assert json.loads(Path("run/summary.json").read_text())["eval/return_mean"] == 1.0


def test_a_run_dir_that_exists_is_never_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("keep")
    assert train.main(["env=CartPole", "run_dir=mine"]) == 2
    line = one_line(capsys)
    assert line.startswith("error: run_dir=mine: exists already")
    assert line.endswith("must be a new folder, or resume=mine to go on with it")
    assert [path.name for path in Path("mine").iterdir()] == ["notes.txt"]


def test_help_lists_the_recipes_and_trains_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["env=CartPole", "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: python -m snnrl.train")
    assert "SpaceInvaders" in shown
    assert "sarsa_frames" in shown
    assert list(Path().iterdir()) == []


def command(script: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": os.environ["PATH"], "HOME": os.getcwd(), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        | settings,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_misspelt_recipe_is_answered_before_torch_is_imported() -> None:
    done = command(
        "import sys\nfrom snnrl.train import main\n"
        "code = main(['env=CartPol'])\nprint('torch' in sys.modules, 'gymnasium' in sys.modules)\nsys.exit(code)"
    )
    assert done.returncode == 2
    assert done.stdout == "False False\n"
    assert done.stderr == "error: env=CartPol: there is no such recipe; did you mean CartPole or CartPolePartial?\n"


def wandb_records(path: Path) -> list[Any]:
    """The records in a ``.wandb`` file: LevelDB's log format, blocks of 32 KiB, after a header of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, part, found = path.read_bytes(), 7, b"", []
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        length, kind = struct.unpack_from("<HB", content, at + 4)
        part += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            found.append(Record.FromString(part))
            part = b""
    return found


def test_an_offline_wandb_run_holds_config_metrics_and_summary() -> None:
    words = ["env=CartPole", "env_steps=200", "num_envs=2", "eval.every=100", "eval.during=1", "eval.episodes=1"]
    words += ["logger=wandb", "progress=none", "run_dir=run", "agent.gamma=0.96"]
    done = command(f"import sys\nfrom snnrl.train import main\nsys.exit(main({words!r}))", WANDB_MODE="offline")
    assert done.returncode == 0, done.stderr
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("wandb: ")]
    sync = shlex.split(said.partition("upload it with: ")[2])
    assert sync[:2] == ["wandb", "sync"]
    (path,) = Path(sync[2]).glob("run-*.wandb")
    assert Path("run").resolve() in path.resolve().parents
    records = wandb_records(path)
    (config,) = [
        {item.key: json.loads(item.value_json) for item in record.run.config.update}
        for record in records
        if record.HasField("run")
    ]
    assert config["agent"]["gamma"] == 0.96
    assert config["env"]["id"] == "CartPole-v1"
    assert config["env_steps"] == 200
    merged: dict[int, dict[str, Any]] = {}
    for record in records:
        if record.HasField("history"):
            row = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            merged.setdefault(row["_step"], {}).update(row)
    for written in rows(Path("run")):
        for key, value in written.items():
            assert key == "step" or merged[written["step"]][key] == pytest.approx(value)
    summary = {
        item.key or "/".join(item.nested_key): json.loads(item.value_json)
        for record in records
        for item in record.summary.update
    }
    assert summary["eval/return_mean"] == json.loads(Path("run/summary.json").read_text())["eval/return_mean"]


def test_settings_of_the_command_line_come_before_those_of_the_recipes() -> None:
    composed = compose_run(["env=CartPole", "env_steps=123", "env.reward.scale=0.5", "agent.tau=7.0"])
    config = RunConfig.from_mapping(composed)
    assert (config.env_steps, config.env.reward.scale, config.agent["tau"]) == (123, 0.5, 7.0)
    assert config.num_envs == config.env.num_envs
    assert config.eval_every == 123 // 5
    assert config.checkpoint_every == 123 // 10


def test_zero_switches_evaluations_and_checkpoints_on_the_way_off() -> None:
    words = ["env=CartPole", "env_steps=60", *TINY, "checkpoint.every=0", "run_dir=run"]
    assert train.main(words) == 0
    assert len(list(Path("run/checkpoints").iterdir())) == 1
    assert len([row for row in rows(Path("run")) if "eval/return_mean" in row]) == 1
