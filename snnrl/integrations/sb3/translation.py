"""Spaces of any kind as those that stable-baselines3's algorithms take."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Literal, NamedTuple, SupportsFloat

import numpy as np
from gymnasium import spaces

from snnrl.envs.types import Env, Wrapper
from snnrl.errors import ConfigError
from snnrl.spaces import (
    Actions,
    AsItIs,
    Leaf,
    Pictures,
    Seen,
    Several,
    Table,
    Vector,
    View,
    as_batch,
    check_observations,
    first,
    is_offset,
    leaves,
    named,
    split,
)
from snnrl.spaces.leaves import Space
from snnrl.types import Action, Array, Info, Observation

ActionKinds = Literal["discrete", "continuous", "any"]
"""One named number, a Box, or one of these or several named numbers."""
MOST_NUMBERS = 2**17
"""A Discrete observation of at most so many values has an input for each."""
MOST_COMBINATIONS = 2**10
"""Actions of several named numbers are one number for DQN if their combinations are at most so many."""
BINS = 9
"""Values of a continuous number where actions have named numbers too."""


def view_of(space: Space) -> View:
    """How a policy sees a space.

    Vectors and named numbers are seen as they are, pictures (uint8, at least 36 pixels a side, in any layout) with
    their channels first, everything else as a vector. A Tuple or Dict with pictures in it is a Dict, as
    ``MultiInputPolicy`` takes it; without pictures it is a vector too, which is what ``MultiInputPolicy`` makes of it.

    Raises:
        ConfigError: a space that is not made of numbers.
    """
    check_observations(space)
    found = leaves(space)
    if len(found) == 1:
        return _view_of_leaf(found[0].space)
    if not any(Pictures.suits(leaf.space) for leaf in found):
        return Vector(space)
    return Several({name: _view_of_leaf(leaf.space) for name, leaf in zip(_names(found), found, strict=True)})


def _view_of_leaf(space: Space) -> View:
    if isinstance(space, spaces.Box):
        if Pictures.suits(space):
            seen = Seen(space)
            return AsItIs(space) if seen.space == space else seen
        kept = len(space.shape) == 1 and np.issubdtype(space.dtype, np.floating) and not is_offset(space)
        return AsItIs(space) if kept else Vector(space)
    if isinstance(space, spaces.Discrete):
        if space.n > MOST_NUMBERS:
            return Vector(space)
        return Table(space) if space.start else AsItIs(space)
    kept = len(space.shape or ()) == 1 and not np.any(getattr(space, "start", 0))
    return AsItIs(space) if kept else Vector(space)


def _names(found: list[Leaf]) -> list[str]:
    """Keys of a Dict space that torch can name modules by, no two the same."""
    names: list[str] = []
    for leaf in found:
        name = "_".join(str(part).replace(".", "_") for part in leaf.path) or "_"
        while name in names:
            name += "_"
        names.append(name)
    return names


class Translation(NamedTuple):
    """Between an environment and an algorithm."""

    observation_space: Space
    """The environment's."""
    action_space: Space
    """The environment's."""
    view: View
    """How the policy sees observations."""
    actions: Choices
    """What the policy's actions mean."""

    def seen(self, observation: Observation) -> tuple[Observation, bool]:
        """What the policy is given for an observation or a batch of them, and whether it was a batch."""
        arrays, batched = as_batch(self.observation_space, observation)
        return self.view(arrays), batched

    def done(self, action: Array, batched: bool) -> Action:
        """The environment's action, or a batch of them, for a batch of the policy's."""
        meant = self.actions(action)
        return meant if batched else first(self.action_space, meant)

    def wrapped(self, env: Env) -> Env:
        """The environment in the algorithm's own spaces."""
        plain = isinstance(self.view, AsItIs) and self.actions.space is self.action_space
        return env if plain else Translated(env, self)


