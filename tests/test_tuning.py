from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from snnrl import recipes
from snnrl.errors import ConfigError
from snnrl.legacy import AGENTS
from snnrl.recipes import compose_run, recipe_names
from snnrl.tuning import changed

TASK = "id: Acrobot-v1\ntuned:\n  rstdp:\n    gamma: 0.5\n    tau: 7.0\n"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(text)


def agent(*words: str) -> dict[str, Any]:
    return dict(compose_run(words)["agent"])


@pytest.mark.parametrize("words", [["env=Mine"], ["env=Mine", "agent=rstdp"]])
def test_what_a_task_tunes_counts_whether_its_agent_is_named_or_not(words: list[str]) -> None:
    write("envs/Mine.yaml", TASK)
    found = agent(*words)
    assert (found["gamma"], found["tau"]) == (0.5, 7.0)
    assert found["trace_lambda"] == agent("env=Gymnasium")["trace_lambda"]


@pytest.mark.parametrize("other", ["sarsa_frames", "random", "ppo"])
def test_what_a_task_tunes_for_one_agent_leaves_another_as_it_is(other: str) -> None:
    write("envs/Mine.yaml", TASK)
    assert agent("env=Mine", f"agent={other}") == agent("env=Gymnasium", f"agent={other}")


def test_experiments_and_the_command_line_come_after_what_a_task_tunes() -> None:
    write("envs/Mine.yaml", TASK)
    write("experiments/fast.yaml", "defaults:\n  - override /env: Mine\n\nagent:\n  gamma: 0.25\n")
    found = agent("experiment=fast")
    assert (found["gamma"], found["tau"]) == (0.25, 7.0)
    assert agent("experiment=fast", "agent.gamma=0.75")["gamma"] == 0.75


def test_the_settings_of_a_run_hold_the_outcome_alone() -> None:
    write("envs/Mine.yaml", TASK)
    composed = compose_run(["env=Mine"])
    assert "tuned" not in composed
    assert "tuned" not in composed["env"]


def test_a_task_that_begins_with_another_takes_over_what_that_one_tunes() -> None:
    write("envs/Mine.yaml", TASK)
    write("envs/Harder.yaml", "defaults:\n  - Mine\n\ntuned:\n  rstdp:\n    tau: 3.0\n")
    found = agent("env=Harder")
    assert (found["gamma"], found["tau"]) == (0.5, 3.0)


def test_an_agent_that_begins_with_the_tuned_one_has_the_last_word() -> None:
    write("envs/Mine.yaml", TASK)
    write("agents/calm.yaml", "defaults:\n  - rstdp\n\ntau: 2.0\n")
    found = agent("env=Mine", "agent=calm")
    assert (found["gamma"], found["tau"]) == (0.5, 2.0)


def test_what_a_task_tunes_of_an_encoder_does_not_reach_another_that_an_agent_names() -> None:
    write("envs/Mine.yaml", TASK + "    encoder:\n      scale: [1.0]\n")
    write("agents/calm.yaml", "defaults:\n  - rstdp\n\nencoder: {name: poisson, rate_max: 50.0}\n")
    write("agents/wide.yaml", "defaults:\n  - rstdp\n\nencoder: {width: 0.9}\n")
    assert agent("env=Mine", "agent=calm")["encoder"] == {"name": "poisson", "rate_max": 50.0}
    assert agent("env=Mine", "agent=wide")["encoder"] == {"name": None, "scale": [1.0], "width": 0.9}
    assert agent("env=Mine", "agent=calm")["gamma"] == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id: A-v0\ntuned: [1]\n", r"env=Mine: tuned=\[1\]: must be a mapping of agents to settings"),
        ("id: A-v0\ntuned:\n  rstdpp: {}\n", r"env=Mine: tuned\.rstdpp: there is no such agent; did you mean rstdp"),
        (
            "id: A-v0\ntuned:\n  rstdp:\n    encoder: {from_0_1: true}\n",
            r"agent\.encoder\.from_0_1=true: there is no such setting",
        ),
        ("id: A-v0\ntuned:\n  rstdp: 3\n", r"env=Mine: tuned\.rstdp=3: must be a mapping of settings"),
    ],
)
def test_a_section_that_tunes_nothing_is_an_error_that_names_it(text: str, message: str) -> None:
    write("envs/Mine.yaml", text)
    with pytest.raises(ConfigError, match=message):
        compose_run(["env=Mine"])


