"""The settings of a training run, checked before anything is created."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnrl.envs import LONGEST, EnvConfig, has_limit
from snnrl.errors import ConfigError, did_you_mean, require, shown
from snnrl.legacy import upgraded_settings
from snnrl.textfiles import read_yaml, usable, write_yaml
from snnrl.training.loggers import validate_logger_names
from snnrl.trust import check_trust
from snnrl.words import read_words as read_words

SEED_LIMIT = 2**32
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
        eval_deterministic: whether evaluations take the best actions rather than draw them.
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
    eval_deterministic: bool
    checkpoint_every: int
    progress: str
    env: EnvConfig
    agent: Mapping[str, Any]
    resolved: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The name of a new run's folder, but for the time."""
        name = self.env.id.rpartition("/")[2].rpartition("-")[0] or self.env.id
        return f"{name}-{self.agent['name']}-seed{self.seed}".replace(":", "-").replace("/", "-")

    def announcement(self, steps: int) -> str:
        """What a run is going to do, after ``steps``."""
        start = f"going on at {steps:,} of" if steps else "training for"
        limit = (
            ""
            if has_limit(self.env)
            else f"\n{self.env.id} has no time limit: evaluation episodes are cut after {LONGEST:,} steps; "
            "env.max_episode_steps sets another limit"
        )
        return (
            f"{self.env.id}, agent {self.agent['name']}, seed {self.seed}: {start} {self.env_steps:,} env steps in "
            f"{self.num_envs} environments, then {self.eval_episodes} evaluation episodes{limit}"
        )

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> RunConfig:
        """Read and check the mapping that :func:`snnrl.recipes.compose_run` or a run's ``config.yaml`` gives.

        Raises:
            ConfigError: a value of the wrong type or out of range.
        """
        if "learner" in mapping:
            raise ConfigError("learner: this run learned from a data set; must be the run of an agent")
        known = {*_TOP_LEVEL, "env", "agent", "eval", "checkpoint"}
        for key in mapping:
            if key not in known:
                raise ConfigError(f"{key}: there is no such setting; {did_you_mean(str(key), known)}")
        missing = sorted(({*_TOP_LEVEL, "env", "agent", "eval", "checkpoint"} - {"resume"}) - set(mapping))
        if missing:
            raise ConfigError(f"{missing[0]} is missing: the settings are not whole")
        for section, keys in (("eval", {"every", "episodes", "during"}), ("checkpoint", {"every"})):
            value = mapping[section]
            complete = isinstance(value, Mapping) and set(value) - {"deterministic"} == keys
            require(complete, section, value, f"settings {section}.{f', {section}.'.join(sorted(keys))}")
        evaluation, checkpoint, agent = mapping["eval"], mapping["checkpoint"], mapping["agent"]
        env_steps = whole("env_steps", mapping["env_steps"], 1)
        require(
            isinstance(agent, Mapping) and isinstance(agent.get("name"), str), "agent", agent, "a recipe with a name"
        )
        check_outputs(mapping)
        deterministic = evaluation.get("deterministic", True)
        require(isinstance(deterministic, bool), "eval.deterministic", deterministic, "true or false")
        return cls(
            seed=checked_seed(mapping["seed"]),
            device=str(mapping["device"]),
            env_steps=env_steps,
            num_envs=whole("num_envs", mapping["num_envs"], 1),
            run_dir=path_or_none("run_dir", mapping["run_dir"]),
            logger=str(mapping["logger"]),
            eval_every=interval("eval.every", evaluation["every"], env_steps, shares=5),
            eval_episodes=whole("eval.episodes", evaluation["episodes"], 1),
            eval_during=whole("eval.during", evaluation["during"], 1),
            eval_deterministic=deterministic,
            checkpoint_every=interval("checkpoint.every", checkpoint["every"], env_steps, shares=10),
            progress=str(mapping["progress"]),
            env=EnvConfig.from_mapping(mapping["env"]),
            agent=dict(agent),
            resolved=dict(mapping),
        )


_TOP_LEVEL = ("seed", "device", "env_steps", "num_envs", "run_dir", "resume", "logger", "progress")


