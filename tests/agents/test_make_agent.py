from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from snnrl import loading
from snnrl.agents import Agent, make_agent
from snnrl.agents.rstdp import RSTDP
from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError

TOY = EnvConfig("Toy-v0")


def built(**settings: Any) -> Agent[Any]:
    return make_agent({"name": "rstdp", **settings}, spaces.Discrete(3), spaces.Discrete(2), TOY, 5)


@dataclass(frozen=True)
class PatientConfig:
    patience: int = 3
    pace: float = 1.0


class Patient(Agent[None]):
    """A third party's agent."""

    Config = PatientConfig

    def __init__(
        self, observation_space: Any, action_space: Any, config: PatientConfig, env: EnvConfig, seed: int
    ) -> None:
        super().__init__(observation_space, action_space, seed)
        self.config, self.env, self.seed = config, env, seed

    def begin(self, num_envs: int) -> None:
        return None

    def act(self, observation: Any, feedback: Any, state: None) -> tuple[Any, None]:
        return np.zeros(len(observation), dtype=np.int64), None

    def predict(self, observation: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        return 0, None


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("third_party_agents")
    module.Patient = Patient  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "third_party_agents", module)


@pytest.mark.parametrize("name", ["constant", "random", "rstdp"])
def test_every_agent_is_made_from_its_name_alone(name: str) -> None:
    agent = make_agent({"name": name}, spaces.Discrete(3), spaces.Discrete(2), TOY)
    assert isinstance(agent, Agent)
    action, _ = agent.predict(np.array([0, 1]))
    assert all(one in (0, 1) for one in action)


def test_settings_and_seed_reach_the_agent() -> None:
    agent = built(network={"actor": {"per_action": 4}}, value_range=[-2, 3], temperature=1)
    assert isinstance(agent, RSTDP)
    assert agent.config.network.actor.per_action == 4
    assert agent.config.value_range == (-2.0, 3.0)
    assert isinstance(agent.config.temperature, float)
    assert agent.network.connections["input to actor"].weight.shape == (8, 3)
    assert agent.generator.initial_seed() == 5


@pytest.mark.usefixtures("third_party")
def test_a_third_partys_agent_is_named_by_module_and_class() -> None:
    agent = make_agent(
        {"name": "third_party_agents:Patient", "patience": 7}, spaces.Discrete(3), spaces.Discrete(2), TOY, 2
    )
    assert type(agent) is Patient
    assert (agent.config, agent.env, agent.seed) == (PatientConfig(7), TOY, 2)


@pytest.mark.usefixtures("third_party")
def test_settings_of_a_third_partys_agent_are_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"agent\.patients=7: .* did you mean patience"):
        built(name="third_party_agents:Patient", patients=7)
    with pytest.raises(ConfigError, match=r"agent\.patience=1\.5: must be an integer"):
        built(name="third_party_agents:Patient", patience=1.5)


def test_an_unknown_name_is_an_error_that_suggests_one() -> None:
    with pytest.raises(ConfigError, match=r"agent\.name=rstpd: there is no such agent; did you mean rstdp\?"):
        built(name="rstpd")
    with pytest.raises(ConfigError, match="there are: a2c, constant, dqn, ppo, random, rstdp"):
        built(name="xyzzy")


@pytest.mark.usefixtures("third_party")
@pytest.mark.parametrize("name", ["no_such_module:Agent", "third_party_agents:Impatient", "third_party_agents:"])
def test_an_agent_that_cannot_be_imported_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match=f"agent.name={name}: cannot be imported"):
        built(name=name)


class Unfinished(Agent[None]):
    Config = PatientConfig


class Narrow(Patient):
    def __init__(self, observation_space: Any, action_space: Any, seed: int) -> None:
        super().__init__(observation_space, action_space, PatientConfig(), TOY, seed)


class Stranger:
    Config = PatientConfig


@pytest.mark.usefixtures("third_party")
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Unfinished, "lacks act, begin, predict of an Agent"),
        (Narrow, r"must take \(observation_space, action_space, config, env, seed\)"),
        (Stranger, "must be a subclass of snnrl.agents.Agent"),
    ],
)
def test_a_class_that_is_no_whole_agent_is_refused(
    kind: type[Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["third_party_agents"], "Odd", kind, raising=False)
    with pytest.raises(ConfigError, match=f"agent.name=third_party_agents:Odd: {message}"):
        built(name="third_party_agents:Odd")


def test_an_unknown_setting_is_an_error_that_suggests_one() -> None:
    with pytest.raises(ConfigError, match=r"agent\.gama=0\.9: there is no such setting; did you mean gamma\?"):
        built(gama=0.9)


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("sim_steps", 5.0, "an integer"),
        ("sim_steps", "5", "an integer"),
        ("sim_steps", True, "an integer"),
        ("sim_steps", None, "an integer"),
        ("gamma", "high", "a number"),
        ("gamma", True, "a number"),
        ("gamma", [0.9], "a number"),
        ("plasticity", 1, "true or false"),
        ("plasticity", "yes", "true or false"),
        ("modulator", 3, "td or shuffled"),
        ("value_range", 1.0, "a list"),
        ("value_range", [1.0], "a list"),
        ("value_range", [0.0, 1.0, 2.0], "a list"),
        ("value_range", [0.0, "one"], "a list of 2 numbers"),
    ],
)
def test_a_setting_of_the_wrong_type_is_an_error_that_names_it(setting: str, value: Any, expected: str) -> None:
    with pytest.raises(ConfigError, match=rf"agent\.{setting}=.*: must be {re.escape(expected)}"):
        built(**{setting: value})


def test_a_setting_out_of_range_is_an_error_that_names_it() -> None:
    with pytest.raises(ConfigError, match=r"agent\.temperature=-1: must be above 0"):
        built(temperature=-1)


def test_an_agent_for_a_named_environment_takes_the_recipes_settings_with_changes() -> None:
    agent = loading.make_agent("CartPole", seed=3, update_every=2)
    assert isinstance(agent, RSTDP)
    assert agent.config.update_every == 2
    assert agent.generator.initial_seed() == 3
    action, _ = agent.predict(np.zeros(4))
    assert action in (0, 1)
    with pytest.raises(ConfigError, match=r"agent\.update_evry=2: .* did you mean update_every"):
        loading.make_agent("CartPole", update_evry=2)


def test_another_agent_can_be_named_for_an_environment() -> None:
    agent = loading.make_agent("CartPole", "constant", action=1)
    assert agent.predict(np.zeros((2, 4)))[0].tolist() == [1, 1]
