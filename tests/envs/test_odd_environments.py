"""Agents in environments of every space; `pytest -m campaign tests/campaign/test_spaces.py` has the whole table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import snnrl
from snnrl.controls import _constant
from snnrl.errors import ConfigError
from snnrl.train import main as train
from tests.envs.odd_environments import ACTIONS, IMPOSSIBLE, MASKED, OBSERVATIONS, TABLE
from tests.envs.odd_runs import live, settings

SEEN_BY_ALGORITHMS = ("DiscreteStart", "MultiDiscreteStart", "Scalar", "Offset", "SmallPicture", "FloatCube", "Picture")
SEEN_BY_ALGORITHMS += ("GreyFlat", "Cards", "Nested", "DictOfPicture", "PictureAndNumbers")


@pytest.mark.parametrize("name", [*(f"Sees{name}" for name in OBSERVATIONS), *(f"Does{name}" for name in ACTIONS)])
def test_an_agent_of_local_learning_sees_and_acts_in_every_space(name: str) -> None:
    live("rstdp", name)


@pytest.mark.parametrize("name", [f"Sees{name}" for name in SEEN_BY_ALGORITHMS] + [f"Does{name}" for name in ACTIONS])
def test_ppo_sees_and_acts_in_every_space(name: str) -> None:
    live("ppo", name)


@pytest.mark.parametrize("name", ["Discrete", "DiscreteStart", "MultiDiscreteGrid", "MultiBinary", "TupleOfChoices"])
def test_dqn_chooses_one_of_the_combinations_of_several_numbers(name: str) -> None:
    live("dqn", f"Does{name}")


@pytest.mark.parametrize("agent", ["sac", "td3"])
@pytest.mark.parametrize("name", ["DoesBoxScalar", "DoesBoxIntegers", "DoesDictOfBoxes", "PushesPictureAndNumbers"])
def test_continuous_algorithms_act_in_boxes_of_every_kind(agent: str, name: str) -> None:
    live(agent, name)


@pytest.mark.parametrize("agent", ["random", "constant"])
@pytest.mark.parametrize("name", ["DoesMultiDiscreteStart", "DoesMultiBinaryGrid", "DoesTupleOfChoices", "SeesNested"])
def test_baselines_act_in_spaces_of_several_numbers(agent: str, name: str) -> None:
    live(agent, name)


@pytest.mark.parametrize("agent", ["random", "constant", "rstdp", "ppo", "sac"])
@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_is_not_made_of_bounded_numbers_is_refused_in_one_line(agent: str, name: str) -> None:
    with pytest.raises(ConfigError, match=r"(observation|action) space .*: .*must") as error:
        live(agent, name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("agent", "name"),
    [("dqn", "DoesBox"), ("dqn", "DoesMixed"), ("sac", "DoesMultiDiscreteGrid"), ("td3", "DoesMixed")],
)
def test_actions_that_an_algorithm_does_not_have_are_refused_in_one_line(agent: str, name: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"agent={agent}: cannot take the actions; action space .*: must be"
    ) as error:
        live(agent, name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("agent", ["rstdp", "random"])
@pytest.mark.parametrize("name", MASKED)
def test_actions_that_are_not_permitted_are_taken_neither_in_training_nor_in_evaluation(agent: str, name: str) -> None:
    live(agent, f"Masked{name}", steps=25)


def test_an_algorithm_that_ignores_masks_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="is not permitted"):
        live("ppo", "MaskedInfo", steps=20)
    assert "agent=ppo: takes no notice of info['action_mask']" in capsys.readouterr().err


@pytest.mark.parametrize("agent", ["rstdp", "ppo", "random"])
@pytest.mark.parametrize("name", ["SeesNested", "SeesPicture", "SeesScalar", "DoesDictOfBoxes", "DoesDiscreteStart"])
def test_what_is_predicted_for_a_raw_observation_is_a_raw_action(agent: str, name: str) -> None:
    observation_space, action_space = TABLE[name]
    player: Any = live(agent, name, steps=1).model
    one, _ = player.predict(observation_space.sample(), deterministic=True)
    assert action_space.contains(one)
    envs = gymnasium.make_vec(f"odd/{name}-v0", num_envs=3, vectorization_mode="sync")
    many, _ = player.predict(envs.observation_space.sample(), deterministic=False)
    assert envs.action_space.contains(many)
    envs.close()


def test_a_users_own_environment_of_a_tuple_trains_from_its_id_alone_and_is_loaded(tmp_path: Path) -> None:
    quiet = ["eval.episodes=2", "eval.every=0", "logger=none", "progress=none", f"run_dir={tmp_path / 'run'}"]
    assert train(["env.id=Blackjack-v1", "env_steps=64", "num_envs=4", *quiet]) == 0
    env = gymnasium.make("Blackjack-v1")
    observation, _ = env.reset(seed=0)
    action, _ = snnrl.load(tmp_path / "run").predict(observation, deterministic=True)
    assert action in (0, 1)
    env.step(np.int64(action))
    env.close()


@pytest.mark.parametrize("name", ["DoesMultiBinary", "DoesMultiDiscrete", "DoesBoxScalar", "DoesTupleOfChoices"])
def test_controls_try_constant_actions_only_where_actions_are_one_number_with_a_name(name: str) -> None:
    assert _constant(settings("rstdp", name), [0], 1) == []


def test_controls_try_every_constant_action_from_the_first() -> None:
    (best,) = _constant(settings("rstdp", "DoesDiscreteStart"), [0], 1)
    assert best["action"] in (5, 6, 7)
