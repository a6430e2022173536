from __future__ import annotations

import importlib.util
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from snnrl import recipes
from snnrl.agents import make_agent
from snnrl.config import RunConfig
from snnrl.envs import env_seeds, make_envs
from snnrl.errors import ConfigError
from snnrl.errors import __file__ as errors_file
from snnrl.learners import make_learner
from snnrl.loading import checked, make_agent_for
from snnrl.recipes import choice, compose_run, recipe_names, recipe_paths
from snnrl.settings import read as read_settings
from snnrl.training.rollout import Rollout
from snnrl.training.supervised_config import SupervisedConfig
from tests.data_sets import DIGITS

ROOT = Path(errors_file).parents[1]
SHIPPED = {
    group: sorted(path.stem for path in (ROOT / folder).glob("*.yaml")) for group, folder in recipes.GROUPS.items()
}
ALL = [(group, name) for group, names in SHIPPED.items() for name in names]
STUDIES = [name for name in SHIPPED["experiment"] if recipes.has_learner(name)]
ACTING = [(group, name) for group, name in ALL if name not in STUDIES]
GRADIENT = [(group, name) for group, name in ALL if name.partition("_")[0] in ("a2c", "dqn", "ppo", "sac", "td3")]
OWN_AGENTS = [name for name in SHIPPED["agent"] if ("agent", name) not in GRADIENT]
OWN_EXPERIMENTS = [name for group, name in ACTING if group == "experiment" and (group, name) not in GRADIENT]
MINATAR = importlib.util.find_spec("minatar") is not None
BOX2D = importlib.util.find_spec("Box2D") is not None
MUJOCO = importlib.util.find_spec("mujoco") is not None


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, text: str) -> Path:
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(text)
    return Path(path)


def config(*words: str) -> RunConfig:
    return RunConfig.from_mapping(compose_run(words))


def play(read: RunConfig, steps: int) -> int:
    """A few steps of training; returns how many decisions were made."""
    envs = make_envs(read.env, 2, max_threads=1)
    agent = make_agent(read.agent, envs.single_observation_space, envs.single_action_space, read.env, read.seed)
    rollout = Rollout(agent, envs, read.env, env_seeds(0, "train", 0, 2))
    decisions = sum(rollout.step().decisions for _ in range(steps))
    envs.close()
    return decisions


def test_recipes_of_every_group_are_found() -> None:
    assert "SpaceInvaders" in SHIPPED["env"]
    assert "rstdp" in SHIPPED["agent"]
    assert SHIPPED["experiment"]
    assert {group: recipe_names(group) for group in SHIPPED} == SHIPPED


@pytest.mark.parametrize(("group", "name"), ACTING, ids=lambda value: str(value))
def test_every_recipe_composes_into_a_run_without_loose_ends(group: str, name: str) -> None:
    composed = compose_run([f"{group}={name}"])
    assert "${" not in str(composed)
    read = RunConfig.from_mapping(composed)
    if (group, name) not in GRADIENT:
        assert read.env_steps == read.env.env_steps
        assert read.num_envs == read.env.num_envs
    assert read.eval.episodes == read.env.eval_episodes


@pytest.mark.parametrize(("group", "name"), ALL, ids=lambda value: str(value))
def test_every_recipe_begins_with_what_it_is_and_its_command(group: str, name: str) -> None:
    lines = recipe_paths(group)[name].read_text().splitlines()
    header = [line.removeprefix("# ") for line in lines[: next(i for i, line in enumerate(lines) if line[:1] != "#")]]
    assert len(header) >= 2
    (command,) = [line for line in header if line.startswith("Command: ")]
    words = command.removeprefix("Command: python -m snnrl.train ").split()
    assert len(words) >= 1
    checked(compose_run([word for word in words if "<" not in word]))


@pytest.mark.parametrize("name", SHIPPED["env"])
def test_every_environment_recipe_takes_steps_with_its_agent(name: str) -> None:
    if name == "LunarLander" and not BOX2D:
        pytest.skip("box2d is not installed")
    if name == "MNIST" and not DIGITS:
        pytest.skip("MNIST is not in SNNRL_DATA")
    if name == "MinAtar" and not MINATAR:
        pytest.skip("minatar is not installed")
    read = config(f"env={name}")
    steps = 2 * int(read.agent.get("update_every", 1)) + 1
    assert 0 < play(read, steps) <= 2 * steps


@pytest.mark.parametrize("name", OWN_AGENTS)
@pytest.mark.parametrize("env", ["CartPole", "FrozenLake", "Pong"])
def test_every_agent_recipe_takes_steps_in_every_kind_of_environment(name: str, env: str) -> None:
    assert play(config(f"env={env}", f"agent={name}"), 3) == 6


