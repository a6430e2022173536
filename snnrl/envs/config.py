"""What a recipe under ``envs/`` can set: checked when it is read, before anything is created."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from snnrl.envs.checked import LARGEST
from snnrl.errors import ConfigError, require
from snnrl.settings import unknown

ATARI_PREFIX = "ALE/"


def _is_int(value: Any, at_least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= at_least


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _can_be_learned(value: Any) -> bool:
    return _is_number(value) and abs(value) <= LARGEST


def _settings(section: type, path: str, mapping: Any) -> dict[str, Any]:
    """``mapping`` as keyword arguments of the dataclass ``section``, refusing what it does not know."""
    require(isinstance(mapping, Mapping), path, mapping, "a mapping of settings")
    known = [setting.name for setting in fields(section)]
    for key, value in mapping.items():
        if key not in known:
            raise unknown(path, key, value, known)
    return dict(mapping)


@dataclass(frozen=True)
class AtariConfig:
    """How an Atari game is played (Machado et al. 2018, J. Artif. Intell. Res. 61:523, table 2).

    Attributes:
        frame_skip: emulator frames per environment step.
        sticky_actions: probability with which an emulator frame repeats the action before.
        noop_max: an episode begins with a random number of frames without action, at most this.

    Raises:
        ConfigError: a value outside its range.
    """

    frame_skip: int = 4
    sticky_actions: float = 0.25
    noop_max: int = 30

    def __post_init__(self) -> None:
        require(_is_int(self.frame_skip, 1), "env.atari.frame_skip", self.frame_skip, "an integer of at least 1")
        sticky = self.sticky_actions
        sticky_in_range = _is_number(sticky) and 0 <= sticky < 1
        require(sticky_in_range, "env.atari.sticky_actions", sticky, "a probability of at least 0 and below 1")
        require(_is_int(self.noop_max, 0), "env.atari.noop_max", self.noop_max, "an integer of at least 0")


@dataclass(frozen=True)
class RewardConfig:
    """How the environment's reward becomes the reward that is learned from; reported returns stay raw.

    Attributes:
        scale: factor on the reward, before the limits.
        low: lower limit after scaling, or None for none.
        high: upper limit after scaling, or None for none.
        life_loss_ends: learn as if a lost life ended the episode.
        failure: the reward of a step that terminates the episode, in place of the environment's; None keeps it.

    Raises:
        ConfigError: a value outside its range, or ``low`` not below ``high``.
    """

    scale: float = 1.0
    low: float | None = None
    high: float | None = None
    life_loss_ends: bool = False
    failure: float | None = None

    def __post_init__(self) -> None:
        scales = _can_be_learned(self.scale) and self.scale > 0
        require(scales, "env.reward.scale", self.scale, f"a finite number above 0, at most {LARGEST:g}")
        for name in ("low", "high", "failure"):
            value = getattr(self, name)
            fits = value is None or _can_be_learned(value)
            require(fits, f"env.reward.{name}", value, f"a finite number of at most {LARGEST:g} in size, or null")
        if self.low is not None and self.high is not None:
            require(self.low < self.high, "env.reward.low", self.low, f"below env.reward.high ({self.high})")
        flag = self.life_loss_ends
        require(isinstance(flag, bool), "env.reward.life_loss_ends", flag, "true or false")


@dataclass(frozen=True)
class EnvConfig:
    """One environment recipe.

    Attributes:
        id: a registered Gymnasium id; ``ALE/<Game>-v5`` is an Atari game.
        atari: how an Atari game is played; None takes the defaults, and is the only choice elsewhere.
        kwargs: passed on to ``gymnasium.make``.
        eval_kwargs: in place of ``kwargs`` of the same names where an agent is evaluated.
        reward: what is learned from.
        env_steps: length of a training run, summed over the environments.
        num_envs: environments that a training run steps together.
        eval_episodes: full episodes of the evaluation that ends a training run.
        eval_deterministic: whether evaluations take the best actions; otherwise they draw from the policy, as where the
            best action of a state can be to wait for ever.
        success_above: return above which an episode is a success, or None where there is no such thing.
        max_episode_steps: time limit in environment steps, or None for the environment's own.

    Raises:
        ConfigError: a value outside its range, or ``atari`` for what is no Atari game.
    """

    id: str
    atari: AtariConfig | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)
    eval_kwargs: dict[str, Any] = field(default_factory=dict)
    reward: RewardConfig = field(default_factory=RewardConfig)
    env_steps: int = 100_000
    num_envs: int = 16
    eval_episodes: int = 100
    eval_deterministic: bool = True
    success_above: float | None = None
    max_episode_steps: int | None = None

    def __post_init__(self) -> None:
        require(isinstance(self.id, str) and self.id != "", "env.id", self.id, "the id of a Gymnasium environment")
        fits = self.atari is None or self.is_atari
        require(fits, "env.atari", self.atari, f"left out for {self.id}, which is no Atari game ({ATARI_PREFIX}...)")
        require(isinstance(self.kwargs, dict), "env.kwargs", self.kwargs, "a mapping")
        require(isinstance(self.eval_kwargs, dict), "env.eval_kwargs", self.eval_kwargs, "a mapping")
        require(_is_int(self.env_steps, 1), "env.env_steps", self.env_steps, "an integer of at least 1")
        require(_is_int(self.num_envs, 1), "env.num_envs", self.num_envs, "an integer of at least 1")
        episodes = self.eval_episodes
        require(_is_int(episodes, 1), "env.eval_episodes", episodes, "an integer of at least 1")
        require(
            isinstance(self.eval_deterministic, bool),
            "env.eval_deterministic",
            self.eval_deterministic,
            "true or false",
        )
        success = self.success_above
        require(success is None or _is_number(success), "env.success_above", success, "a finite number or null")
        limit = self.max_episode_steps
        require(limit is None or _is_int(limit, 1), "env.max_episode_steps", limit, "an integer of at least 1, or null")

    @property
    def is_atari(self) -> bool:
        """Whether the id names an Atari game of ``ale_py``."""
        return self.id.startswith(ATARI_PREFIX)

    @property
    def shows_frames(self) -> bool:
        """Whether it is an Atari game that is seen as grey frames, and not by ``obs_type`` as bytes or colours."""
        return self.is_atari and self.kwargs.get("obs_type", "grayscale") == "grayscale"

    def for_evaluation(self) -> EnvConfig:
        """The recipe of the environments in which an agent is evaluated."""
        return replace(self, kwargs={**self.kwargs, **self.eval_kwargs})

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> EnvConfig:
        """The recipe that a nested mapping spells out, as read from YAML.

        >>> EnvConfig.from_mapping({"id": "CartPole-v1", "reward": {"failure": 0.0}}).reward.failure
        0.0

        Raises:
            ConfigError: a setting that is unknown, missing or wrong.
        """
        settings = _settings(cls, "env", mapping)
        if "id" not in settings:
            raise ConfigError("env.id is missing: it names a Gymnasium environment, such as CartPole-v1")
        if settings.get("atari") is not None:
            settings["atari"] = AtariConfig(**_settings(AtariConfig, "env.atari", settings["atari"]))
        if "reward" in settings:
            settings["reward"] = RewardConfig(**_settings(RewardConfig, "env.reward", settings["reward"]))
        return cls(**settings)
