"""Runs that are repeated: what counts as the same run, and what is remembered of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from snnrl import trials
from snnrl.config import read_settings
from snnrl.errors import ConfigError
from snnrl.train import main as train
from snnrl.trials import check_reusable, finished, played, train_run

QUIET = ["logger=none", "progress=none"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trials") / "run"
    words = ["env=CartPole", "env_steps=64", "num_envs=4", "eval.episodes=1", "eval.every=0", *QUIET]
    assert train([*words, f"run_dir={folder}"]) == 0
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of a short run."""
    return shutil.copytree(trained, tmp_path / "run")


def test_what_is_remembered_of_a_run_is_forgotten_when_the_run_goes_on(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated: list[int] = []
    evaluate = trials.evaluate
    monkeypatch.setattr(trials, "evaluate", lambda *a, **k: (evaluated.append(1), evaluate(*a, **k))[1])
    path = run / "notes" / "two.json"
    settings = read_settings(run)
    first = played(run, 2, path, ("best",), settings)
    assert played(run, 2, path, ("best",), settings) == first
    assert len(evaluated) == 1
    assert train([f"resume={run}", "env_steps=128", *QUIET]) == 0
    played(run, 2, path, ("best",), settings)
    assert len(evaluated) == 2
    path.write_text("garbage")
    played(run, 2, path, ("best",), settings)
    assert len(evaluated) == 3


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("env_steps", 128, "env_steps is 64, now 128"),
        ("seed", 1, "seed is 0, now 1"),
        ("env", {"max_episode_steps": 7}, "env.max_episode_steps is null, now 7"),
        ("agent", {"gamma": 0.5}, "agent.gamma is "),
    ],
)
def test_a_run_is_reused_only_where_every_setting_that_matters_is_the_same(
    key: str, value: object, named: str, run: Path
) -> None:
    settings = read_settings(run)
    same = {**settings, "logger": "tensorboard", "progress": "bar", "run_dir": "elsewhere"}
    assert train_run(same, run) is None
    other = {**settings, key: {**settings[key], **value} if isinstance(value, dict) else value}
    for check in (check_reusable, train_run):
        with pytest.raises(ConfigError, match="run is a run of other settings") as caught:
            check(other, run)
        assert named in str(caught.value)
    (run / "summary.json").unlink()
    with pytest.raises(ConfigError, match="run is a run of other settings"):
        train_run(other, run)


@pytest.mark.parametrize("content", [b"", b'{"env', b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_a_run_with_a_damaged_summary_goes_on_and_writes_it_anew(content: bytes, run: Path) -> None:
    whole = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_bytes(content)
    assert not finished(run)
    assert train_run(read_settings(run), run) is None
    written = json.loads((run / "summary.json").read_text())
    assert written.keys() == {key for key in whole if key not in ("env", "agent", "seed") and "eval/" not in key}
    assert written["env_steps"] == whole["env_steps"]
    assert finished(run)
