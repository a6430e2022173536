"""``python -m snnrl.train env=SpaceInvaders``: train an agent, or go on with a run."""

from __future__ import annotations

import datetime
import secrets
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from snnrl.cli import CommandModule, run_command
from snnrl.errors import ConfigError, require, shown
from snnrl.recipes import compose_run, has_learner, recipe_names
from snnrl.textfiles import usable
from snnrl.training.shutdown import stoppable

if TYPE_CHECKING:
    from snnrl.training.task import RunSettings

USAGE = """
usage: python -m snnrl.train [env=RECIPE] [agent=RECIPE] [experiment=RECIPE] [key=value ...]
       python -m snnrl.train experiment=mnist_unsupervised [dataset=NAME] [n_neurons=N] [key=value ...]
       python -m snnrl.train resume=RUN_DIR [trust=true] [env_steps=N] [passes=N] [key=value ...]

  env               a recipe: {envs}; or env.id=ANY_GYMNASIUM_ID
  agent             a recipe: {agents}; agent.KEY=VALUE changes one of its settings
  experiment        a recipe: {experiments}
  env_steps         length of the run in environment steps, summed over environments
  num_envs          environments stepped together
  seed              of all randomness (0)
  device            auto, cpu, cuda or cuda:<n>
  run_dir           folder to write to (a new one under runs/)
  resume            folder of a run to go on with; checkpoint=last, best or a file of it to go on from
  trust             with resume: true lets code run that the run's config.yaml names (agents, environments of your own)
  logger            tensorboard, wandb, tensorboard,wandb or none; metrics.jsonl is always written
  eval.every        environment steps between evaluations, 0 for none; eval.during episodes each
  eval.episodes     episodes of the evaluation at the end
  eval.deterministic  whether evaluations take the best actions rather than draw them (true)
  checkpoint.every  environment steps between checkpoints, 0 for none but the last
  progress          auto, bar, plain or none

Experiments that learn from a data set ({supervised}) have no environment; besides seed to progress they know

  dataset           MNIST, FashionMNIST, KMNIST or EMNIST
  data_dir          folder with its files ($SNNRL_DATA, else a cache that they are downloaded to)
  passes            how often each training image is learned from
  split             test, or validation: the last 10,000 training images are held out and evaluated on
  train_images      learn from the first so many only; test_images evaluates on the first so many
  plot              true draws what was learned into the run's folder
  KEY=VALUE         changes one of the learner's settings, such as n_neurons=400
"""

_ABOUT_RESUMING = ("resume", "checkpoint", "trust")
"""Words that say which run goes on, from where and how; they are no settings."""


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    names = {f"{group}s": ", ".join(recipe_names(group)) for group in ("env", "agent", "experiment")}
    names["supervised"] = ", ".join(name for name in recipe_names("experiment") if has_learner(name))
    return run_command(stoppable(train), USAGE.format(**names), words)


def train(words: Sequence[str]) -> int:
    """Train as the command line says; 0 at the end of the run; 129, 130 or 143 if a signal stopped it, saved.

    Raises:
        ConfigError: a wrong setting.
    """
    resumed = _resumes(words)
    settings = compose_run(words) if resumed is None else _resumed(resumed, words)

    from snnrl.loading import task_of
    from snnrl.training.device import leave_cores_to_environments
    from snnrl.training.folder import resume_line
    from snnrl.training.trainer import Trainer

    if "learner" not in settings:
        leave_cores_to_environments()
    task = task_of(settings)
    run_dir = _new_run_dir(task.config) if resumed is None else resumed.run_dir
    trainer = Trainer(task, run_dir, resume=False if resumed is None else resumed.checkpoint)
    _announce(task.config, run_dir, settings, trainer.steps)
    run = trainer.train()
    if run.summary is None:
        reached, again = f"{run.steps:,} {task.unit}", resume_line(run_dir, settings)
        print(f"stopped by {run.stopped_by} at {reached}, saved. Go on: {again}", file=sys.stderr)
        return 128 + signal.Signals[str(run.stopped_by)]
    print(f"{task.result(run.summary)}, written to {run_dir}")
    return 0


class _Resumed(NamedTuple):
    """What the command line says of a run that goes on."""

    run_dir: Path
    checkpoint: str | bool
    """The checkpoint to go on from; true for the last, or for the start where there is none."""
    trust: bool
    """Whether code that the run names may run."""


def _resumes(words: Sequence[str]) -> _Resumed | None:
    """The run that goes on, if one does.

    Raises:
        ConfigError: ``resume=`` with nothing behind it, as from an unset variable of the shell.
    """
    from snnrl.words import as_text, split

    given = {word.key: word for word in map(split, words) if word.key in _ABOUT_RESUMING}
    resumed = as_text(given["resume"].value) if "resume" in given else None
    if resumed is None:
        if "trust" in given:
            raise ConfigError(
                f"{shown(given['trust'].written)}: goes with resume=; what a new run names is your own word"
            )
        return None
    from snnrl.config import folder

    if resumed == "":
        raise ConfigError("resume=: must be the folder of a run, and nothing stands behind it")
    trust = given["trust"].value if "trust" in given else "false"
    require(trust in ("true", "false"), "trust", trust, "true or false")
    checkpoint = as_text(given["checkpoint"].value) if "checkpoint" in given else None
    require(checkpoint != "", "checkpoint", checkpoint, "last, best or a file of the run")
    return _Resumed(folder("resume", resumed), checkpoint or True, trust == "true")


def _resumed(resumed: _Resumed, words: Sequence[str]) -> dict[str, Any]:
    """The settings of a run that goes on, with what the command line changes."""
    from snnrl.resuming import resumed_settings
    from snnrl.words import split

    changes = [word for word in words if split(word).key not in _ABOUT_RESUMING]
    return resumed_settings(resumed.run_dir, changes, resumed.trust)


def _new_run_dir(config: RunSettings) -> Path:
    from snnrl.training.folder import exists_already

    if config.run_dir is None:
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
        return Path("runs") / f"{config.title}-{stamp}-{secrets.token_hex(2)}"
    if usable("run_dir", config.run_dir).exists():
        raise ConfigError(exists_already(config.run_dir))
    return config.run_dir


def _announce(config: RunSettings, run_dir: Path, settings: Mapping[str, Any], steps: int) -> None:
    from snnrl.training.folder import resume_line

    print(
        f"{config.announcement(steps)}\n"
        f"writing to {run_dir}\n"
        f"Ctrl-C saves and stops; go on with: {resume_line(run_dir, settings)}",
        file=sys.stderr,
        flush=True,
    )


sys.modules[__name__].__class__ = CommandModule

if __name__ == "__main__":
    sys.exit(main())
