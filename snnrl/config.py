"""The settings of a training run, checked before anything is created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError, did_you_mean, require
from snnrl.training.loggers import validate_logger_names

PROGRESS_MODES = ("auto", "bar", "plain", "none")


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run; :attr:`resolved` is what its ``config.yaml`` holds.

    Attributes:
        seed: of all randomness.
        device: ``auto`` (CUDA where there is one, else the CPU), ``cpu``, ``cuda`` or ``cuda:<n>``.
        env_steps: length of the run, summed over the environments.
        num_envs: environments that are stepped together.
        run_dir: the folder to write to; ``None`` for a new one under ``runs/``.
        logger: ``tensorboard``, ``wandb``, both with a comma, or ``none``; ``metrics.jsonl`` is always there.
        eval_every: environment steps between evaluations while training; 0 for none.
        eval_episodes: episodes of the evaluation at the end.
        eval_during: episodes of each evaluation while training.
        checkpoint_every: environment steps between checkpoints.
        progress: ``auto``, ``bar``, ``plain`` or ``none``.
        env: the environment's recipe.
        agent: the agent's recipe, ``name`` and its settings.
        resolved: the mapping that all this was read from.
    """

    seed: int
    device: str
    env_steps: int
    num_envs: int
    run_dir: Path | None
    logger: str
    eval_every: int
    eval_episodes: int
    eval_during: int
    checkpoint_every: int
    progress: str
    env: EnvConfig
    agent: Mapping[str, Any]
    resolved: Mapping[str, Any]

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> RunConfig:
        """Read and check the mapping that :func:`snnrl.recipes.compose_run` or a run's ``config.yaml`` gives.

        Raises:
            ConfigError: a value of the wrong type or out of range.
        """
        known = {*_TOP_LEVEL, "env", "agent", "eval", "checkpoint"}
        for key in mapping:
            if key not in known:
                raise ConfigError(f"{key}: there is no such setting; {did_you_mean(str(key), known)}")
        evaluation, checkpoint, agent = mapping["eval"], mapping["checkpoint"], mapping["agent"]
        env_steps = _whole("env_steps", mapping["env_steps"], 1)
        require(
            isinstance(agent, Mapping) and isinstance(agent.get("name"), str), "agent", agent, "a recipe with a name"
        )
        require(
            mapping["progress"] in PROGRESS_MODES,
            "progress",
            mapping["progress"],
            f"one of {', '.join(PROGRESS_MODES)}",
        )
        device = mapping["device"]
        kind = str(device).split(":")[0]
        require(kind in ("auto", "cpu", "cuda"), "device", device, "auto, cpu, cuda or cuda:<n>")
        logger = str(mapping["logger"])
        validate_logger_names(logger)
        run_dir = mapping["run_dir"]
        return cls(
            seed=_whole("seed", mapping["seed"], 0),
            device=str(device),
            env_steps=env_steps,
            num_envs=_whole("num_envs", mapping["num_envs"], 1),
            run_dir=None if run_dir is None else Path(str(run_dir)),
            logger=logger,
            eval_every=_every("eval.every", evaluation["every"], env_steps, shares=5),
            eval_episodes=_whole("eval.episodes", evaluation["episodes"], 1),
            eval_during=_whole("eval.during", evaluation["during"], 1),
            checkpoint_every=_every("checkpoint.every", checkpoint["every"], env_steps, shares=10),
            progress=str(mapping["progress"]),
            env=EnvConfig.from_mapping(mapping["env"]),
            agent=dict(agent),
            resolved=dict(mapping),
        )


_TOP_LEVEL = ("seed", "device", "env_steps", "num_envs", "run_dir", "resume", "logger", "progress")


def _whole(setting: str, value: Any, least: int) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    require(whole and value >= least, setting, value, f"an integer of at least {least}")
    return int(value)


def _every(setting: str, value: Any, env_steps: int, shares: int) -> int:
    """Steps between two events; if not given, so many that the run has ``shares`` of them."""
    return max(env_steps // shares, 1) if value is None else _whole(setting, value, 0) or env_steps + 1
