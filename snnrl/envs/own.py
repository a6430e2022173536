"""Environments of a program's own: given as objects or functions in place of registered ids."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from typing import Self, TypeAlias

import gymnasium
from gymnasium import vector
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorWrapper
from gymnasium.wrappers import TimeLimit

from snnrl.envs.checked import Checked, numbered
from snnrl.envs.config import ATARI_PREFIX, EnvConfig
from snnrl.envs.masks import with_masks
from snnrl.envs.types import Env, VectorEnv, Wrapper
from snnrl.errors import ConfigError, require, shown
from snnrl.spaces import Space
from snnrl.types import Setting

EnvFactory: TypeAlias = Callable[[], Env]
OwnSource: TypeAlias = Env | EnvFactory | VectorEnv


class _Kept(Wrapper):
    """The user's own object, which only the user closes."""

    def close(self) -> None:
        return


class _KeptVector(VectorWrapper):
    """The user's own vector of environments, which only the user closes."""

    def close(self, **kwargs: Setting) -> None:
        return


@dataclass(frozen=True)
class OwnEnv(EnvConfig):
    """The recipe of environments that a program gives; its ``id`` is the environment's name alone.

    One object is one environment: it is learned in, and what else is needed, for evaluations or as further
    environments, are copies of it.

    Attributes:
        source: an environment, a function that makes one, or a vector of them with ``NEXT_STEP`` autoreset.
    """

    source: OwnSource | None = field(default=None, repr=False)

    @property
    def is_atari(self) -> bool:
        """A game that a program gives is what its wrappers make of it."""
        return False

    @property
    def counts(self) -> int | None:
        """How many environments there are, where that is given."""
        if isinstance(self.source, vector.VectorEnv):
            return self.source.num_envs
        return 1 if isinstance(self.source, gymnasium.Env) else None

    def for_evaluation(self) -> OwnEnv:
        """Fresh environments, or copies.

        Raises:
            ConfigError: an object that cannot be copied.
        """
        return self._for_evaluation

    @cached_property
    def _for_evaluation(self) -> OwnEnv:
        return replace(self, source=self._factory())

    @cached_property
    def has_limit(self) -> bool:
        """Whether the environment has a time limit that can be seen."""
        if self.max_episode_steps is not None:
            return True
        if isinstance(self.source, vector.VectorEnv):
            return self.source.spec is not None and self.source.spec.max_episode_steps is not None
        one = self.source if isinstance(self.source, gymnasium.Env) else self._factory()()
        limited = one.spec is not None and one.spec.max_episode_steps is not None
        inner: Env = one
        while isinstance(inner, gymnasium.Wrapper):
            limited = limited or isinstance(inner, TimeLimit)
            inner = inner.env
        if one is not self.source:
            one.close()
        return limited

    @cached_property
    def spaces(self) -> tuple[Space, Space]:
        """Of observations and actions of one environment."""
        if isinstance(self.source, vector.VectorEnv):
            return self.source.single_observation_space, self.source.single_action_space
        one = self.make()
        one.close()
        return one.observation_space, one.action_space

    def make(self, row: int = 0) -> Env:
        """The ``row``-th environment: of an object the first is the object itself."""
        if isinstance(self.source, gymnasium.Env) and row == 0:
            env: Env = _Kept(self.source)
        else:
            env = self._factory()()
        if self.max_episode_steps is not None:
            env = TimeLimit(env, self.max_episode_steps)
        return Checked(with_masks(env))

    def make_vector(self, num_envs: int) -> VectorEnv:
        """Environments that are stepped together.

        Raises:
            ConfigError: a vector that has another number of them, or that begins episodes otherwise.
        """
        if isinstance(self.source, vector.VectorEnv):
            require(num_envs == self.source.num_envs, "num_envs", num_envs, f"{self.source.num_envs}, as given by env")
            return _KeptVector(self.source)
        envs = SyncVectorEnv(
            [partial(self.make, row) for row in range(num_envs)], autoreset_mode=AutoresetMode.NEXT_STEP
        )
        numbered(envs.envs)
        return envs

    def _factory(self) -> EnvFactory:
        """What makes environments like the given one."""
        source = self.source
        if isinstance(source, (SyncVectorEnv, AsyncVectorEnv)):
            return source.env_fns[0]
        if isinstance(source, (gymnasium.Env, vector.VectorEnv)):
            return _copies(source)
        assert source is not None
        return partial(_made, source)

    @classmethod
    def of(cls, recipe: EnvConfig, source: OwnSource) -> Self:
        """A recipe with environments of a program's own.

        Args:
            recipe: what else is set.
            source: the environment.

        Raises:
            ConfigError: it is none.
        """
        if isinstance(source, vector.VectorEnv):
            mode = source.metadata.get("autoreset_mode")
            fits = mode is AutoresetMode.NEXT_STEP
            require(fits, "env", shown(source), "a vector of environments with autoreset_mode=AutoresetMode.NEXT_STEP")
        _check_kind(source)
        settings = {entry.name: getattr(recipe, entry.name) for entry in fields(EnvConfig)}
        return cls(**{**settings, "id": name_of(source), "atari": None, "kwargs": {}, "source": source})


