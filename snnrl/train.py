"""``python -m snnrl.train env=SpaceInvaders``: train an agent, or go on with a run."""

from __future__ import annotations

import datetime
import os
import secrets
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from snnrl.cli import WRONG_SETTING, read_options, run_command
from snnrl.errors import ConfigError, RunError, shown
from snnrl.recipes import DEFAULT_ENV, compose_run, has_learner, recipe_names
from snnrl.run_settings import CommonSettings, RLSettings, SupervisedSettings
from snnrl.settings import Registry, Settings, declarations, help_text, setting
from snnrl.settings.reading import Configurable
from snnrl.textfiles import usable
from snnrl.training.shutdown import Interrupted, stoppable
from snnrl.types import Setting
from snnrl.words import as_text, split

if TYPE_CHECKING:
    from snnrl.ranks import Ranks
    from snnrl.training.task import AnyTask, RunSettings
    from snnrl.watching.training import Watching

HEAD = """
usage: python -m snnrl.train [env=RECIPE] [agent=RECIPE] [experiment=RECIPE] [key=value ...]
       python -m snnrl.train experiment=mnist_unsupervised [dataset=NAME] [n_neurons=N] [key=value ...]
       torchrun --nproc-per-node=N -m snnrl.train env=RECIPE [key=value ...]
       python -m snnrl.train resume=RUN_DIR [trust=true] [env_steps=N] [passes=N] [key=value ...]

"""
COLUMN = 22
"""Where the helps of settings begin."""


@dataclass(frozen=True)
class ResumeOptions(Settings):
    """Which run goes on, from where and how; the settings are the run's own."""

    resume: Path | None = setting(None, "folder of a run to go on with")
    checkpoint: str | None = setting(
        None,
        "with resume: last, best or a file of the run to go on from",
        default_text="last",
        check=bool,
        expected="last, best or a file of the run",
    )
    trust: bool = setting(
        False, "with resume: whether code may run that its config.yaml names, such as an agent of others"
    )


@dataclass(frozen=True)
class WatchOptions(Settings):
    """Whether somebody looks on; no matter of the run's own settings."""

    watch: bool = setting(False, "show in a browser how the agent plays by now and what it has learned")


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(stoppable(train), usage, words)


def usage(words: Sequence[str]) -> str:
    """What ``--help`` prints: recipes and settings; with ``agent=`` or ``experiment=`` also what that one has."""
    names = {group: ", ".join(recipe_names(group)) for group in ("env", "agent", "experiment")}
    supervised = ", ".join(name for name in recipe_names("experiment") if has_learner(name))
    parts = [
        f"{'  env':{COLUMN}}a recipe: {names['env']}; or env.id=ANY_GYMNASIUM_ID",
        f"{'  agent':{COLUMN}}a recipe: {names['agent']}; agent.KEY=VALUE changes one of its settings",
        f"{'  experiment':{COLUMN}}a recipe: {names['experiment']}",
        help_text(RLSettings, column=COLUMN, leave_out=["resume"]),
        help_text(ResumeOptions, column=COLUMN),
        help_text(WatchOptions, column=COLUMN),
        f"\nmnist_reward is an agent's: its environment, env=MNIST, shows images.\n"
        f"Experiments that learn from a data set ({supervised}) have no environment, but\n",
        help_text(SupervisedSettings, column=COLUMN, leave_out=list(declarations(CommonSettings))),
        f"{'  KEY=VALUE':{COLUMN}}changes one of the learner's settings, such as n_neurons=400",
        _own_settings(words)
        or "\nWith agent=RECIPE or experiment=RECIPE, --help also lists what that one can be told.",
    ]
    return HEAD + "\n".join(parts)


def _own_settings(words: Sequence[str]) -> str:
    """The settings of the agent or the learner that the words choose, with the values that they would have."""
    if not any(split(word).key in ("agent", "agent.name", "experiment", "learner.name") for word in words):
        return ""
    settings = compose_run(words)
    section = "learner" if "learner" in settings else "agent"

    from snnrl.agents import AGENTS
    from snnrl.learners import LEARNERS

    registry: Registry[Configurable] = LEARNERS if section == "learner" else AGENTS
    kind = registry.find(settings[section]["name"], f"{section}.name")
    found = help_text(kind.Config, section, settings[section])
    return f"\nSettings of {section}.name={settings[section]['name']}\n\n{found}"


def train(words: Sequence[str]) -> int:
    """Train as the command line says; 0 at the end of the run; 129, 130 or 143 if a signal stopped it, saved.

    Raises:
        ConfigError: a wrong setting.
    """
    try:
        return _train(words)
    except Interrupted as interrupted:
        interrupted.so_far = interrupted.so_far or " before the first step; nothing was written"
        raise


def _train(words: Sequence[str]) -> int:
    if os.environ.get("WORLD_SIZE", "1") != "1":
        return _train_together(words)
    plan = _plan(words)

    from snnrl.ranks import ALONE

    return _carry_out(plan, ALONE)


def _train_together(words: Sequence[str]) -> int:
    """Train as one of the processes of torchrun; what is wrong with the run is said by the first of them."""
    from snnrl.ranks import launched

    ranks = launched()
    try:
        plan = ranks.told(lambda: _plan(words))
        if plan.watch:
            raise ConfigError(f"watch=true: must be left out in a run of {ranks.size} processes")
        return _carry_out(plan, ranks)
    except ConfigError:
        if ranks.leads:
            raise
        ranks.outlast()
        return WRONG_SETTING
    except RunError as error:
        if ranks.leads:
            raise
        raise RunError(f"process {ranks.rank} of {ranks.size}: {error}") from error


