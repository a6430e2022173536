"""The settings of a training run, checked before anything is created."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from snnrl.envs import LONGEST, EnvConfig, check_registered, has_limit, is_registered
from snnrl.errors import ConfigError, require, shown
from snnrl.legacy import upgraded_settings
from snnrl.run_settings import CommonSettings, RLSettings
from snnrl.settings import declarations, read, setting, unknown
from snnrl.settings.early import AGENT_FOLDERS, LEARNER_FOLDERS, check_early
from snnrl.textfiles import not_there, read_yaml, usable, write_yaml
from snnrl.training.loggers import validate_logger_names
from snnrl.trust import check_trust
from snnrl.types import Setting, Settings

C = TypeVar("C", bound=CommonSettings)


@dataclass(frozen=True, kw_only=True)
class RunConfig(RLSettings):
    """Everything that decides a run of an agent; :attr:`resolved` is what its ``config.yaml`` holds.

    Attributes:
        env: the environment's recipe.
        agent: the agent's recipe, ``name`` and its settings.
        resolved: the mapping that all this was read from.
    """

    env: EnvConfig = setting(help="the settings are not whole")
    agent: Settings = setting(help="the settings are not whole", expected="a recipe with a name")
    resolved: Settings = setting({})

    def __post_init__(self) -> None:
        super().__post_init__()
        named = isinstance(self.agent.get("name"), str)
        self.require(named, "agent", "a recipe with a name")
        loggers = validate_logger_names(self.logger)
        if not loggers:
            self.video.require(
                self.video.every == 0, "every", f"0 with logger={self.logger}, as no logger shows videos"
            )

    @property
    def eval_every(self) -> int:
        """Environment steps between evaluations while training; beyond the end for none."""
        return interval(self.eval.every, self.env_steps, shares=5)

    @property
    def checkpoint_every(self) -> int:
        """Environment steps between checkpoints; beyond the end for none but the last."""
        return interval(self.checkpoint.every, self.env_steps, shares=10)

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
            f"{self.num_envs} environments, then {self.eval.episodes} evaluation episodes{limit}"
        )

    @classmethod
    def from_mapping(cls, mapping: Settings) -> RunConfig:
        """Read and check the mapping that :func:`snnrl.recipes.compose_run` or a run's ``config.yaml`` gives.

        Raises:
            ConfigError: a value of the wrong type or out of range.
        """
        if "learner" in mapping:
            raise ConfigError("learner: this run learned from a data set; must be the run of an agent")
        return read_whole(cls, mapping)


def check_values(settings: Settings) -> None:
    """Raise for what can be seen to be wrong in a run's settings before torch, which takes seconds, is imported.

    Raises:
        ConfigError: a setting that is unknown, missing, of the wrong type or out of range.
    """
    if "learner" in settings:
        from snnrl.training.supervised_config import SupervisedConfig

        check_early(SupervisedConfig.from_mapping(settings).learner, "learner", LEARNER_FOLDERS)
        return
    config = RunConfig.from_mapping(settings)
    check_registered(config.env)
    check_early(config.agent, "agent", AGENT_FOLDERS)


def read_whole(config: type[C], mapping: Settings) -> C:
    """The settings of a run, none of which may be missing at the top, where a file that was cut off would lack some.

    Raises:
        ConfigError: a setting that is unknown, missing, of the wrong type or out of range.
    """
    known = [name for name in declarations(config) if name not in ("resolved", "total")]
    for key, value in mapping.items():
        if key not in known:
            raise unknown("", key, value, known)
    for key in sorted(set(known) - {"resume", "wandb", "video"} - set(mapping)):
        raise ConfigError(f"{key} is missing: the settings are not whole")
    return read(config, {**mapping, "resolved": dict(mapping)}, "")


def folder(setting: str, value: str | Path) -> Path:
    """The path that an option names, ``~`` being the home folder, found fit to be one; it need not exist.

    Raises:
        ConfigError: no file can have this name.
    """
    return usable(setting, Path(os.path.expanduser(value)))


def interval(every: int | None, total: int, shares: int) -> int:
    """Steps between two events: so many that the run has ``shares`` of them if not given, and beyond its end for 0."""
    return max(total // shares, 1) if every is None else every or total + 1


def read_settings(run_dir: str | Path, setting: str = "run", *, trust: bool = False) -> dict[str, Setting]:
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
    place = folder(setting, run_dir)
    path, source = place / "config.yaml", f"{setting}={shown(run_dir)}"
    if not path.is_file():
        loads = setting == "path"
        lacking = _lacking(place, "file or folder" if loads else "folder")
        raise ConfigError(f"{source}: {lacking}; must be the folder of a run{', or a file of save' if loads else ''}")
    settings = upgraded_settings(read_yaml(path, f"{source}: its config.yaml"))
    check_trust(settings, f"{source}: its config.yaml", trust)
    if "learner" not in settings:
        try:
            RunConfig.from_mapping(settings)
        except ConfigError as error:
            raise ConfigError(f"{source}: its config.yaml is damaged: {error}") from error
    return settings


def _lacking(place: Path, kind: str) -> str:
    """What an error says of a path that is not the folder of a run, although it was to be a ``kind``."""
    if place.is_dir():
        return "there is no config.yaml in it"
    return "is a file" if place.exists() else not_there(place, kind)


def write_settings(run_dir: Path, settings: Settings) -> None:
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


def read_run(
    run: str | Path, setting: str = "run", *, trust: bool = False, elsewhere: bool = False
) -> tuple[Path, dict[str, Setting]]:
    """The folder and the settings of a run; see :func:`read_settings`.

    Args:
        run: the run's folder.
        setting: the name that an error message gives to it.
        trust: whether code that it names may run.
        elsewhere: whether it is to act in another environment, so that its own need not be there.

    Raises:
        ConfigError: the folder is not that of a run, its settings are damaged, or name code that may not run; or its
            environment was an object, and no id stands for it.
    """
    require(isinstance(trust, bool), "trust", trust, "true or false")
    settings = read_settings(run, setting, trust=trust)
    if not elsewhere:
        agent = f'agent = snnrl.load("{run}", env=env)'
        check_env(settings, f"{setting}={shown(run)}", f"{agent}, and then snnrl.evaluate(agent)")
    return folder(setting, run), settings


def check_env(settings: Settings, source: str, cure: str) -> None:
    """Raise unless the environment of a run, where it has one, can be made from its settings.

    Args:
        settings: of the run.
        source: what an error message calls it.
        cure: a line of Python that goes on with an environment ``env``.

    Raises:
        ConfigError: the environment was given by a program, as an object or under an id that is not registered here.
    """
    env_id = settings["env"]["id"] if "env" in settings else None
    if env_id is not None and not is_registered(env_id):
        raise ConfigError(
            f"{source}: its environment {shown(env_id)} was given by a program, and no environment is registered under "
            f"this id; must be given again in Python: {cure}"
        )
