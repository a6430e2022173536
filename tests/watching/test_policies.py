"""The page and replays of agents other than the usual one: stable-baselines3, odd spaces, agents without spikes."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

import snnrl
import tests.envs.odd_environments  # noqa: F401, registers them
from snnrl import make_agent, replay, watch
from snnrl.watching.game import game_of, messages
from snnrl.watching.playables import Playable


def headers(agent: str, env: str, seconds: float = 0.2) -> list[dict[str, Any]]:
    """The headers of what the page is told of an untrained agent."""
    made = make_agent(env, agent)
    playable = Playable(made, made.made_for().env, True, "untrained", [])
    game = game_of(playable, 1, seconds, 0, None)
    return [header(each) for each in messages(game, playable)]


def header(message: bytes) -> dict[str, Any]:
    return dict(json.loads(message[4 : 4 + int.from_bytes(message[:4], "little")]))


def kept(page: Path) -> list[dict[str, Any]]:
    """The headers of what a replay holds."""
    data = re.search('id="data">([^<]+)<', page.read_text(encoding="utf-8"))
    assert data
    rest, found = zlib.decompress(b64decode(data[1])), []
    while rest:
        length = int.from_bytes(rest[:4], "little")
        found.append(header(rest[4 : 4 + length]))
        rest = rest[4 + length :]
    return found


LAYERS = ["hidden_1", "hidden_2"]
CASES = {
    ("ppo", "CartPole"): (LAYERS, ["push left", "push right"]),
    ("dqn", "CartPole"): (LAYERS, ["push left", "push right"]),
    ("sac", "Pendulum-v1"): (LAYERS, ["action 0"]),
    ("ppo", "odd/SeesNested-v0"): (LAYERS, ["action 0", "action 1", "action 2"]),
    ("ppo", "odd/DoesMultiDiscrete-v0"): (LAYERS, None),
    ("rstdp", "odd/SeesNested-v0"): (["input", "actor", "critic"], ["action 0", "action 1", "action 2"]),
    ("rstdp", "odd/DoesMultiDiscrete-v0"): (["input", "actor", "critic"], None),
    ("random", "CartPole"): ([], []),
}


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_every_kind_of_agent_shows_what_it_has(case: tuple[str, str]) -> None:
    populations, labels = CASES[case]
    hello, weights, *moments = headers(*case)
    last = moments[-1]
    assert [each["name"] for each in last["spikes"]][: len(populations)] == populations
    assert hello["labels"] == labels or labels is None
    assert last["preferences"] is None or len(last["preferences"]) == len(hello["labels"])
    assert all(0 <= place < max(len(hello["labels"]), 99) for place in last.get("taken", []))
    assert ("frame" in last) != ("observation" in last)
    assert bool(weights["tables"]) == bool(populations)
    assert (last["value"] is None) == (case[0] == "random")


@pytest.mark.parametrize("agent", ["ppo", "dqn"])
def test_runs_of_stable_baselines3_are_replayed_and_watched(
    agent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    own = {"ppo": {"agent.n_steps": 32, "agent.batch_size": 32}, "dqn": {"agent.learning_starts": 32}}[agent]
    quiet = {"eval": {"every": 0, "episodes": 1}, "progress": "none", "logger": "none"}
    snnrl.train("CartPole", agent=agent, env_steps=64, num_envs=1, run_dir=run, **quiet, **own)
    assert replay.main([f"run={run}", f"out={tmp_path / 'play.html'}", "seconds=0.1"]) == 0
    assert replay.main([f"run={run}", f"out={tmp_path / 'play.gif'}", "seconds=0.1", "spikes=true"]) == 0
    assert capsys.readouterr().out.count("best actions") == 2
    kinds = [each["kind"] for each in kept(tmp_path / "play.html")]
    assert kinds == ["hello", "weights", "curves", *["moment"] * 5]

    shown: list[str] = []

    def end(seconds: float | None) -> None:
        raise KeyboardInterrupt

    from snnrl.watching.server import Server

    monkeypatch.setattr(Server, "start", lambda self: shown.append(self.address) or setattr(self.readers, "wait", end))
    assert watch.main([f"run={run}"]) == 130
    assert shown[0] in capsys.readouterr().out


def test_spikes_under_a_video_are_refused_where_there_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = {"eval": {"every": 0, "episodes": 1}, "progress": "none", "logger": "none"}
    snnrl.train("CartPole", agent="random", env_steps=16, num_envs=1, run_dir=tmp_path / "run", **quiet)
    words = [f"run={tmp_path / 'run'}", f"out={tmp_path / 'play.gif'}", "seconds=0.1"]
    assert replay.main([*words, "spikes=true"]) == 2
    assert capsys.readouterr().err == "error: spikes=true: the agent has no spiking neurons to show; must be false\n"
    assert replay.main(words) == 0


def test_a_video_of_what_is_not_drawn_is_refused_before_it_is_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = {"eval": {"every": 0, "episodes": 1}, "progress": "none", "logger": "none"}
    snnrl.train("odd/SeesNested-v0", agent="random", env_steps=4, num_envs=1, run_dir=tmp_path / "run", **quiet)
    assert replay.main([f"run={tmp_path / 'run'}", f"out={tmp_path / 'play.gif'}"]) == 2
    assert "cannot be drawn" in (said := capsys.readouterr().err)
    assert said.endswith("must be a file named .html, which shows what there is\n")
    assert replay.main([f"run={tmp_path / 'run'}", f"out={tmp_path / 'play.html'}"]) == 0
