"""``python -m snnrl.train env=SpaceInvaders``: train an agent, or go on with a run."""

from __future__ import annotations

import datetime
import secrets
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnrl.cli import run_command
from snnrl.errors import ConfigError, did_you_mean
from snnrl.recipes import compose_run, has_pipeline, recipe_names
from snnrl.training.shutdown import stoppable

if TYPE_CHECKING:
    from snnrl.config import RunConfig
    from snnrl.pipelines.config import PipelineConfig

USAGE = """
usage: python -m snnrl.train [env=RECIPE] [agent=RECIPE] [experiment=RECIPE] [key=value ...]
       python -m snnrl.train experiment=mnist_unsupervised [dataset=NAME] [n_neurons=N] [key=value ...]
       python -m snnrl.train resume=RUN_DIR [env_steps=N] [passes=N] [key=value ...]

  env               a recipe: {envs}; or env.id=ANY_GYMNASIUM_ID
  agent             a recipe: {agents}; agent.KEY=VALUE changes one of its settings
  experiment        a recipe: {experiments}
  env_steps         length of the run in environment steps, summed over environments
  num_envs          environments stepped together
  seed              of all randomness (0)
  device            auto, cpu, cuda or cuda:<n>
  run_dir           folder to write to (a new one under runs/)
  resume            folder of a run to go on with; checkpoint=last, best or a file of it to go on from
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
    return run_command(stoppable(train), USAGE.format(**names), words)


def train(words: Sequence[str]) -> int:
    """Train as the command line says; 0 at the end of the run; 129, 130 or 143 if a signal stopped it, saved.

    Raises:
        ConfigError: a wrong setting.
    """
    resumed = next((word.partition("=")[2] for word in words if word.startswith("resume=")), None)
    resume: bool | str = False
    if resumed in (None, "", "null"):
        settings = compose_run(words)
        run_dir = None
    else:
        run_dir = Path(str(resumed))
        resume = next((word.partition("=")[2] for word in words if word.startswith("checkpoint=")), True)
        settings = _resumed(run_dir, [word for word in words if not word.startswith(("resume=", "checkpoint="))])

    from snnrl.loading import make_runner
    from snnrl.training.device import leave_cores_to_environments
    from snnrl.training.folder import resume_line

    config, make_session = make_runner(settings)
    if "pipeline" not in settings:
        leave_cores_to_environments()
    run_dir = _new_run_dir(config) if run_dir is None else run_dir
    runner = make_session(run_dir, resume=resume)
    _announce(config, run_dir, runner.steps)
    summary = runner.train()
    if summary is None:
        signal_name = runner.shutdown.requested
        reached = f"{runner.steps:,} {runner.workload.unit}"
        print(f"stopped by {signal_name} at {reached}, saved. Go on: {resume_line(run_dir)}", file=sys.stderr)
        return 128 + signal.Signals[str(signal_name)]
    print(f"{runner.workload.result(summary)}, written to {run_dir}")
    return 0


def _resumed(run_dir: Path, words: Sequence[str]) -> dict[str, Any]:
    """The settings of a run that goes on, with what the command line changes."""
    from omegaconf import OmegaConf

    from snnrl.config import read_settings, read_words

    settings = read_settings(run_dir, "resume")
    changeable = PIPELINE_CHANGEABLE if "pipeline" in settings else CHANGEABLE
    for word in words:
        key = word.partition("=")[0]
        if key not in changeable:
            raise ConfigError(f"{word}: cannot change when a run is resumed; {did_you_mean(key, changeable)}")
    changed = OmegaConf.merge(settings, read_words(words, as_written=("device", "logger", "progress", "data_dir")))
    merged = OmegaConf.to_container(changed)
    assert isinstance(merged, dict)
    return {str(key): value for key, value in merged.items()}


def _new_run_dir(config: RunConfig | PipelineConfig) -> Path:
    from snnrl.training.folder import exists_already

    if config.run_dir is None:
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
        return Path("runs") / f"{config.title}-{stamp}-{secrets.token_hex(2)}"
    if config.run_dir.exists():
        raise ConfigError(exists_already(config.run_dir))
    return config.run_dir


def _announce(config: RunConfig | PipelineConfig, run_dir: Path, steps: int) -> None:
    from snnrl.training.folder import resume_line

    print(
        f"{config.announcement(steps)}\n"
        f"writing to {run_dir}\n"
        f"Ctrl-C saves and stops; go on with: {resume_line(run_dir)}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
