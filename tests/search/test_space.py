"""Search spaces: those that are shipped, and what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnrl import recipes
from snnrl.errors import ConfigError
from snnrl.recipes import compose_run, has_learner, recipe_names
from snnrl.search.space import find_space, spaces
from snnrl.tune import as_trial, main

ENVS = {"sac": "Pendulum", "td3": "Pendulum", "rstdp_objects": "SpaceInvaders", "sarsa_frames": "SpaceInvaders"}
LEARN_NOTHING = {"random", "constant"}
AGENTS = [name for name in recipe_names("agent") if name not in LEARN_NOTHING]
CALLED = "agent.actor_lr: {type: float, low: 0.001, high: 0.1}\n"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("agent", AGENTS)
def test_every_agent_that_learns_has_a_space_of_settings_that_it_has(agent: str) -> None:
    words = [f"agent={agent}", f"env={ENVS.get(agent.removesuffix('_ann'), 'CartPole')}"]
    space = find_space(None, words)
    space.check(words)
    assert len(space.stored(compose_run(words))) > len(space.ranges) / 2  # the recipe lies in it


@pytest.mark.parametrize("name", [name for name in spaces() if has_learner(name)])
def test_the_spaces_of_learners_hold_their_recipes(name: str) -> None:
    words = [f"experiment={name}"]
    space = find_space(None, words)
    space.check(words)
    assert set(space.stored(compose_run(words))) == set(space.ranges)


def test_a_space_is_no_recipe() -> None:
    assert set(spaces()) >= {"rstdp", "ppo"}
    assert not [name for group in recipes.GROUPS for name in recipe_names(group) if "space" in name]


def test_spaces_of_ones_own_come_first() -> None:
    Path("agents/spaces").mkdir(parents=True)
    Path("agents/spaces/rstdp.yaml").write_text(CALLED)
    assert list(find_space(None, ["env=CartPole"]).ranges) == ["agent.actor_lr"]


def test_what_the_command_line_gives_is_not_searched() -> None:
    space = find_space("rstdp", ["env=CartPole"])
    left = space.without(["env=CartPole", "agent.gamma=0.9", "agent.network.critic={size: 20}", "num_envs=4"])
    assert space.ranges.keys() - left.ranges.keys() == {"agent.gamma", "agent.network.critic.size"}


def test_test_images_choose_nothing() -> None:
    assert as_trial(compose_run(["experiment=mnist_supervised"]))["split"] == "validation"
    env = as_trial(compose_run(["experiment=mnist_reward"]))["env"]
    assert (env["kwargs"]["split"], env["eval_kwargs"]["split"]) == ("train", "validation")


@pytest.mark.parametrize(
    ("written", "error"),
    [
        (
            "agent.actr_lr: {type: float, low: 0.1, high: 1}",
            "agent.actr_lr=0.1: there is no such setting; did you mean agent.actor_lr",
        ),
        ("agent.gamma: {type: float, low: 0.9, high: 0.5}", "agent.gamma.high=0.5: must be above low, which is 0.9"),
        (
            "agent.actor_lr: {type: float, low: 0, high: 1, log: true}",
            "agent.actor_lr.low=0.0: must be above 0 with log: true",
        ),
        ("agent.gamma: {type: float, low: 0.9, high: 1.5}", "agent.gamma=1.5: must be in [0, 1]"),
        ("agent.sim_steps: {type: int, low: 1.5, high: 4}", "agent.sim_steps.low=1.5: must be an integer"),
        (
            "agent.sim_steps: {type: int, low: 1, high: 4, step: 2}",
            "agent.sim_steps.step=2: must be a divisor of 4 - 1",
        ),
        ("agent.sim_steps: {type: int, low: 1}", "agent.sim_steps.high is missing"),
        ("agent.sim_steps: {type: whole, low: 1, high: 4}", "agent.sim_steps.type=whole: must be one of float, int,"),
        ("agent.sim_steps: [1, 4]", "agent.sim_steps=[1, 4]: must be such as {type: float, low:"),
        ("agent.sim_steps: {type: categorical, choices: [4]}", "agent.sim_steps.choices=[4]: must be a list of at"),
        ("agent.sim_steps: {type: categorical, choices: [4, 4]}", "choices=[4, 4]: must be different values"),
        ("seed: {type: int, low: 1, high: 4}", "seed: must be left out"),
        ("eval.episodes: {type: int, low: 1, high: 4}", "eval.episodes: must be left out"),
        (
            "agent.network.actor.neuron.v_treshold: {type: float, low: 1, high: 2}",
            "agent.network.actor.neuron.v_treshold",
        ),
    ],
)
def test_a_space_that_is_wrong_is_told_in_one_line(
    written: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("wrong.yaml").write_text(f"{written}\n")
    assert main(["env=CartPole", "space=wrong.yaml", "out=found"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: space=wrong.yaml: ")
    assert error in said
    assert said.count("\n") == 1
    assert not Path("found").exists()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["env=CartPole", "space=rstpd"], "space=rstpd: there is no such space; did you mean rstdp?"),
        (["env=CartPole", "space=none.yaml"], "space=none.yaml: none.yaml cannot be read"),
        (["env=CartPole", "agent=random"], "space is missing: must be a YAML file or one of"),
        (["agent=rstdp"], "env is missing"),
        (["env=CartPole", "run_dir=here"], "run_dir: must be left out"),
        (["experiment=mnist_supervised", "split=test"], "split: must be left out, trials are judged by the images of"),
        (["env=CartPole", "agent.gamma=2"], "agent.gamma=2: must be in [0, 1]"),
        (["env=CartPole", "pruner=median_stop"], "pruner=median_stop: must be one of median, hyperband, none"),
        (["env=CartPole", "device=cuda:99"], "device=cuda:99: torch sees"),
        (["env=CartPole", "trials=0"], "trials=0: must be"),
        (["env=CartPole", "recipe=hidden_xor"], "recipe=hidden_xor: "),
        (["env=CartPole", "recipe=a b"], "recipe=a b: must be a name"),
        (["env=CartPole", "executor=loca"], "executor=loca: "),
        (["env=CartPole", "agent.actor_lr=0.1", "space=own.yaml"], "space=own.yaml: must be one with a setting that"),
        (
            ["env=CartPole", "storage=postgresql://me:secret@127.0.0.1:1/x"],
            "storage=postgresql://me:***@127.0.0.1:1/x: ",
        ),
        (["env=CartPole", "storage=nowhere://x"], "storage=nowhere://x: cannot be used"),
        (["env=CartPole", "storage=sqlite:////nowhere/x.db"], "storage=sqlite:////nowhere/x.db: cannot be used"),
    ],
)
def test_what_cannot_be_searched_is_told_in_one_line(
    words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("own.yaml").write_text(CALLED)
    assert main([*words, "out=found"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {error}")
    assert said.count("\n") == 1


def test_without_optuna_it_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("snnrl.search.study.find_spec", {}.get)
    assert main(["env=CartPole"]) == 2
    assert capsys.readouterr().err == 'error: the search needs optuna; install by pip install "snnrl[tune]"\n'


def test_a_folder_and_a_study_belong_to_one_search(capsys: pytest.CaptureFixture[str]) -> None:
    from tests.search.test_search import words

    Path("small.yaml").write_text(CALLED)
    assert main(words("trials=1")) == 0
    Path("small.yaml").write_text(CALLED.replace("0.001", "0.002"))
    assert main(words("trials=1")) == 2
    assert (
        "study=it: was begun as another search (space.agent.actor_lr.low was 0.001, now 0.002)"
        in capsys.readouterr().err
    )
    Path("small.yaml").write_text(CALLED)
    assert main([*words("trials=1"), "study=other"]) == 2
    assert "out=found: is the folder of study it, kept elsewhere" in capsys.readouterr().err
    assert main([*words("trials=1"), "storage=found/study.journal", "out=elsewhere"]) == 2
    assert "study=it: its runs are in another folder than out=elsewhere" in capsys.readouterr().err


def test_a_range_that_is_no_mapping_is_refused_where_it_is_read(tmp_path: Path) -> None:
    Path("wrong.yaml").write_text("- a\n")
    with pytest.raises(ConfigError, match=r"space=wrong\.yaml: wrong\.yaml is damaged"):
        find_space("wrong.yaml", [])
