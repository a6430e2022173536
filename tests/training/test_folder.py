"""Run folders that are made whole, used by one process at a time, and that may be gone or full while a run goes on."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from filelock import FileLock
from gymnasium import spaces

from snnrl import train
from snnrl.errors import ConfigError
from snnrl.textfiles import read_yaml
from snnrl.training import folder as folder_module
from snnrl.training.folder import RunFolder, alone

FORKS = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
WORDS = ("env.id=Eventful-v0", "agent=random", "num_envs=2", "env_steps=400", "eval.every=0", "eval.episodes=1")
QUIET = ("progress=none", "checkpoint.every=100", "logger=none")
SETTINGS = {"seed": 3}


class Eventful(gymnasium.Env[int, int]):
    """Something happens to the run at step 130 of its first environment."""

    observation_space, action_space = spaces.Discrete(2), spaces.Discrete(2)
    event: Callable[[], None] = staticmethod(lambda: None)
    steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        Eventful.steps += 1
        if Eventful.steps == 260:
            Eventful.event()
        return 0, 1.0, Eventful.steps % 20 == 0, False, {}


@pytest.fixture
def happens(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], None]], None]]:
    gymnasium.register("Eventful-v0", Eventful)
    monkeypatch.setattr(Eventful, "steps", 0)
    yield lambda event: monkeypatch.setattr(Eventful, "event", staticmethod(event))
    del gymnasium.registry["Eventful-v0"]


def test_a_folder_has_its_settings_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    RunFolder(tmp_path / "runs" / "new", SETTINGS).make()
    assert read_yaml(tmp_path / "runs" / "new" / "config.yaml", "its settings") == SETTINGS
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["new"]


@pytest.mark.parametrize("there", ["a run", "a folder", "a file"])
def test_what_is_there_is_never_written_over(tmp_path: Path, there: str) -> None:
    path = tmp_path / "run"
    if there == "a file":
        path.touch()
    else:
        path.mkdir()
        (path / "notes.txt" if there == "a folder" else path / "config.yaml").write_text("mine: true")
    with pytest.raises(ConfigError, match=r"run: exists already and is never overwritten; must be a new folder"):
        RunFolder(path, SETTINGS).make()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "run", tmp_path / ("x" * 300)):
        with pytest.raises(ConfigError, match=r"cannot be made \(.*\); must be a folder"):
            RunFolder(path, SETTINGS).make()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@FORKS
def test_of_many_that_make_one_folder_at_once_one_gets_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, won = context.Event(), context.Queue()

    def race() -> None:
        start.wait()
        try:
            RunFolder(tmp_path / "run", {"mine": os.getpid()}).make()
            won.put(os.getpid())
        except ConfigError as error:
            won.put("exists already" in str(error) or "another process" in str(error))

    racers = [context.Process(target=race) for _ in range(6)]
    for racer in racers:
        racer.start()
    start.set()
    found = [won.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join()
    (winner,) = [pid for pid in found if pid is not True]
    assert read_yaml(tmp_path / "run" / "config.yaml", "its settings") == {"mine": winner}


@FORKS
@pytest.mark.parametrize(
    ("module", "call"), [(Path, "mkdir"), (folder_module, "write_settings"), (Path, "rename")], ids=str
)
def test_a_kill_while_a_folder_is_made_leaves_none_or_a_whole_one(tmp_path: Path, module: Any, call: str) -> None:
    child = os.fork()
    if child == 0:
        setattr(module, call, lambda *arguments, **settings: os.kill(os.getpid(), signal.SIGKILL))
        RunFolder(tmp_path / "run", SETTINGS).make()
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert not (tmp_path / "run").exists()
    RunFolder(tmp_path / "run", SETTINGS).make()
    assert read_yaml(tmp_path / "run" / "config.yaml", "its settings") == SETTINGS


def test_a_folder_in_use_is_refused_and_free_when_its_run_has_ended(tmp_path: Path) -> None:
    first, second = RunFolder(tmp_path / "run", SETTINGS), RunFolder(tmp_path / "run", SETTINGS)
    first.make()
    with pytest.raises(ConfigError, match=r"^resume=.*run: another process is training in this folder; must be left"):
        second.take("resume")
    first.release()
    second.take("resume")
    second.release()


def test_a_folder_of_which_nothing_came_is_removed_before_others_may_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = []

    class Seen(FileLock):
        def release(self, force: bool = False) -> None:
            there.append((tmp_path / "new").exists())
            super().release(force)

    monkeypatch.setattr(folder_module, "FileLock", Seen)
    with alone(tmp_path / "new" / "deeper", "out"):
        assert (tmp_path / "new" / "deeper" / ".lock").exists()
    assert there[0] is False
    with alone(tmp_path / "new", "out"):
        (tmp_path / "new" / "result").touch()
    assert (tmp_path / "new" / "result").exists()


def test_a_folder_that_its_last_owner_removes_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, removed = tmp_path / "new", []

    class Late(FileLock):
        def acquire(self, *arguments: Any, **settings: Any) -> Any:
            proxy = super().acquire(*arguments, **settings)
            if not removed:
                removed.append(shutil.rmtree(path))
            return proxy

    monkeypatch.setattr(folder_module, "FileLock", Late)
    with alone(path, "out"):
        assert removed
        assert (path / ".lock").exists()
        with (
            pytest.raises(ConfigError, match="another command is carrying out runs in this folder"),
            alone(path, "out"),
        ):
            pass


@FORKS
def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    heard, said = os.pipe()
    child = os.fork()
    if child == 0:
        held = RunFolder(tmp_path / "run", SETTINGS)
        held.make()
        os.write(said, b"made")
        signal.pause()
    assert os.read(heard, 4) == b"made"
    with pytest.raises(ConfigError, match="another process"):
        RunFolder(tmp_path / "run", SETTINGS).take("resume")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    RunFolder(tmp_path / "run", SETTINGS).take("resume")


def test_a_run_that_is_gone_on_with_while_it_runs_is_refused_and_left_alone(
    tmp_path: Path, happens: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = []
    happens(lambda: codes.append(train.main([f"resume={tmp_path / 'run'}", "env_steps=9000"])))
    assert train.main([*WORDS, *QUIET, f"run_dir={tmp_path / 'run'}"]) == 0
    assert codes == [2]
    assert "another process is training in this folder" in capsys.readouterr().err
    assert read_yaml(tmp_path / "run" / "config.yaml", "its settings")["env_steps"] == 400
    steps = [line.split(",")[0] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(steps) == len(set(steps)) + 1, "one row a step, and the last evaluation's"


@pytest.mark.parametrize("again", [False, True], ids=["removed", "replaced by another"])
def test_a_folder_that_is_removed_ends_the_run_with_one_line(
    tmp_path: Path, happens: Any, capsys: pytest.CaptureFixture[str], again: bool
) -> None:
    run_dir = tmp_path / "run"

    def remove() -> None:
        shutil.rmtree(run_dir)
        if again:
            run_dir.mkdir()
            (run_dir / "metrics.jsonl").touch()

    happens(remove)
    assert train.main([*WORDS, *QUIET, f"run_dir={run_dir}"]) == 1
    shown = capsys.readouterr()
    assert "written to" not in shown.out
    line = shown.err.splitlines()[-1]
    assert line.startswith(f"error: run_dir={run_dir}: was removed or renamed while the run wrote to it")
    assert run_dir.exists() == again


@FORKS
@pytest.mark.parametrize("logger", ["none", "tensorboard"])
def test_a_disk_that_is_full_ends_the_run_with_one_line_and_keeps_its_checkpoint(
    tmp_path: Path, happens: Any, capfd: pytest.CaptureFixture[str], logger: str
) -> None:
    """The file size limit of a process stands in for the full disk, in a process of its own."""
    import resource

    run_dir = tmp_path / "run"

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = (run_dir / "metrics.jsonl").stat().st_size + 10
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    happens(fill)
    child = os.fork()
    if child == 0:
        os._exit(
            train.main([*WORDS, "progress=none", "checkpoint.every=100", f"logger={logger}", f"run_dir={run_dir}"])
        )
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    line = capfd.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: run_dir={run_dir}: cannot be written to (File too large), so the run stopped at ")
    assert line.endswith(f"go on with: python -m snnrl.train resume={run_dir}")
    assert train.main([f"resume={run_dir}"]) == 0
