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
from snnrl.errors import ConfigError, did_you_mean
from snnrl.recipes import compose_run, recipe_names

if TYPE_CHECKING:
    from snnrl.config import RunConfig

USAGE = """
usage: python -m snnrl.train [env=RECIPE] [agent=RECIPE] [experiment=RECIPE] [key=value ...]
       python -m snnrl.train resume=RUN_DIR [env_steps=N] [key=value ...]

  env               a recipe: {envs}; or env.id=ANY_GYMNASIUM_ID
  agent             a recipe: {agents}; agent.KEY=VALUE changes one of its settings
  experiment        a recipe: {experiments}
  env_steps         length of the run in environment steps, summed over environments
  num_envs          environments stepped together
  seed              of all randomness (0)
  device            auto, cpu, cuda or cuda:<n>
  run_dir           folder to write to (a new one under runs/)
  resume            folder of a run to go on with
  logger            tensorboard, wandb, tensorboard,wandb or none; metrics.jsonl is always written
  eval.every        environment steps between evaluations, 0 for none; eval.during episodes each
  eval.episodes     episodes of the evaluation at the end
  checkpoint.every  environment steps between checkpoints, 0 for none but the last
  progress          auto, bar, plain or none
"""

CHANGEABLE = (
    "env_steps",
    "device",
    "logger",
    "progress",
    "eval.every",
    "eval.episodes",
    "eval.during",
    "checkpoint.every",
)
"""Settings that may be given anew when a run is resumed; any other would make it another run."""


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    names = {f"{group}s": ", ".join(recipe_names(group)) for group in ("env", "agent", "experiment")}
    return run_command(train, USAGE.format(**names), words)


def train(words: Sequence[str]) -> int:
    """Train as the command line says; 0 at the end of the run; 130 or 143 if SIGINT or SIGTERM stopped it, saved.

    Raises:
        ConfigError: a wrong setting.
    """
    resumed = next((word.partition("=")[2] for word in words if word.startswith("resume=")), None)
    if resumed in (None, "", "null"):
        settings = compose_run(words)
        run_dir = None
    else:
        run_dir = Path(str(resumed))
        settings = _resumed(run_dir, [word for word in words if not word.startswith("resume=")])

    from snnrl.config import RunConfig
    from snnrl.training.device import leave_cores_to_environments
    from snnrl.training.runner import Runner

    config = RunConfig.from_mapping(settings)
    leave_cores_to_environments()
    resume = run_dir is not None
    run_dir = _new_run_dir(config) if run_dir is None else run_dir
    runner = Runner(config, run_dir, resume=resume)
    _write_config(run_dir, settings)
    _announce(config, run_dir, runner.steps)
    summary = runner.train()
    if summary is None:
        signal_name = runner.shutdown.requested
        print(
            f"stopped by {signal_name} at {runner.steps:,} env steps, saved. Go on: {_resume_line(run_dir)}",
            file=sys.stderr,
        )
        return 128 + signal.Signals[str(signal_name)]
    low, high = summary["eval/return_interval_95"]
    print(
        f"eval/return_mean {summary['eval/return_mean']:.1f} ± {summary['eval/return_std']:.1f} "
        f"(95 % interval {low:.1f} to {high:.1f}, {summary['eval/episodes']} episodes), "
        f"{summary['env_steps_per_second']:.0f} env steps/s, written to {run_dir}"
    )
    return 0


def _resumed(run_dir: Path, words: Sequence[str]) -> dict[str, Any]:
    """The settings of a run that goes on, with what the command line changes."""
    from omegaconf import OmegaConf

    from snnrl.config import read_settings, read_words

    settings = read_settings(run_dir, "resume")
    for word in words:
        key = word.partition("=")[0]
        if key not in CHANGEABLE:
            raise ConfigError(f"{word}: cannot change when a run is resumed; {did_you_mean(key, CHANGEABLE)}")
    changed = OmegaConf.merge(settings, read_words(words, as_written=("device", "logger", "progress")))
    merged = OmegaConf.to_container(changed)
    assert isinstance(merged, dict)
    return {str(key): value for key, value in merged.items()}


def _new_run_dir(config: RunConfig) -> Path:
    if config.run_dir is None:
        name = config.env.id.rpartition("/")[2].rpartition("-")[0] or config.env.id
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
        return Path("runs") / f"{name}-{config.agent['name']}-seed{config.seed}-{stamp}"
    if config.run_dir.exists():
        raise ConfigError(
            f"run_dir={config.run_dir}: exists already and is never overwritten; "
            f"must be a new folder, or resume={config.run_dir} to go on with it"
        )
    return config.run_dir


def _write_config(run_dir: Path, settings: Mapping[str, Any]) -> None:
    from omegaconf import OmegaConf

    unfinished = run_dir / ".config.yaml.tmp"
    OmegaConf.save(OmegaConf.create(dict(settings)), unfinished)
    unfinished.replace(run_dir / "config.yaml")


def _resume_line(run_dir: Path) -> str:
    return f"python -m snnrl.train resume={shlex.quote(str(run_dir))}"


def _announce(config: RunConfig, run_dir: Path, steps: int) -> None:
    start = f"going on at {steps:,} of" if steps else "training for"
    print(
        f"{config.env.id}, agent {config.agent['name']}, seed {config.seed}: {start} {config.env_steps:,} env steps in "
        f"{config.num_envs} environments, then {config.eval_episodes} evaluation episodes\n"
        f"writing to {run_dir}\n"
        f"Ctrl-C saves and stops; go on with: {_resume_line(run_dir)}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