@pytest.mark.parametrize(("group", "name"), GRADIENT)
def test_every_algorithm_of_stable_baselines3_acts_and_its_recipe_holds_every_setting(group: str, name: str) -> None:
    from snnrl.integrations.sb3.building import agent_class

    algorithm = name.partition("_")[0]
    continuous = algorithm in ("sac", "td3")
    envs = ("Pendulum",) if continuous else ("CartPole", "FrozenLake")
    for env in envs if group == "agent" else (None,):
        if "lunarlander" in name and not BOX2D:
            pytest.skip("box2d is not installed")
        if "mujoco" in name and not MUJOCO:
            pytest.skip("mujoco is not installed")
        read = config(f"{group}={name}", *([] if env is None else [f"env={env}"]))
        assert set(read.agent) == {"name", *(field.name for field in fields(agent_class(read.agent).Config))}
        envs_made = make_envs(read.env, 2)
        observation, _ = envs_made.reset(seed=0)
        agent = make_agent_for(read.env, read.agent)
        action, _ = agent.predict(observation, None, np.ones(2, bool), True)
        envs_made.step(action)
        envs_made.close()


@pytest.mark.parametrize("name", OWN_EXPERIMENTS)
def test_every_experiment_takes_steps(name: str) -> None:
    read = config(f"experiment={name}")
    if read.env.id == "snnrl/MNIST-v0":
        if not DIGITS:
            pytest.skip("MNIST is not in SNNRL_DATA")
        assert play(read, 3) == 4, "every other step only shows an image"
    else:
        assert play(read, 3) == 6


def test_recipes_of_agents_hold_every_setting_of_their_agent() -> None:
    from snnrl.agents.rstdp_config import RSTDPConfig

    for name in ("rstdp", "rstdp_objects"):
        assert set(config("env=CartPole", f"agent={name}").agent) == {"name", *RSTDPConfig.__dataclass_fields__}


def test_the_recipe_of_action_values_says_what_are_its_defaults() -> None:
    from snnrl.agents.sarsa import SarsaConfig

    written = dict(config("env=Pong", "agent=sarsa_frames").agent)
    assert set(written) == {"name", *SarsaConfig.__dataclass_fields__}
    found = read_settings(SarsaConfig, {name: value for name, value in written.items() if name != "name"}, "agent")
    assert replace(found, encoder={}) == SarsaConfig()


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_composes_and_holds_every_setting_of_its_learner(name: str) -> None:
    composed = compose_run([f"experiment={name}"])
    assert "${" not in str(composed)
    read = SupervisedConfig.from_mapping(composed)
    learner = make_learner(read.learner, (1, 28, 28), 10)
    assert set(read.learner) == {"name", *(field.name for field in fields(learner.Config))}


def test_settings_of_a_learner_need_no_prefix_and_may_have_it() -> None:
    for word in ("n_neurons=7", "learner.n_neurons=7"):
        assert compose_run(["experiment=mnist_unsupervised", word])["learner"]["n_neurons"] == 7


