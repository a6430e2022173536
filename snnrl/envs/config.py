"""What a recipe under ``envs/`` can set: checked when it is read, before anything is created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from snnrl.envs.checked import LARGEST
from snnrl.run_settings import EvalSettings, RLSettings
from snnrl.settings import Settings, read, setting
from snnrl.types import Setting

ATARI_PREFIX = "ALE/"
IN_TORCH = ("Acrobot-v1", "CartPole-v1", "MountainCar-v0", "Pendulum-v1")
"""Environments whose equations are also in torch (``snnrl.envs.classic_control``)."""
_LEARNABLE = f"a finite number of at most {LARGEST:g} in size"


def _can_be_learned(value: float) -> bool:
    return abs(value) <= LARGEST


@dataclass(frozen=True)
class AtariConfig(Settings, section="env.atari"):
    """How an Atari game is played (Machado et al. 2018, J. Artif. Intell. Res. 61:523, table 2).

    Raises:
        ConfigError: a value outside its range.
    """

    frame_skip: int = setting(4, "emulator frames of an environment step", at_least=1)
    sticky_actions: float = setting(
        0.25,
        "probability with which an emulator frame repeats the action before",
        at_least=0,
        below=1,
        expected="a probability of at least 0 and below 1",
    )
    noop_max: int = setting(
        30, "an episode begins with a random number of frames without action, at most this", at_least=0
    )


@dataclass(frozen=True)
class RewardConfig(Settings, section="env.reward"):
    """How the environment's reward becomes the reward that is learned from; reported returns stay raw.

    Raises:
        ConfigError: a value outside its range, or ``low`` not below ``high``.
    """

    scale: float = setting(
        1.0,
        "factor on the reward, before the limits",
        above=0,
        at_most=LARGEST,
        expected=f"a finite number above 0, at most {LARGEST:g}",
    )
    low: float | None = setting(
        None, "lower limit after scaling; null for none", check=_can_be_learned, expected=_LEARNABLE
    )
    high: float | None = setting(
        None, "upper limit after scaling; null for none", check=_can_be_learned, expected=_LEARNABLE
    )
    life_loss_ends: bool = setting(False, "learn as if a lost life ended the episode")
    failure: float | None = setting(
        None,
        "reward of a step that terminates the episode, in place of the environment's; null keeps it",
        check=_can_be_learned,
        expected=_LEARNABLE,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low is not None and self.high is not None:
            self.require(self.low < self.high, "low", f"below env.reward.high ({self.high})")


@dataclass(frozen=True)
class EnvConfig(Settings, section="env"):
    """One environment recipe.

    Raises:
        ConfigError: a value outside its range, or ``atari`` for what is no Atari game.
    """

    id: str = setting(
        help="id of a Gymnasium environment, such as CartPole-v1",
        check=lambda name: name != "",
        expected="the id of a Gymnasium environment",
    )
    atari: AtariConfig | None = setting(
        None, f"how an Atari game ({ATARI_PREFIX}<Game>-v5) is played; null takes the defaults, and is all elsewhere"
    )
    backend: str = setting(
        "gymnasium",
        "what computes the environments in training: gymnasium, or torch, all at once and on the run's device",
        choices=("gymnasium", "torch"),
    )
    kwargs: dict[str, Setting] = setting({}, "passed on to gymnasium.make")
    eval_kwargs: dict[str, Setting] = setting({}, "in place of kwargs of the same names where an agent is evaluated")
    reward: RewardConfig = setting(RewardConfig(), "what is learned from")
    env_steps: int = setting(RLSettings.env_steps, "length of a training run, summed over the environments", at_least=1)
    num_envs: int = setting(RLSettings.num_envs, "environments that a training run steps together", at_least=1)
    eval_episodes: int = setting(
        EvalSettings.episodes, "full episodes of the evaluation that ends a training run", at_least=1
    )
    eval_deterministic: bool = setting(
        EvalSettings.deterministic,
        "whether evaluations take the best actions; otherwise they draw from the policy, as where the best action of a "
        "state can be to wait for ever",
    )
    success_above: float | None = setting(
        None, "return above which an episode is a success; null for no such thing", expected="a finite number"
    )
    max_episode_steps: int | None = setting(
        None, "time limit in environment steps", at_least=1, default_text="the environment's own"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = self.atari is None or self.is_atari
        known = self.backend == "gymnasium" or self.id in IN_TORCH
        self.require(known, "backend", f"gymnasium for {self.id}; torch computes {', '.join(IN_TORCH)}")
        self.require(fits, "atari", f"left out for {self.id}, which is no Atari game ({ATARI_PREFIX}...)")

    @property
    def is_atari(self) -> bool:
        """Whether the id names an Atari game of ``ale_py``."""
        return self.id.startswith(ATARI_PREFIX)

    @property
    def shows_frames(self) -> bool:
        """Whether it is an Atari game that is seen as grey frames, and not by ``obs_type`` as bytes or colours."""
        return self.is_atari and self.kwargs.get("obs_type", "grayscale") == "grayscale"

    def for_evaluation(self) -> EnvConfig:
        """The recipe of the environments in which an agent is evaluated, which are Gymnasium's own."""
        return replace(self, backend="gymnasium", kwargs={**self.kwargs, **self.eval_kwargs})

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Setting]) -> EnvConfig:
        """The recipe that a nested mapping spells out, as read from YAML.

        >>> EnvConfig.from_mapping({"id": "CartPole-v1", "reward": {"failure": 0.0}}).reward.failure
        0.0

        Raises:
            ConfigError: a setting that is unknown, missing or wrong.
        """
        return read(cls, mapping, "env")
