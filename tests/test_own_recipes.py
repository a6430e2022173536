"""Recipes that users write in a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnrl.config import RunConfig
from snnrl.recipes import compose_run


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(text)


def config(*words: str) -> RunConfig:
    return RunConfig.from_mapping(compose_run(words))


def test_a_recipe_of_an_id_alone_takes_the_defaults() -> None:
    write("envs/Mine.yaml", "# mine\nid: CartPole-v1\n")
    read = config("env=Mine")
    assert (read.env.id, read.env_steps, read.num_envs, read.eval.episodes) == ("CartPole-v1", 100_000, 16, 100)


def test_a_recipe_can_begin_with_another() -> None:
    write("envs/Mine.yaml", "# mine\ndefaults:\n  - SpaceInvaders\n\nnum_envs: 4\n")
    read, begun_with = config("env=Mine"), config("env=SpaceInvaders")
    assert (read.env.id, read.num_envs, read.agent) == ("ALE/SpaceInvaders-v5", 4, begun_with.agent)


@pytest.mark.parametrize("word", ["agent.greed=0.7", "+agent.greed=0.7"])
def test_settings_that_the_recipe_of_an_agent_of_ones_own_does_not_hold_are_set_like_any(word: str) -> None:
    write("agents/Mine.yaml", "name: my_module:MyAgent\n")
    assert compose_run(["env=CartPole", "agent=Mine", word])["agent"]["greed"] == 0.7
    assert compose_run(["env=CartPole", "agent.name=my_module:MyAgent", word])["agent"]["greed"] == 0.7


def test_a_short_recipe_of_ones_own_takes_every_setting_of_its_agent() -> None:
    write("agents/Mine.yaml", "name: constant\n")
    assert compose_run(["env=CartPole", "agent=Mine", "agent.action=1"])["agent"]["action"] == 1
