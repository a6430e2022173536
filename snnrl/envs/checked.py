"""What an environment returns, checked where it enters: one that misbehaves is named, with its step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, NoReturn, SupportsFloat

import numpy as np
from gymnasium import spaces

from snnrl.envs.masks import flat_mask, mask_length
from snnrl.envs.types import Env, Wrapper
from snnrl.errors import RunError
from snnrl.spaces import Space
from snnrl.types import Action, Array, Info, Observation, Setting

LARGEST = 1e15
"""Magnitude above which no observation or reward is taken: squared and summed it would leave float32."""


class Fault(NamedTuple):
    """What was returned, and what it must be."""

    found: str
    expected: str


Finder = Callable[[Observation], Fault | None]
"""Says what is wrong with an observation, ``None`` if nothing is."""


class Checked(Wrapper):
    """An environment whose every observation and reward can be learned from.

    Running statistics and weights would take a single NaN for good. What the environment itself raises keeps its
    traceback and gets a note of where that was.

    Args:
        env: the environment.

    Attributes:
        row: its place among those that are stepped together; ``None`` where it is alone.

    Raises:
        RunError: for an environment without a space; and by :meth:`reset` and :meth:`step`, with the environment and
            the step, for an observation, reward, flag or mask that is not what the spaces and Gymnasium promise, or
            for ``sys.exit``.
    """

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self.row: int | None = None
        for name in ("observation_space", "action_space"):
            space = getattr(env, name, None)
            if not isinstance(space, spaces.Space):
                raise RunError(f"{self._name()}: its {name} is {_shown(space)}; must be one of gymnasium.spaces")
        self._episodes = self._steps = self._all_steps = 0
        self._fault_of = _finder(env.observation_space)
        self._mask_length = mask_length(env.action_space)

    def reset(self, *, seed: int | None = None, options: dict[str, Setting] | None = None) -> tuple[Observation, Info]:
        """Begin an episode."""
        self._episodes, self._steps = self._episodes + 1, 0
        try:
            observation, info = self.env.reset(seed=seed, options=options)
        except Exception as error:
            error.add_note(f"raised by {self._name()} {self._when()}")
            raise
        except SystemExit as error:
            raise self._left(error) from error
        fault = self._fault_of(observation) or _fault_of_info(info)
        if fault is not None:
            self._refuse(fault)
        return observation, self._with_sound_mask(info) if "action_mask" in info else info

    def step(self, action: Action) -> tuple[Observation, SupportsFloat, bool, bool, Info]:
        """Take a step."""
        self._steps, self._all_steps = self._steps + 1, self._all_steps + 1
        try:
            observation, reward, terminated, truncated, info = self.env.step(action)
        except Exception as error:
            error.add_note(f"raised by {self._name()} {self._when()}, given the action {_shown(action)}")
            raise
        except SystemExit as error:
            raise self._left(error) from error
        fault = self._fault_of(observation)
        if not (isinstance(reward, float) and -LARGEST <= reward <= LARGEST):
            fault = fault or _fault_of_reward(reward)
        if not (type(terminated) is bool and type(truncated) is bool and type(info) is dict):
            fault = fault or _fault_of_flags(terminated, truncated) or _fault_of_info(info)
        if fault is not None:
            self._refuse(fault)
        if "action_mask" in info:
            info = self._with_sound_mask(info)
        return observation, reward, terminated, truncated, info

    def _with_sound_mask(self, info: Info) -> Info:
        """``info`` with a mask that fits the actions, or without one where it is ``None``."""
        given = info["action_mask"]
        if given is None:
            return {key: value for key, value in info.items() if key != "action_mask"}
        length = self._mask_length
        if length is not None:
            flat = flat_mask(given)
            if flat is None or len(flat) != length:
                found = _shown(given) if flat is None else f"{_shown(given)} of {len(flat)} values"
                self._refuse(Fault(f"info['action_mask']={found}", f"{length} values of 0 or 1"))
        return info

    def _refuse(self, fault: Fault) -> NoReturn:
        raise RunError(f"{self._name()}: {fault.found} {self._when()}; must be {fault.expected}")

    def _left(self, error: SystemExit) -> RunError:
        """For an environment that would end the whole program, and a training run with it as if all were well."""
        return RunError(f"{self._name()}: called sys.exit({_shown(error.code)}) {self._when()}; must raise an error")

    def _name(self) -> str:
        name = self.spec.id if self.spec is not None else type(self.unwrapped).__name__
        return f"env.id={name}" if self.row is None else f"env.id={name}, environment {self.row}"

    def _when(self) -> str:
        if not self._steps:
            return f"at the reset before episode {self._episodes}"
        return f"at step {self._steps} of episode {self._episodes}, its step {self._all_steps} in all"


def numbered(envs: Iterable[Env]) -> None:
    """Tell environments that are stepped together their places."""
    for row, env in enumerate(envs):
        env.set_wrapper_attr("row", row)


def _finder(space: Space) -> Finder:
    """What finds faults in observations of a space."""
    if isinstance(space, spaces.Dict):
        return _parts({name: _finder(part) for name, part in space.spaces.items()}, dict)
    if isinstance(space, spaces.Tuple):
        return _parts(dict(enumerate(map(_finder, space.spaces))), tuple)
    if isinstance(space, spaces.Discrete):
        return _number(int(space.start), int(space.start) + int(space.n))
    if isinstance(space, spaces.MultiDiscrete):
        start = np.asarray(space.start)
        return _numbers(_array(space.shape, np.dtype(space.dtype)), start, start + (space.nvec - 1))
    if isinstance(space, spaces.MultiBinary):
        zeros = np.zeros(space.shape, np.int8)
        return _numbers(_array(space.shape, np.dtype(space.dtype)), zeros, zeros + 1)
    if isinstance(space, spaces.Box):
        return _array(space.shape, np.dtype(space.dtype))
    return lambda observation: None


def _parts(
    finders: Mapping[str, Finder] | Mapping[int, Finder],
    kind: type[dict[object, Observation]] | type[tuple[Observation, ...]],
) -> Finder:
    def fault_of(observation: Observation) -> Fault | None:
        fits = isinstance(observation, kind)
        if not (fits and len(observation) == len(finders)):
            return Fault(f"an observation {_shown(observation)}", f"a {kind.__name__} of {len(finders)} parts")
        for key, finder in finders.items():
            if kind is dict and key not in observation:
                return Fault(f"an observation without {key!r}", f"a dict with {', '.join(map(repr, finders))}")
            fault = finder(observation[key])
            if fault is not None:
                return Fault(f"in part {key!r} of the observation, {fault.found}", fault.expected)
        return None

    return fault_of


def _number(low: int, high: int) -> Finder:
    def fault_of(observation: Observation) -> Fault | None:
        fits = isinstance(observation, (int, np.integer)) or (
            isinstance(observation, np.ndarray) and observation.ndim == 0 and observation.dtype.kind in "iu"
        )
        if fits and low <= observation < high:
            return None
        return Fault(f"an observation {_shown(observation)}", f"an integer from {low} to {high - 1}")

    return fault_of


def _numbers(finder: Finder, low: Array, high: Array) -> Finder:
    """What ``finder`` finds, and numbers outside their own limits."""

    def fault_of(observation: Observation) -> Fault | None:
        fault = finder(observation)
        if fault is not None:
            return fault
        array = np.asarray(observation)
        outside = (array < low) | (array > high)
        if not outside.any():
            return None
        index = tuple(int(place) for place in np.argwhere(outside)[0])
        return Fault(f"an observation with {array[index]} at {index}", f"from {low[index]} to {high[index]} there")

    return fault_of


def _array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Finder:
    inexact = dtype.kind == "f"

    def fault_of(observation: Observation) -> Fault | None:
        array = observation
        if type(array) is not np.ndarray or array.dtype != dtype:
            array, fault = _cast(observation, dtype)
            if fault is not None:
                return fault
        if array.shape != shape:
            return Fault(f"an observation of shape {array.shape}", f"{shape}")
        # One pass without a copy; the sum of squares is finite and small unless a value may be wrong.
        if inexact and not float(np.vdot(array, array)) < LARGEST**2:
            return _fault_of_values(array)
        return None

    return fault_of


def _cast(observation: Observation, dtype: np.dtype[Any]) -> tuple[Array, Fault | None]:
    """The observation as an array, and what is wrong with it as one of ``dtype``; checked where the two differ."""
    nothing = np.empty(0)
    try:
        array = np.asarray(observation)
    except ValueError:
        return nothing, Fault(f"an observation {_shown(observation)}", f"an array of {dtype}")
    kinds = {"f": "fiub", "i": "iub", "u": "iub", "b": "b"}.get(dtype.kind, dtype.kind)
    if array.dtype.kind not in kinds:
        found = _shown(observation) if array.dtype.kind == "O" else f"of {array.dtype}"
        return nothing, Fault(f"an observation {found}", f"{dtype}")
    if dtype.kind in "iu" and array.size:
        limits = np.iinfo(dtype)
        if array.min() < limits.min or array.max() > limits.max:
            return nothing, Fault(f"an observation from {array.min()} to {array.max()}", f"{dtype}")
    return array, None


def _fault_of_values(array: Array) -> Fault | None:
    with np.errstate(invalid="ignore"):
        wrong = np.argwhere(~(np.abs(array.astype(np.float64)) <= LARGEST))
    if not len(wrong):
        return None
    index = tuple(int(place) for place in wrong[0])
    where = f" at {index}" if index else ""
    return Fault(f"an observation with {array[index]}{where}", f"finite and at most {LARGEST:g} in size")


def _fault_of_reward(reward: Any) -> Fault | None:
    """For rewards that are no plain finite ``float``."""
    if isinstance(reward, str):
        return Fault(f"the reward {_shown(reward)}", "a number")
    try:
        number = float(reward)
    except (TypeError, ValueError):
        return Fault(f"the reward {_shown(reward)}", "a number")
    except OverflowError:
        number = math.inf if reward > 0 else -math.inf
    if -LARGEST <= number <= LARGEST:
        return None
    return Fault(f"the reward {number}", f"finite and at most {LARGEST:g} in size")


def _fault_of_flags(terminated: object, truncated: object) -> Fault | None:
    for name, flag in (("terminated", terminated), ("truncated", truncated)):
        if not isinstance(flag, (bool, np.bool_, int, np.integer)) and not (
            isinstance(flag, np.ndarray) and flag.size == 1 and flag.dtype.kind in "biu"
        ):
            return Fault(f"{name}={_shown(flag)}", "true or false")
    return None


def _fault_of_info(info: object) -> Fault | None:
    return None if isinstance(info, dict) else Fault(f"info={_shown(info)}", "a dict")


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:60]}…"