class Choices:
    """What the actions of an algorithm mean in an environment.

    Args:
        space: the environment's.
        takes: ``discrete`` for one named number, ``continuous`` for a Box, ``any`` for one of these or several named
            numbers.

    Attributes:
        space: the algorithm's.

    Raises:
        ConfigError: actions that the algorithm cannot take.
    """

    def __init__(self, space: Space, takes: ActionKinds) -> None:
        self._actions = actions = Actions(space)
        sizes = actions.choices(BINS)
        self._values = [
            low + np.arange(size) if not continuous else np.linspace(low, high, size)
            for low, high, size, continuous in zip(actions.low, actions.high, sizes, actions.continuous, strict=True)
        ]
        self._sizes, self._combined = sizes, False
        self.space: Space
        if actions.continuous.all() and takes != "discrete":
            kept = isinstance(space, spaces.Box) and len(space.shape) == 1 and space.dtype == np.float32
            low, high = actions.low.astype(np.float32), actions.high.astype(np.float32)
            self.space = space if kept else spaces.Box(low, high)
        elif takes == "discrete" and not actions.continuous.any() and prod(sizes) <= MOST_COMBINATIONS:
            self._combined = True
            self.space = _from_zero(space) if actions.dims == 1 else spaces.Discrete(prod(sizes))
        elif takes == "discrete" and not actions.continuous.any() and actions.dims == 1:
            self.space = _from_zero(space)
        elif takes == "any":
            kept = isinstance(space, (spaces.MultiDiscrete, spaces.MultiBinary)) and len(space.shape or ()) == 1
            self.space = space if kept and not actions.low.any() else _several(space, sizes)
        else:
            raise ConfigError(
                f"action space {named(space)}: must be {'continuous' if takes == 'continuous' else _DISCRETE}"
            )

    def names(self) -> list[str]:
        """What an algorithm's outputs stand for: values, after the place of their number where there are several."""
        if isinstance(self.space, spaces.Box):
            return [str(dim) for dim in range(prod(self.space.shape))]
        if self._combined and len(self._values) > 1:
            return [", ".join(f"{value:g}" for value in values) for values in product(*self._values)]
        several = len(self._values) > 1
        return [
            f"{dim}: {value:.3g}" if several else f"{value:.3g}"
            for dim, values in enumerate(self._values)
            for value in values
        ]

    def __call__(self, action: Array) -> Action:
        """The environment's actions for a batch of the algorithm's."""
        if self.space is self._actions.space:
            return action
        numbers = action.reshape(len(action), -1)
        if isinstance(self.space, spaces.Box):
            return self._actions.assemble(numbers)
        if self._combined:
            numbers = np.stack(np.unravel_index(numbers[:, 0], self._sizes), axis=1)
        chosen = [values[column] for values, column in zip(self._values, numbers.T.astype(np.int64), strict=True)]
        return self._actions.assemble(np.stack(chosen, axis=1))


_DISCRETE = f"discrete, with at most {MOST_COMBINATIONS:,} combinations of values"


def _from_zero(space: Space) -> Space:
    """A space of one named number, counted from 0."""
    if isinstance(space, spaces.Discrete) and space.start == 0:
        return space
    return spaces.Discrete(Actions(space).choices(1)[0])


def _several(space: Space, sizes: list[int]) -> Space:
    return _from_zero(space) if len(sizes) == 1 else spaces.MultiDiscrete(sizes)


class Translated(Wrapper):
    """An environment in the spaces of an algorithm.

    Args:
        env: the environment.
        translation: between the two.
    """

    def __init__(self, env: Env, translation: Translation) -> None:
        super().__init__(env)
        self._translation = translation
        self.observation_space, self.action_space = translation.view.space, translation.actions.space

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> tuple[Observation, Info]:
        """Start an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._seen(observation), info

    def step(self, action: Action) -> tuple[Observation, SupportsFloat, bool, bool, Info]:
        """Act as the algorithm says."""
        meant = self._translation.done(np.asarray(action)[None], batched=False)
        observation, reward, terminated, truncated, info = self.env.step(meant)
        return self._seen(observation), reward, terminated, truncated, info

    def _seen(self, observation: Observation) -> Observation:
        arrays = [part[None] for part in split(self._translation.observation_space, observation)]
        return first(self.observation_space, self._translation.view(arrays))


def translation_of(env: Env, takes: ActionKinds, name: str) -> Translation:
    """Between an environment and the algorithm ``name``, which takes ``discrete``, ``continuous`` or ``any`` actions.

    Raises:
        ConfigError: observations that are not made of numbers, or actions that the algorithm cannot take.
    """
    seen, acted = env.observation_space, env.action_space
    view = view_of(seen)
    try:
        return Translation(seen, acted, view, Choices(acted, takes))
    except ConfigError as error:
        raise ConfigError(f"agent={name}: cannot take the actions; {error}") from error