class StandIn(OwnEnv):
    """A recipe whose environments are not there, of which the spaces alone are known."""

    @property
    def is_atari(self) -> bool:
        return self.id.startswith(ATARI_PREFIX)

    @classmethod
    def for_spaces(cls, recipe: EnvConfig, observed: Space, acted: Space) -> Self:
        """The recipe with environments that have these spaces and nothing else."""
        settings = {entry.name: getattr(recipe, entry.name) for entry in fields(EnvConfig)}
        return cls(**settings, source=partial(_SpacesOnly, observed, acted))


class _SpacesOnly(Env):
    """An environment that nobody acts in."""

    def __init__(self, observed: Space, acted: Space) -> None:
        self.observation_space, self.action_space = observed, acted


def name_of(source: OwnSource) -> str:
    """What an environment of a program's own is called: the id that it is registered under, else its class.

    Behind the id stands what makes it another than the id alone would: ``CartPole-v1 with FlattenObservation``.
    """
    if isinstance(source, (gymnasium.Env, vector.VectorEnv)):
        if source.spec is None:
            return type(source.unwrapped).__name__
        differs = ", ".join(_differences(source, source.spec))
        return source.spec.id + (f"{_WITH}{differs}" if differs else "")
    _check_kind(source)
    one = _made(source)
    name = name_of(one)
    one.close()
    return name


def is_registered(env_id: str) -> bool:
    """Whether an environment can be made by its id alone, or by the module that the id names."""
    return ":" in env_id or env_id in gymnasium.registry or (env_id.startswith(ATARI_PREFIX) and _WITH not in env_id)


_WITH = " with "
_NOT_COMPARED = ("max_episode_steps", "num_envs", "render_mode", "vector_kwargs", "vectorization_mode")
"""Arguments of ``gymnasium.make`` and ``make_vec`` that leave the environment what it is."""


def _differences(source: Env | VectorEnv, spec: EnvSpec) -> Iterator[str]:
    """Names of what an environment has besides what its id stands for: arguments, a time limit, wrappers."""
    registered = gymnasium.registry.get(spec.id)
    if registered is not None:
        for name in sorted({*spec.kwargs, *registered.kwargs}.difference(_NOT_COMPARED)):
            if repr(spec.kwargs.get(name)) != repr(registered.kwargs.get(name)):
                yield name
        if isinstance(source, gymnasium.Env) and spec.max_episode_steps != registered.max_episode_steps:
            yield "max_episode_steps"
    yield from (wrapper.name for wrapper in spec.additional_wrappers)
    while isinstance(source, VectorWrapper):
        yield type(source).__name__
        source = source.env


def _check_kind(source: object) -> None:
    """Raise a ConfigError unless ``source`` is an environment, some of them, or a function."""
    known = isinstance(source, (gymnasium.Env, vector.VectorEnv)) or callable(source)
    if not known and hasattr(source, "step_wait"):
        count = getattr(source, "num_envs", 8)
        raise ConfigError(
            f"env={type(source).__name__}: is a vector of stable-baselines3; must be a function that makes one of its "
            f"environments, and how many there are: env=lambda: gym.make(...), num_envs={count}"
        )
    require(known, "env", shown(source), _KINDS)


_KINDS = "a recipe, a registered id, a gymnasium.Env, a VectorEnv, or a function that makes an Env"


def _made(make: EnvFactory) -> Env:
    """What a user's function makes."""
    env = make()
    if not isinstance(env, gymnasium.Env):
        raise ConfigError(f"env: the function returned {shown(env)}; must return a gymnasium.Env")
    return env


def _copies(source: Env | VectorEnv) -> EnvFactory:
    """What makes copies of an environment, or of one of a vector's."""
    if isinstance(source, gymnasium.Env):
        with suppress(Exception):  # whatever an environment may hold, such as a window or an emulator
            copy.deepcopy(source).close()
            return partial(copy.deepcopy, source)
    if source.spec is None:
        raise ConfigError(
            f"env={name_of(source)}: cannot be copied, and evaluations and further environments need copies; "
            "must be a function that makes one"
        )
    return partial(gymnasium.make, source.spec if isinstance(source, gymnasium.Env) else source.spec.id)