def check_outputs(mapping: Mapping[str, Any]) -> None:
    """Raise a ConfigError unless ``progress``, ``device`` and ``logger`` are what every run knows."""
    progress, device, logger = mapping["progress"], mapping["device"], mapping["logger"]
    require(progress in PROGRESS_MODES, "progress", progress, f"one of {', '.join(PROGRESS_MODES)}")
    known = isinstance(device, str) and re.fullmatch(r"auto|cpu(:0)?|cuda(:[0-9]{1,3})?", device) is not None
    require(known, "device", device, "auto, cpu, cuda or cuda:<n>")
    require(isinstance(logger, str), "logger", logger, "a logger's name, or none")
    validate_logger_names(logger)


def path_or_none(setting: str, value: Any) -> Path | None:
    """The path that a setting names, ``~`` being the home folder; ``None`` where it is not set.

    Raises:
        ConfigError: the value is no text, or empty.
    """
    if value is None:
        return None
    is_text = isinstance(value, (str, Path, int, float)) and not isinstance(value, bool) and str(value) != ""
    require(is_text, setting, value, "a path")
    return Path(os.path.expanduser(value if isinstance(value, (str, Path)) else str(value)))


def folder(setting: str, value: Any) -> Path:
    """The path that an option names, found fit to be one by the file system; it need not exist.

    Raises:
        ConfigError: nothing is named, as by an unset variable of the shell, or no file can have this name.
    """
    path = path_or_none(setting, value)
    if path is None:
        raise ConfigError(f"{setting}={value}: must be a path")
    return usable(setting, path)


def whole(setting: str, value: Any, least: int) -> int:
    """``value``, or a ConfigError unless it is an integer of at least ``least``."""
    integer = isinstance(value, int) and not isinstance(value, bool)
    require(integer and value >= least, setting, value, f"an integer of at least {least}")
    return int(value)


def checked_seed(value: Any) -> int:
    """``value``, or a ConfigError unless it can seed a run."""
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < SEED_LIMIT
    require(fits, "seed", value, f"an integer from 0 to {SEED_LIMIT - 1}")
    return int(value)


def interval(setting: str, value: Any, total: int, shares: int) -> int:
    """Steps between two events; if not given, so many that the run has ``shares`` of them."""
    return max(total // shares, 1) if value is None else whole(setting, value, 0) or total + 1


def read_settings(run_dir: str | Path, setting: str = "run", *, trust: bool = False) -> dict[str, Any]:
    """What a run's ``config.yaml`` holds, found whole.

    Args:
        run_dir: the run's folder.
        setting: the name that an error message gives to it.
        trust: whether code that it names may run, be it an agent, a learner or an environment of somebody's own.

    Raises:
        ConfigError: the folder is not that of a run, or the file is damaged.
        UntrustedCodeError: it names code that may not run.
    """
    if run_dir is None or str(run_dir) == "":
        raise ConfigError(f"{setting}={run_dir}: must be the folder of a run")
    path = folder(setting, run_dir) / "config.yaml"
    source = f"{setting}={shown(run_dir)}"
    if not path.is_file():
        raise ConfigError(f"{source}: there is no config.yaml in it; must be the folder of a run")
    settings = upgraded_settings(read_yaml(path, f"{source}: its config.yaml"))
    check_trust(settings, source, trust)
    if "learner" not in settings:
        try:
            RunConfig.from_mapping(settings)
        except ConfigError as error:
            raise ConfigError(f"{source}: its config.yaml is damaged: {error}") from error
    return settings


def write_settings(run_dir: Path, settings: Mapping[str, Any]) -> None:
    """Write a run's ``config.yaml``, so that a reader finds the old one or the whole new one.

    Args:
        run_dir: the run's folder.
        settings: those of the whole run.

    Raises:
        OSError: the folder cannot be written to.
    """
    write_yaml(run_dir / "config.yaml", settings)


def read_config(run_dir: str | Path, *, trust: bool = False) -> RunConfig:
    """The checked settings of a run; see :func:`read_settings`.

    Raises:
        ConfigError: the folder is not that of a run, its settings are damaged, or name code that may not run.
    """
    return RunConfig.from_mapping(read_settings(run_dir, trust=trust))


def read_run(options: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    """The folder and the settings of the run that a command's options ``run`` and ``trust`` name.

    Raises:
        ConfigError: see :func:`read_settings`.
    """
    trust = options["trust"]
    require(isinstance(trust, bool), "trust", trust, "true or false")
    settings = read_settings(options["run"], trust=trust)
    return folder("run", options["run"]), settings
