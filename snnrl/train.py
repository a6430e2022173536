"""``python -m snnrl.train env=SpaceInvaders``: train an agent, or go on with a run."""

from __future__ import annotations

import datetime
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnrl.cli import run_command
from snnrl.errors import ConfigError, did_you_mean, require, shown
from snnrl.recipes import compose_run, has_pipeline, recipe_names
from snnrl.textfiles import usable

if TYPE_CHECKING:
    from snnrl.config import RunConfig
    from snnrl.pipelines.config import PipelineConfig

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
  resume            folder of a run to go on with
  trust             with resume: true lets code run that the run's config.yaml names (agents, environments of your own)
  logger            tensorboard, wandb, tensorboard,wandb or none; metrics.jsonl is always written
  eval.every        environment steps between evaluations, 0 for none; eval.during episodes each
  eval.episodes     episodes of the evaluation at the end
  eval.deterministic  whether evaluations take the best actions rather than draw them (true)
  checkpoint.every  environment steps between checkpoints, 0 for none but the last
  progress          auto, bar, plain or none

Experiments that learn from a data set ({pipelines}) have no environment; besides seed to progress they know

  dataset           MNIST, FashionMNIST, KMNIST or EMNIST
  data_dir          folder with its files ($SNNRL_DATA, else a cache that they are downloaded to)
  passes            how often each training image is learned from
  split             test, or validation: the last 10,000 training images are held out and evaluated on
  train_images      learn from the first so many only; test_images evaluates on the first so many
  plot              true draws what was learned into the run's folder
  KEY=VALUE         changes one of the learner's settings, such as n_neurons=400
"""

CHANGEABLE = (
    "env_steps",
    "device",
    "logger",
    "progress",
    "eval.every",
    "eval.episodes",
    "eval.during",
    "eval.deterministic",
    "checkpoint.every",
)
"""Settings that may be given anew when a run is resumed; any other would make it another run."""
PIPELINE_CHANGEABLE = (
    *("passes", "device", "data_dir", "logger", "progress", "plot"),
    *("eval.every", "eval.during", "checkpoint.every"),
)
"""The same for a run that learns from a data set."""


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    names = {f"{group}s": ", ".join(recipe_names(group)) for group in ("env", "agent", "experiment")}
    names["pipelines"] = ", ".join(name for name in recipe_names("experiment") if has_pipeline(name))
    return run_command(train, USAGE.format(**names), words)


def train(words: Sequence[str]) -> int:
    """Train as the command line says; 0 at the end of the run; 130 or 143 if SIGINT or SIGTERM stopped it, saved.

    Raises:
        ConfigError: a wrong setting.
    """
    run_dir, trust = _resumes(words)
    settings = compose_run(words) if run_dir is None else _resumed(run_dir, words, trust)

    from snnrl.config import write_settings
    from snnrl.loading import make_runner
    from snnrl.training.device import leave_cores_to_environments

    config, make_session = make_runner(settings)
    if "pipeline" not in settings:
        leave_cores_to_environments()
    resume = run_dir is not None
    run_dir = _new_run_dir(config) if run_dir is None else run_dir
    runner = make_session(run_dir, resume=resume)
    write_settings(run_dir, settings)
    again = _resume_line(run_dir, settings)
    _announce(config, run_dir, runner.steps, again)
    summary = runner.train()
    if summary is None:
        signal_name = runner.shutdown.requested
        reached = f"{runner.steps:,} {runner.workload.unit}"
        print(f"stopped by {signal_name} at {reached}, saved. Go on: {again}", file=sys.stderr)
        return 128 + signal.Signals[str(signal_name)]
    print(f"{runner.workload.result(summary)}, written to {run_dir}")
    return 0


def _resumes(words: Sequence[str]) -> tuple[Path | None, bool]:
    """The folder of the run that goes on, if one does, and whether code that it names may run.

    Raises:
        ConfigError: ``resume=`` with nothing behind it, as from an unset variable of the shell.
    """
    from snnrl.words import as_text, split

    given = {word.key: word for word in map(split, words) if word.key in ("resume", "trust")}
    resumed = as_text(given["resume"].value) if "resume" in given else None
    if resumed is None:
        if "trust" in given:
            raise ConfigError(
                f"{shown(given['trust'].written)}: goes with resume=; what a new run names is your own word"
            )
        return None, False
    from snnrl.config import path_or_none

    if resumed == "":
        raise ConfigError("resume=: must be the folder of a run, and nothing stands behind it")
    trust = given["trust"].value if "trust" in given else "false"
    require(trust in ("true", "false"), "trust", trust, "true or false")
    return path_or_none("resume", resumed), trust == "true"


def _resumed(run_dir: Path, words: Sequence[str], trust: bool) -> dict[str, Any]:
    """The settings of a run that goes on, with what the command line changes."""
    from snnrl.config import read_settings
    from snnrl.words import TEXT, merge, read_words, split

    settings = read_settings(run_dir, "resume", trust=trust)
    changeable = PIPELINE_CHANGEABLE if "pipeline" in settings else CHANGEABLE
    changes = [word for word in words if split(word).key not in ("resume", "trust")]
    for word in changes:
        key = split(word).key
        if key not in changeable:
            raise ConfigError(f"{shown(word)}: cannot change when a run is resumed; {did_you_mean(key, changeable)}")
    return merge(settings, read_words(changes, as_written=TEXT))


def _new_run_dir(config: RunConfig | PipelineConfig) -> Path:
    if config.run_dir is None:
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
        return Path("runs") / f"{config.title}-{stamp}"
    if usable("run_dir", config.run_dir).exists():
        raise ConfigError(
            f"run_dir={config.run_dir}: exists already and is never overwritten; "
            f"must be a new folder, or resume={config.run_dir} to go on with it"
        )
    return config.run_dir


def _resume_line(run_dir: Path, settings: Mapping[str, Any]) -> str:
    """The command that goes on with a run; whoever named code of their own trusts it."""
    from snnrl.trust import names_code

    trust = " trust=true" if names_code(settings) else ""
    return f"python -m snnrl.train resume={shlex.quote(str(run_dir))}{trust}"


def _announce(config: RunConfig | PipelineConfig, run_dir: Path, steps: int, again: str) -> None:
    print(
        f"{config.announcement(steps)}\nwriting to {run_dir}\nCtrl-C saves and stops; go on with: {again}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
