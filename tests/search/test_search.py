"""Who tries what: every trial once, whatever happens to the process that has it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import TrialState

from snnrl import __file__ as package
from snnrl.recipes import compose_run
from snnrl.search import carry_out
from snnrl.textfiles import parse_yaml
from snnrl.tune import main
from tests.search.written import begun

ROOT = Path(package).parents[1]
SPACE = (
    "agent.actor_lr: {type: float, low: 0.001, high: 0.05, log: true}\nagent.sim_steps: {type: int, low: 5, high: 9}\n"
)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(carry_out, "EVALUATIONS", 0.0)
    monkeypatch.setattr(carry_out, "LOOK", 0.0)
    Path("small.yaml").write_text(SPACE)


def words(*more: str, kind: str = "Written") -> list[str]:
    return [
        *("env=CartPole", "space=small.yaml", f"executor=tests.search.written:{kind}"),
        *("out=found", "study=it", "seeds=2", "startup=3", *more),
    ]


def study(folder: str = "found") -> Study:
    storage = JournalStorage(JournalFileBackend(f"{folder}/study.journal"))
    return optuna.load_study(storage=storage, study_name="it")


def times_begun(folder: Path = Path("found")) -> list[list[int]]:
    return [begun(path) for path in sorted(folder.glob("trial-*/seed=*")) if path.is_dir()]


def test_a_search_finds_the_better_setting_and_writes_it_as_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words("trials=12", "pruner=none", "recipe=found_it", "agent.gamma=0.97", "num_envs=4")) == 0
    trials = study().get_trials()
    assert [trial.number for trial in trials] == list(range(12))
    assert trials[0].params["agent.actor_lr"] == 0.005  # the recipe as it is
    best = study().best_trial
    assert best.value is not None
    assert best.value > (trials[0].value or 0)
    assert best.user_attrs["scores"] == [best.value - 0.5, best.value + 0.5]  # seeds 1,000,000 and 1,000,001
    settings = compose_run(["experiment=found_it"])
    assert settings["agent"]["actor_lr"] == best.params["agent.actor_lr"]
    assert settings["agent"]["sim_steps"] == best.params["agent.sim_steps"]
    assert settings == compose_run(
        [
            *("env=CartPole", "agent.gamma=0.97", "num_envs=4"),
            *(f"{name}={value}" for name, value in best.params.items()),
        ]
    )
    header = Path("experiments/found_it.yaml").read_text().split("\n")
    assert f"trial {best.number} of study it, best of 12 trials complete" in header[0]
    assert "over seeds 1000000, 1000001" in header[1]
    assert "python -m snnrl.sweep experiment=found_it" in capsys.readouterr().out
    assert not list(Path("found").glob("trial-*/seed=*/checkpoints"))


def test_the_same_command_goes_on_and_does_nothing_twice() -> None:
    assert main(words("trials=2")) == 0
    before = [each.params for each in study().get_trials()]
    assert main(words("trials=4")) == 0
    assert main(words("trials=4")) == 0
    trials = study().get_trials()
    assert [each.params for each in trials[:2]] == before
    assert [each.state.is_finished() for each in trials] == [True] * 4
    assert all(len(each) == 1 for each in times_begun())


def test_what_is_tried_depends_on_the_seed_of_the_search_alone() -> None:
    assert main(words("trials=3", "jobs=1")) == 0
    assert main([*words("trials=3", "jobs=1"), "out=again"]) == 0
    assert main([*words("trials=3", "jobs=1"), "out=other", "seed=1"]) == 0
    one, same, other = ([each.params for each in study(name).get_trials()] for name in ("found", "again", "other"))
    assert one == same
    assert one[1:] != other[1:]


def test_a_trial_below_the_median_of_those_before_is_ended_early(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words("trials=12", "sampler=random", "jobs=2")) == 0
    pruned = [trial for trial in study().get_trials() if trial.state is TrialState.PRUNED]
    assert pruned
    assert all(trial.number >= 3 for trial in pruned)
    assert all(0 < len(trial.intermediate_values) < 4 for trial in pruned)
    assert f"{len(pruned)} pruned" in capsys.readouterr().out


def test_a_trial_that_fails_is_told_and_ends_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    Path("small.yaml").write_text("agent.actor_lr: {type: categorical, choices: [0.005, 0.01, 0.05]}\n")
    assert main(words("trials=8")) == 0
    failed = [trial for trial in study().get_trials() if trial.state is TrialState.FAIL]
    assert failed
    assert {trial.params["agent.actor_lr"] for trial in failed} == {0.05}
    assert f"trial {failed[0].number} failed: error: weights are not finite" in capsys.readouterr().out


def test_a_search_in_which_all_fails_is_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    Path("small.yaml").write_text("agent.actor_lr: {type: float, low: 0.05, high: 0.5}\n")
    assert main(words("trials=50", "jobs=1")) == 1
    assert "error: the first 5 trials failed, the last of them: weights are not finite" in capsys.readouterr().err
    assert len(study().get_trials()) == 5


def test_two_processes_share_a_study_and_one_goes_on_where_the_other_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "snnrl.tune", *words("trials=10", "jobs=1", "pruner=none", kind="Slow")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE)

    first, second = start(), start()
    try:
        until = time.monotonic() + 200
        while {first.pid, second.pid} - {pid for each in times_begun() for pid in each}:
            assert time.monotonic() < until
            time.sleep(0.05)
        os.kill(first.pid, signal.SIGKILL)
        _, said = second.communicate(timeout=200)
        assert second.returncode == 0, said.decode()
    finally:
        first.kill()
        second.kill()
        first.communicate()
    trials = study().get_trials()
    assert [trial.number for trial in trials] == list(range(10))
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    taken_over = [each for each in times_begun() if len(each) > 1]
    assert len(times_begun()) == 20
    assert [sorted(each) for each in taken_over] == [sorted([first.pid, second.pid])]
    assert (tmp_path / "found" / "best.yaml").is_file()


def test_a_run_that_a_dying_process_still_has_is_waited_for() -> None:
    assert main(words("trials=1", kind="Busy")) == 0
    assert [trial.state for trial in study().get_trials()] == [TrialState.COMPLETE]
    assert [len(each) for each in times_begun()] == [2, 2]


@pytest.mark.slow
def test_runs_of_a_killed_process_go_on_from_their_checkpoints(tmp_path: Path) -> None:
    short = [
        "env_steps=20000",
        "num_envs=4",
        "eval.every=2000",
        "eval.during=2",
        "eval.episodes=2",
        "checkpoint.every=400",
    ]
    given = [word for word in words("trials=3", "jobs=1", "seeds=1", *short) if not word.startswith("executor=")]
    command = [sys.executable, "-m", "snnrl.tune", *given]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    first = subprocess.Popen(command, cwd=tmp_path, env=environment)
    until = time.monotonic() + 250
    while not list(tmp_path.glob("found/trial-0000/seed=*/checkpoints/step_*.pt")):
        assert time.monotonic() < until
        time.sleep(0.05)
    first.kill()
    first.wait()
    assert subprocess.run(command, cwd=tmp_path, env=environment, timeout=280).returncode == 0
    assert [trial.state for trial in study().get_trials()] == [TrialState.COMPLETE] * 3
    rows = next(Path("found/trial-0000").glob("seed=*/metrics.jsonl")).read_text().splitlines()
    steps = [json.loads(row)["step"] for row in rows]
    assert steps == sorted(steps)
    assert steps[-1] == 20000


def test_what_a_process_left_half_drawn_is_drawn_to_its_end() -> None:
    assert main(words("trials=2")) == 0
    study().ask().suggest_float("agent.actor_lr", 0.001, 0.05, log=True)  # and then the process died
    assert main(words("trials=4")) == 0
    trials = study().get_trials()
    assert len(trials) == 4
    assert all(set(trial.params) == {"agent.actor_lr", "agent.sim_steps"} for trial in trials)
    assert all(trial.state.is_finished() for trial in trials)


def test_the_best_setting_is_data_as_any_recipe_is() -> None:
    assert main(words("trials=1")) == 0
    assert parse_yaml(Path("found/best.yaml").read_text()) == {
        "defaults": [{"override /env": "CartPole"}, {"override /agent": "rstdp"}],
        "agent": {"actor_lr": 0.005, "sim_steps": study().best_params["agent.sim_steps"]},
    }