def test_a_study_of_ones_own_begins_with_a_shipped_one() -> None:
    write("experiments/mine.yaml", "defaults:\n  - mnist_unsupervised\n\npasses: 3\nlearner:\n  n_neurons: 9\n")
    composed = compose_run(["experiment=mine", "dataset=KMNIST"])
    assert (composed["passes"], composed["dataset"], composed["learner"]["n_neurons"]) == (3, "KMNIST", 9)
    assert composed["learner"]["sim_steps"] == compose_run(["experiment=mnist_unsupervised"])["learner"]["sim_steps"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("n_neuron=3", "n_neuron=3: there is no such setting; did you mean learner.n_neurons?"),
        ("env=CartPole", "env=CartPole: experiment=mnist_unsupervised learns from a data set"),
        ("agent.gamma=1", "agent.gamma=1: experiment=mnist_unsupervised learns from a data set"),
        ("env_steps=5", "env_steps=5: there is no such setting"),
        ("datasets=KMNIST", "did you mean dataset?"),
    ],
)
def test_what_a_study_does_not_know_is_refused(word: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        compose_run(["experiment=mnist_unsupervised", word])
    assert message in str(raised.value)


def test_a_recipe_of_ones_own_in_the_current_folder_is_found() -> None:
    write("envs/Mine.yaml", "id: Acrobot-v1\nenv_steps: 77\nnum_envs: 3\neval_episodes: 5\n")
    write("agents/still.yaml", "name: constant\naction: 2\n")
    read = config("env=Mine", "agent=still")
    assert (read.env.id, read.env_steps, read.num_envs, read.eval.episodes) == ("Acrobot-v1", 77, 3, 5)
    assert read.agent == {"name": "constant", "action": 2}
    assert "Mine" in recipe_names("env")
    assert "CartPole" in recipe_names("env"), "the shipped ones stay"
    assert choice("Mine") == "env=Mine"


def test_a_recipe_of_ones_own_comes_before_a_shipped_one_of_its_name() -> None:
    shipped = config("env=CartPole").env_steps
    write("envs/CartPole.yaml", "id: CartPole-v1\nenv_steps: 7\nnum_envs: 1\neval_episodes: 1\n")
    assert config("env=CartPole").env_steps == 7 != shipped
    Path("envs/CartPole.yaml").unlink()
    assert config("env=CartPole").env_steps == shipped, "nothing of it stays behind in Hydra"


def test_a_recipe_of_ones_own_may_name_its_agent() -> None:
    text = "defaults:\n  - override /agent: random\n\nid: CartPole-v1\nenv_steps: 7\nnum_envs: 1\neval_episodes: 1\n"
    write("envs/Mine.yaml", text)
    assert config("env=Mine").agent["name"] == "random"
    assert config("env=Mine", "agent=rstdp").agent["name"] == "rstdp"


@pytest.mark.parametrize(("env_id", "steps"), [("MountainCar-v0", 100_000), ("ALE/Pong-v5", 1_000_000)])
def test_an_id_without_a_recipe_takes_the_one_for_its_kind(env_id: str, steps: int) -> None:
    read = config(f"env.id={env_id}")
    assert read.env.id == env_id
    assert read.env_steps == steps
    assert read.env.is_atari == (read.env.atari is not None)


def test_an_atari_game_takes_the_agent_for_pixels_and_anything_else_the_one_for_vectors() -> None:
    def network(*words: str) -> object:
        return config(*words).agent["network"]

    pixels, vectors = network("env=Atari", "agent=sarsa_frames"), network("env.id=MountainCar-v0", "agent=rstdp")
    assert pixels != vectors
    assert network("env.id=ALE/Pong-v5") == pixels
    assert network("env.id=Acrobot-v1") == vectors
    assert config("env.id=ALE/Pong-v5", "agent=random").agent == {"name": "random"}


def test_an_id_beside_a_recipe_changes_the_recipes_environment_alone() -> None:
    plain, changed = config("env=Acrobot"), config("env=Acrobot", "env.id=MountainCar-v0")
    assert changed.env.id == "MountainCar-v0"
    assert changed.env.reward == plain.env.reward
    assert changed.env_steps == plain.env_steps


@pytest.mark.parametrize(
    ("env", "word"), [("CartPole", "env=CartPole"), ("CartPole-v1", "env.id=CartPole-v1"), ("ALE/Pong-v5", None)]
)
def test_a_name_stands_for_a_recipe_before_it_stands_for_an_id(env: str, word: str | None) -> None:
    assert choice(env) == (word or f"env.id={env}")


def test_an_experiment_sets_what_it_names_and_the_command_line_has_the_last_word() -> None:
    write(
        "experiments/fast.yaml",
        "# @package _global_\ndefaults:\n  - override /env: CartPole\n  - override /agent: rstdp\n\n"
        "env_steps: 99\nagent:\n  gamma: 0.5\nenv:\n  reward:\n    scale: 3.0\n",
    )
    read = config("experiment=fast")
    assert (read.env.id, read.env_steps, read.agent["gamma"], read.env.reward.scale) == ("CartPole-v1", 99, 0.5, 3.0)
    assert read.agent["tau"] == config("env=CartPole").agent["tau"]
    changed = config("experiment=fast", "agent.gamma=0.75", "env_steps=3")
    assert (changed.env.id, changed.env_steps, changed.agent["gamma"]) == ("CartPole-v1", 3, 0.75)
    other = config("experiment=fast", "env=Acrobot")
    assert (other.env.id, other.env_steps) == ("Acrobot-v1", 99)


@pytest.mark.parametrize("text", ["id: [1", "id: a: b", "\tid: x", "- id\n- seed"])
@pytest.mark.parametrize("group", ["env", "agent", "experiment"])
def test_a_file_that_is_no_recipe_is_an_error_that_names_it(group: str, text: str) -> None:
    path = write(f"{recipes.GROUPS[group]}/Broken.yaml", text)
    with pytest.raises(ConfigError, match=rf"{group}=Broken: \S*{path}") as raised:
        compose_run([f"{group}=Broken"])
    assert "\n" not in str(raised.value)


def test_an_unknown_setting_in_a_recipe_of_ones_own_is_named() -> None:
    write("envs/Mine.yaml", "id: CartPole-v1\nenv_step: 7\nenv_steps: 7\nnum_envs: 1\neval_episodes: 1\n")
    with pytest.raises(ConfigError, match=r"env\.env_step=7: there is no such setting; did you mean env_steps"):
        config("env=Mine")


def test_mappings_that_are_passed_on_take_any_key() -> None:
    words = ["++env.kwargs.map_name=4x4", "+agent.encoder.scale=[1.0]", "agent.encoder.rows=[1,5]"]
    read = config("env=FrozenLake", *words)
    assert read.env.kwargs == {"map_name": "4x4", "is_slippery": True}
    assert read.agent["encoder"] == {"name": None, "scale": [1.0], "rows": [1, 5]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["env=FrozenLake", "env.kwargs.is_slipery=true"],
            r"env\.kwargs=.*is_slipery.*must be arguments of FrozenLake",
        ),
        (["env=CartPole", "agent.encoder.scal=[1]"], r"agent\.encoder\.scal=.*: .*scale"),
        (["env=Pong", "agent.encoder.row=[1,5]"], r"agent\.encoder\.row=.*: .*rows"),
        (["env=Pong", "env.kwargs.mode=1"], r"env\.kwargs\.mode=1: there is no such setting of an Atari game"),
    ],
)
def test_an_unknown_key_in_them_is_refused_by_who_takes_it(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        play(config(*words), 1)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("env=cartpole", "did you mean CartPole"),
        ("agent=sarsa_frame", "did you mean sarsa_frames"),
        ("env.rewards.scale=1", "did you mean env.reward.scale"),
        ("env.reward.scal=1", "did you mean env.reward.scale"),
        ("agent.lr_end=1", "agent.lr_end_factor"),
        ("evil.every=1", "did you mean eval.every"),
    ],
)
def test_a_misspelt_name_is_answered_by_the_nearest(word: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        compose_run(["env=CartPole", word] if not word.startswith("env=") else [word])
    assert message in str(raised.value)


def test_composing_leaves_hydra_as_it_was() -> None:
    from hydra.core.global_hydra import GlobalHydra

    compose_run(["env=CartPole"])
    assert not GlobalHydra.instance().is_initialized()
    with pytest.raises(ConfigError):
        compose_run(["env=CartPole", "agent.gama=1"])
    assert not GlobalHydra.instance().is_initialized()


def test_composing_twice_gives_the_same() -> None:
    words = ["env=Pong", "agent.gamma=0.9", "env.kwargs.full_action_space=true"]
    assert compose_run(words) == compose_run(words)


def test_the_plain_command_trains_on_space_invaders() -> None:
    read = config()
    assert read.env.id == "ALE/SpaceInvaders-v5"
    assert read.agent == config("env=SpaceInvaders").agent


def test_folders_beside_an_installed_package_are_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a ``pyproject.toml`` beside the package, a folder ``agents`` there is somebody else's."""
    site = tmp_path / "site-packages"
    for folder in (site / "agents", site / "snnrl" / "recipes_data" / "agents"):
        folder.mkdir(parents=True)
        (folder / f"{folder.parent.name}.yaml").write_text("name: random\n")
    monkeypatch.setattr(recipes, "__file__", str(site / "snnrl" / "recipes.py"))
    assert recipe_names("agent") == ["recipes_data"]
    assert recipe_names("env") == []


def test_two_loggers_are_given_with_a_comma() -> None:
    assert config("env=CartPole", "logger=tensorboard,wandb").logger == "tensorboard,wandb"


@pytest.mark.parametrize("key", ["env.kwargs", "env.eval_kwargs", "agent.neuron_kwargs"])
def test_mappings_that_are_passed_on_can_be_given_whole_or_by_their_keys(key: str) -> None:
    section, name = key.split(".")
    for word in (f"{key}={{a: 1}}", f"{key}.a=1"):
        assert compose_run(["env=CartPole", "agent=ppo", word])[section][name]["a"] == 1, word


def test_a_section_that_is_given_whole_has_known_settings_alone() -> None:
    assert compose_run(["env=CartPole", "eval={every: 5}"])["eval"]["every"] == 5
    with pytest.raises(ConfigError, match=r"eval=\{evry: 5\}: there is no setting eval.evry; did you mean eval.every"):
        compose_run(["env=CartPole", "eval={evry: 5}"])