class Plan(NamedTuple):
    """What the command line asks for."""

    settings: dict[str, Setting]
    resumed: Path | None
    """The run that goes on."""
    checkpoint: str | None
    """From where."""
    watch: bool


def _plan(words: Sequence[str]) -> Plan:
    _check_whole(words)
    watch = read_options(WatchOptions, [word for word in words if _is_of(WatchOptions, word)]).watch
    words = [word for word in words if not _is_of(WatchOptions, word)]
    about = _resumes(words)
    resumed = about.resume
    settings = compose_run(words) if resumed is None else _resumed(resumed, about.trust, words)

    from snnrl.config import check_values

    check_values(settings)
    if resumed is None:
        _check_chosen(words, settings)
    if watch and "learner" in settings:
        raise ConfigError("watch=true: must be left out, as this run learns from a data set and plays nothing")
    return Plan(settings, resumed, about.checkpoint, watch)


def _carry_out(plan: Plan, ranks: Ranks) -> int:
    """Train, in all processes of the run."""
    from snnrl.loading import task_of
    from snnrl.ranks import LostRankError
    from snnrl.training.device import leave_cores_to_environments
    from snnrl.training.folder import resume_line
    from snnrl.training.trainer import Trainer

    settings, resumed = plan.settings, plan.resumed
    if "learner" not in settings:
        leave_cores_to_environments()
    task = ranks.all_well(lambda: task_of(settings, ranks=ranks))
    run_dir = ranks.told(lambda: _new_run_dir(task.config)) if resumed is None else resumed
    watching = _watching(task) if plan.watch else None
    trainer = Trainer(task, run_dir, resume=False if resumed is None else plan.checkpoint or True, callback=watching)
    if watching is not None:
        watching.rows = trainer.history.rows
    again = resume_line(run_dir, settings, ranks.local_size)
    try:
        if ranks.leads:
            _announce(task, run_dir, again, trainer.steps)
        run = trainer.train()
    except Interrupted as interrupted:
        interrupted.so_far = f" between steps; what was saved goes on: {again}"
        raise
    except LostRankError as error:
        raise RunError(f"{error}; go on with any number of processes: {again}") from error
    if run.summary is None:
        if ranks.leads:
            print(f"stopped by {run.stopped_by} at {run.steps:,} {task.unit}, saved. Go on: {again}", file=sys.stderr)
        return 128 + signal.Signals[str(run.stopped_by)]
    if ranks.leads:
        print(f"{task.result(run.summary)}, written to {run_dir}")
    return 0


def _is_of(options: type[Settings], word: str) -> bool:
    """Whether a word of the command line gives one of these options."""
    return split(word).key in declarations(options)


def _watching(task: AnyTask) -> Watching:
    """Those who look on.

    Raises:
        ConfigError: a package is missing.
    """
    from snnrl.training.environment_task import EnvironmentTask
    from snnrl.watching.training import Watching

    assert isinstance(task, EnvironmentTask)
    return Watching(task)


def _check_whole(words: Sequence[str]) -> None:
    """Raise a ConfigError for a run or a recipe that stands alone, with the word that it needs before it."""
    for word in words:
        if "=" not in word:
            keys = [group for group in ("env", "agent", "experiment") if word in recipe_names(group)]
            if Path(word).is_dir():
                raise ConfigError(f"{shown(word)}: must be resume={shown(word)}, the folder of a run to go on with")
            if keys:
                raise ConfigError(f"{word}: must be {keys[0]}={word}")


def _check_chosen(words: Sequence[str], settings: Mapping[str, Setting]) -> None:
    """Raise a ConfigError where nothing says what is to be learned, with what would be done and how to say so."""
    if not {"env", "env.id", "experiment"} & {split(word).key for word in words}:
        from snnrl.config import RunConfig

        raise ConfigError(
            f"env is missing: env={DEFAULT_ENV} would be {RunConfig.from_mapping(settings).announcement(0)}; must be a "
            f"recipe (env=CartPole takes a minute, --help lists all), env.id=ANY_GYMNASIUM_ID or experiment=RECIPE"
        )


def _resumes(words: Sequence[str]) -> ResumeOptions:
    """Which run goes on, if one does.

    Raises:
        ConfigError: ``resume=`` with nothing behind it, as from an unset variable of the shell.
    """
    given = [word for word in words if _is_of(ResumeOptions, word)]
    for word in given:
        if split(word).key == "resume" and as_text(split(word).value) == "":
            raise ConfigError("resume=: must be the folder of a run, and nothing stands behind it")
    options = read_options(ResumeOptions, given)
    for word in given:
        if options.resume is None and split(word).key == "trust":
            raise ConfigError(f"{shown(word)}: goes with resume=; what a new run names is your own word")
    return options


def _resumed(resumed: Path, trust: bool, words: Sequence[str]) -> dict[str, Setting]:
    """The settings of a run that goes on, with what the command line changes."""
    from snnrl.resuming import resumed_settings

    changes = [word for word in words if not _is_of(ResumeOptions, word)]
    return resumed_settings(resumed, changes, trust)


def _new_run_dir(config: RunSettings) -> Path:
    from snnrl.training.folder import exists_already

    if config.run_dir is None:
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
        return Path("runs") / f"{config.title}-{stamp}-{secrets.token_hex(2)}"
    if usable("run_dir", config.run_dir).exists():
        raise ConfigError(exists_already(config.run_dir))
    return config.run_dir


def _announce(task: AnyTask, run_dir: Path, again: str, steps: int) -> None:
    lines = [
        task.config.announcement(steps),
        task.device_line,
        f"shared out over {task.ranks.size} processes" if task.ranks.size > 1 else "",
        f"writing to {run_dir}",
        f"Ctrl-C saves and stops; go on with: {again}",
    ]
    print(*filter(None, lines), sep="\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