def test_a_setting_that_the_tuned_agent_does_not_have_is_named() -> None:
    from snnrl.loading import make_agent

    write("envs/Mine.yaml", "id: CartPole-v1\ntuned:\n  rstdp:\n    gama: 0.5\n")
    with pytest.raises(ConfigError, match=r"agent\.gama=0\.5: there is no such setting; did you mean gamma"):
        make_agent("Mine")


@pytest.mark.parametrize("old", AGENTS)
def test_a_name_of_the_last_release_still_works_and_says_once_what_to_write(
    old: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "_SAID", set())
    write("experiments/mine.yaml", f"defaults:\n  - override /env: Acrobot\n  - override /agent: {old}\n")
    found = agent("env=Acrobot", f"agent={old}")
    assert found == agent("experiment=mine")
    assert found["gamma"] == AGENTS[old].settings["gamma"]
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith(f"agent={old}: goes with the next release; write agent={AGENTS[old].now}, ")
    assert old not in recipe_names("agent")


@pytest.mark.parametrize(
    ("old", "task"),
    [
        *(("rstdp_pixels", "Pong"), ("rstdp_agile", "SpaceInvaders"), ("rstdp_restless", "Breakout")),
        *(("rstdp_persistent", "Freeway"), ("rstdp_images", "MNIST")),
    ],
)
def test_an_old_agent_in_its_own_task_is_what_that_task_tunes(old: str, task: str) -> None:
    old_way, new_way = agent(f"env={task}", f"agent={old}"), agent(f"env={task}")
    assert {key for key in new_way if old_way[key] != new_way[key]} <= {"encoder"}


def test_ones_own_agent_of_an_old_name_is_ones_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "_SAID", set())
    write("agents/rstdp_fine.yaml", "name: random\n")
    assert agent("env=CartPole", "agent=rstdp_fine") == {"name": "random"}
    assert capsys.readouterr().err == ""


def test_what_begins_with_an_old_agent_keeps_its_settings() -> None:
    write("agents/mine.yaml", "defaults:\n  - rstdp_dense\n\ngamma: 0.8\n")
    found = agent("env=Pendulum", "agent=mine")
    assert (found["gamma"], found["exploration_steps"], found["action_bins"]) == (0.8, 20, 9)


def test_an_encoder_named_on_the_command_line_leaves_the_settings_of_the_recipes_own_behind() -> None:
    assert agent("env=SpaceInvaders", "agent.encoder.rows=[1,9]")["encoder"]["luminances"] == [98, 107, 122, 142]
    for words in (
        ["agent.encoder.name=objects", "agent.encoder.rows=[1,9]"],
        ["agent.encoder={name: objects, rows: [1, 9]}"],
    ):
        assert agent("env=SpaceInvaders", *words)["encoder"] == {"name": "objects", "rows": [1, 9]}
    assert agent("env=CartPole", "agent.encoder=latency")["encoder"] == "latency"
    assert agent("env=CartPole", "agent.encoder.name=my_package.codes:Mine")["encoder"] == {
        "name": "my_package.codes:Mine"
    }


@pytest.mark.parametrize(
    ("experiment", "id_"), [("plasticity_off", "Acrobot-v1"), ("shuffled", "ALE/Pong-v5"), ("sac_pendulum", "Other-v0")]
)
def test_an_experiment_without_an_environment_is_made_in_the_one_of_an_id(experiment: str, id_: str) -> None:
    found = compose_run([f"env.id={id_}", f"experiment={experiment}"])["env"]
    assert found["id"] == id_
    assert (found["atari"] is not None) == id_.startswith("ALE/")


@pytest.mark.parametrize("place", ["1", 1])
def test_an_entry_of_a_list_is_named_by_its_number_as_a_word_or_as_an_integer(place: object) -> None:
    found = changed({"hidden": [{"size": 3}, {"size": 4}]}, {"hidden": {place: {"size": 9}}})
    assert found == {"hidden": [{"size": 3}, {"size": 9}]}


@pytest.mark.parametrize("place", ["01", "2", "-1", "\u0661", 2])
def test_a_number_that_no_entry_of_a_list_has_is_not_passed_over(place: object) -> None:
    found = changed({"hidden": [{"size": 3}, {"size": 4}]}, {"hidden": {place: {"size": 9}}})
    assert found == {"hidden": {place: {"size": 9}}}
