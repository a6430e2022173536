"""Environments that break their word are named, whatever they return."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from snnrl.envs import Checked, make_env, make_envs
from snnrl.errors import ConfigError, RunError

Result = tuple[Any, Any, Any, Any, Any]
BOX = spaces.Box(-np.inf, np.inf, (3,), np.float32)
GOOD = np.array([0.5, -1.0, 1e6], np.float32)


class Told(gymnasium.Env[Any, Any]):
    """Every step is ``result`` from the ``at``-th on, and a good one before."""

    action_space = spaces.Discrete(2)

    def __init__(self, space: spaces.Space[Any], good: Any, result: Callable[[], Result], at: int = 1) -> None:
        self.observation_space, self.good, self.result, self.at, self.count = space, good, result, at, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.good, {}

    def step(self, action: Any) -> Any:
        self.count += 1
        return self.result() if self.count == self.at else (self.good, 1.0, self.count % 4 == 0, False, {})


def stepped(observation: Any = GOOD, reward: Any = 1.0, terminated: Any = False, info: Any = None) -> Result:
    return observation, reward, terminated, False, {} if info is None else info


def bad(index: int, value: float) -> Any:
    observation = GOOD.astype(np.float64)
    observation[index] = value
    return observation


FAULTS: list[tuple[Result, str]] = [
    (stepped(bad(1, np.nan)), "an observation with nan at (1,)"),
    (stepped(bad(0, np.inf)), "an observation with inf at (0,)"),
    (stepped(bad(2, -np.inf)), "an observation with -inf at (2,)"),
    (stepped(bad(2, 1e30)), "an observation with 1e+30 at (2,)"),
    (stepped(GOOD[:2]), "an observation of shape (2,)"),
    (stepped(GOOD[None]), "an observation of shape (1, 3)"),
    (stepped(None), "an observation None"),
    (stepped([0.0, None, 0.0]), "an observation [0.0, None, 0.0]"),
    (stepped([[0.0], [0.0, 1.0]]), "an observation [[0.0], [0.0, 1.0]]"),
    (stepped("abc"), "an observation of <U3"),
    (stepped(GOOD + 0j), "an observation of complex64"),
    (stepped(reward=float("nan")), "the reward nan"),
    (stepped(reward=np.float32(np.inf)), "the reward inf"),
    (stepped(reward=1e300), "the reward 1e+300"),
    (stepped(reward=-(10**400)), "the reward -inf"),
    (stepped(reward=None), "the reward None"),
    (stepped(reward="1.0"), "the reward '1.0'"),
    (stepped(reward=np.ones(2)), "the reward array([1., 1.])"),
    (stepped(terminated=None), "terminated=None"),
    (stepped(terminated="no"), "terminated='no'"),
    (stepped(info=[]), "info=[]"),
]


@pytest.mark.parametrize(("result", "found"), FAULTS, ids=[found for _, found in FAULTS])
def test_a_step_that_cannot_be_learned_from_is_refused_by_name(result: Result, found: str) -> None:
    env = Checked(Told(BOX, GOOD, lambda: result))
    env.reset()
    with pytest.raises(RunError) as caught:
        env.step(0)
    assert str(caught.value).startswith(f"env.id=Told: {found} ")
    assert "at step 1 of episode 1" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "result",
    [
        stepped(GOOD.tolist()),
        stepped(GOOD.astype(np.float64)),
        stepped(np.ones(3, int)),
        stepped(np.full(3, 1e14, np.float32)),
        stepped(reward=3),
        stepped(reward=np.float32(2)),
        stepped(reward=np.array(2.0)),
        stepped(terminated=np.True_),
        stepped(terminated=1),
    ],
)
def test_what_gymnasium_takes_is_passed_on_as_it_is(result: Result) -> None:
    env = Checked(Told(BOX, GOOD, lambda: result))
    env.reset()
    assert all(found is given for found, given in zip(env.step(0), result, strict=True))


SPACES: list[tuple[spaces.Space[Any], Any, Any, str]] = [
    (spaces.Discrete(3, start=2), 4, 5, "an observation 5"),
    (spaces.Discrete(3, start=2), np.int64(2), 1, "an observation 1"),
    (spaces.Discrete(3), np.array(1), 1.0, "an observation 1.0"),
    (spaces.MultiDiscrete([3, 4]), np.array([1, 1]), np.array([1.0, 1.0]), "an observation of float64"),
    (spaces.MultiDiscrete([3, 4]), np.array([2, 3]), np.array([0, 4]), "an observation with 4 at (1,)"),
    (spaces.MultiDiscrete([3, 4], start=[1, -1]), np.array([3, -1]), [0, 0], "an observation with 0 at (0,)"),
    (spaces.MultiBinary(2), np.array([1, 0], np.int8), np.array([1, -1], np.int8), "an observation with -1 at (1,)"),
    (spaces.MultiBinary((1, 2)), np.zeros((1, 2), np.int8), [[0, 2]], "an observation with 2 at (0, 1)"),
    (spaces.Dict(a=spaces.MultiBinary(1)), {"a": [1]}, {"a": [2]}, "in part 'a' of the observation, an observation"),
    (spaces.Tuple([spaces.MultiDiscrete([2])]), ([1],), ([2],), "in part 0 of the observation, an observation with 2"),
    (spaces.MultiBinary(2), np.array([1, 0], np.int8), np.array([1, 0, 1], np.int8), "an observation of shape (3,)"),
    (spaces.Box(0, 255, (2, 2), np.uint8), np.zeros((2, 2), int), np.full((2, 2), 300), "an observation from 300 to"),
    (spaces.Box(0, 255, (2, 2), np.uint8), np.zeros((2, 2), np.uint8), np.zeros((2, 2)), "an observation of float64"),
    (spaces.Box(-np.inf, np.inf, (), np.float64), np.float64(1), np.float64(np.nan), "an observation with nan at step"),
    (spaces.Dict(a=BOX, b=spaces.Discrete(2)), {"a": GOOD, "b": 1}, {"a": GOOD}, "an observation {'a'"),
    (spaces.Dict(a=BOX), {"a": GOOD}, {"a": bad(1, np.nan)}, "in part 'a' of the observation, an observation with nan"),
    (spaces.Tuple((BOX, BOX)), (GOOD, GOOD), (GOOD, bad(1, np.inf)), "in part 1 of the observation, an observation"),
]


@pytest.mark.parametrize(("space", "good", "wrong", "found"), SPACES)
def test_every_space_is_checked(space: spaces.Space[Any], good: Any, wrong: Any, found: str) -> None:
    env = Checked(Told(space, good, lambda: (wrong, 0.0, False, False, {}), at=2))
    env.reset()
    assert env.step(0)[0] is good
    with pytest.raises(RunError, match=r"env\.id=Told: ") as caught:
        env.step(0)
    assert found in str(caught.value)


def test_a_reset_is_checked_as_well() -> None:
    with pytest.raises(RunError, match=r"an observation with nan at \(0,\) at the reset before episode 1"):
        Checked(Told(BOX, bad(0, np.nan), stepped)).reset()


@pytest.fixture
def raising() -> Iterator[str]:
    """An environment that raises at its sixth step, the second of its second episode."""

    def broken() -> Result:
        raise KeyError("battery")

    gymnasium.register("Raising-v0", lambda: Told(BOX, GOOD, broken, at=6), disable_env_checker=True)
    yield "Raising-v0"
    del gymnasium.registry["Raising-v0"]


def test_what_an_environment_raises_keeps_its_traceback_and_says_where_it_was(raising: str) -> None:
    envs = make_envs(raising, 2)
    envs.reset(seed=[1, 2])  # type: ignore[arg-type]
    for _ in range(6):
        envs.step(np.array([0, 1]))
    with pytest.raises(KeyError, match="battery") as caught:
        envs.step(np.array([0, 1]))
    envs.close()
    (note,) = caught.value.__notes__
    assert note.startswith("raised by env.id=Raising-v0, environment 0 at step 2 of episode 2, its step 6 in all")
    assert "broken" in [entry.name for entry in caught.traceback]


def test_an_environment_that_leaves_the_program_is_named() -> None:
    env = Checked(Told(BOX, GOOD, sys.exit, at=2))
    env.reset()
    env.step(0)
    with pytest.raises(RunError, match=r"^env\.id=Told: called sys\.exit\(None\) at step 2 of episode 1"):
        env.step(0)
    env.env.reset = lambda **_: sys.exit("no display")  # type: ignore[method-assign]
    with pytest.raises(RunError, match=r"called sys\.exit\('no display'\) at the reset before episode 2"):
        env.reset()


def test_one_environment_alone_is_checked_too(raising: str) -> None:
    env = make_env(raising)
    env.reset()
    for _ in range(5):
        env.step(1)
    with pytest.raises(KeyError) as caught:
        env.step(1)
    assert "env.id=Raising-v0 at step 6" in caught.value.__notes__[0]


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_values_of_a_narrow_type_are_checked_in_a_wide_one(value: float) -> None:
    space = spaces.Box(-np.inf, np.inf, (2,), np.float16)
    good = np.array([60_000, -60_000], np.float16)
    env = Checked(Told(space, good, lambda: stepped(np.array([0, value], np.float16)), at=2))
    env.reset()
    env.step(0)
    with pytest.raises(RunError, match=r"an observation with -?(inf|nan) at \(1,\)"):
        env.step(0)


@pytest.mark.parametrize("env_id", [":CartPole-v1", "..:CartPole-v1", "a.:CartPole-v1"])
def test_an_id_with_no_name_of_a_module_is_one_line(env_id: str) -> None:
    with pytest.raises(ConfigError, match=r"env\.id=.*: must be module:Id"):
        make_env(env_id)


@pytest.mark.parametrize("lenient", [True, False])
@pytest.mark.parametrize("left_out", [True, False])
@pytest.mark.parametrize("name", ["observation_space", "action_space"])
def test_an_environment_without_a_space_is_one_line(name: str, left_out: bool, lenient: bool) -> None:
    def made() -> gymnasium.Env[Any, Any]:
        env = type("Spaceless", (Told,), {"action_space": None})(BOX, GOOD, stepped)
        env.action_space = spaces.Discrete(2)
        setattr(env, name, None)
        if left_out:
            delattr(env, name)
        return env  # type: ignore[no-any-return]

    gymnasium.register("Spaceless-v0", made, disable_env_checker=lenient)
    for make in (make_env, lambda env_id: make_envs(env_id, 2)):
        with pytest.raises(RunError, match=rf"^env\.id=Spaceless-v0: .*{name.partition('_')[0]}.space"):
            make("Spaceless-v0")
    del gymnasium.registry["Spaceless-v0"]


def test_an_environment_that_leaves_the_program_when_it_is_made_is_named() -> None:
    gymnasium.register("Leaving-v0", lambda: sys.exit("no licence"))
    with pytest.raises(RunError, match=r"^env\.id=Leaving-v0: called sys\.exit\('no licence'\)"):
        make_env("Leaving-v0")
    del gymnasium.registry["Leaving-v0"]
