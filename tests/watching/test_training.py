"""A run that is watched learns what it would have learned alone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from snnrl import replay, train, watch
from snnrl.loading import make_task
from snnrl.training.trainer import Trainer

pytest.importorskip("uvicorn", reason="needs the extra watch")

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from snnrl.watching import training
from snnrl.watching.training import Budget, Watching

RUN = {"env_steps": 300, "num_envs": 2, "progress": "none", "seed": 3, "eval": {"episodes": 1, "every": 0}}
OWN = {"ppo": {"agent.n_steps": 50, "agent.batch_size": 50}, "dqn": {"agent.learning_starts": 100}}


def weights(watched: bool, monkeypatch: pytest.MonkeyPatch, agent: str) -> tuple[list[torch.Tensor], list[str]]:
    """What a run has learned, and the kinds of messages that a reader got meanwhile."""
    task = make_task("CartPole", agent=agent, **RUN, **OWN.get(agent, {}))
    if not watched:
        return list(Trainer(task, evaluate=False).train().model.parameters()), []
    kinds: list[str] = []
    watching = Watching(task)
    trainer = Trainer(task, callback=watching, evaluate=False)
    watching.rows = trainer.history.rows

    def look() -> None:
        address = watching.server.address
        with (
            suppress(ConnectionClosed),
            connect(address.replace("http", "ws") + "watch", origin=address.rstrip("/")) as socket,
        ):
            for message in socket:
                assert isinstance(message, bytes)
                header = json.loads(message[4 : 4 + int.from_bytes(message[:4], "little")])
                kinds.append(header["kind"])
                if header["kind"] == "moment":
                    socket.send('{"do":"seen"}')

    looker = threading.Thread(target=look)
    begin = watching.on_training_start
    monkeypatch.setattr(watching, "on_training_start", lambda *each: (begin(*each), looker.start()))
    learned = list(trainer.train().model.parameters())
    looker.join()
    return learned, kinds


@pytest.mark.parametrize("agent", ["rstdp", "ppo", "dqn"])
def test_a_run_that_is_watched_learns_the_same(agent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SHARE", 0.5)
    (alone, _), (watched, kinds) = weights(False, monkeypatch, agent), weights(True, monkeypatch, agent)
    assert {"hello", "state", "moment", "weights", "curves"} <= set(kinds)
    assert all(torch.equal(one, other) for one, other in zip(alone, watched, strict=True))


def work(seconds: float) -> None:
    """Take this much processor time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_those_who_look_are_given_a_share_of_what_the_training_takes() -> None:
    budget = Budget()
    work(0.02)
    assert budget.earn()
    work(0.02)
    budget.spend()
    work(0.02)
    assert not budget.earn(), "a fortieth of what has passed was spent many times"


@pytest.mark.parametrize("pass_time", [time.sleep, lambda seconds: None])
def test_time_in_which_nothing_was_trained_is_no_time_for_those_who_look(pass_time: Callable[[float], None]) -> None:
    budget = Budget()
    work(0.02)
    assert budget.earn()
    work(0.001)
    budget.spend()
    pass_time(0.2)
    assert not budget.earn()
    work(0.2)
    budget.skip()
    assert not budget.earn()


@pytest.mark.parametrize("command", [watch.main, replay.main])
def test_a_run_on_images_has_no_game(
    command: object, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from snnrl.config import write_settings
    from snnrl.recipes import compose_run

    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    write_settings(Path("run"), compose_run(["experiment=mnist_unsupervised"]))
    assert callable(command)
    assert command(["run=run"]) == 2
    assert "must be the run of an agent, which plays" in capsys.readouterr().err


def test_training_on_images_cannot_be_watched(capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["experiment=mnist_unsupervised", "watch=true"]) == 2
    assert "watch=true: must be left out" in capsys.readouterr().err
    assert train.main(["env=CartPole", "watch=maybe"]) == 2
    assert "watch=maybe" in capsys.readouterr().err


def test_a_replay_is_written_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(__file__).parents[2] / "trained" / "SpaceInvaders"
    out = tmp_path / "play.html"
    assert replay.main([f"run={run}", f"out={out}", "seconds=2"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("2 s of Space Invaders, drawn actions, score 0 until it was cut; written to ")
    page = out.read_text(encoding="utf-8")
    assert len(page) < 400_000
    assert 'src="' not in page
    assert page.count("</script>") == 5
