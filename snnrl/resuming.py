"""The settings of a run that goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from snnrl.config import check_env, read_settings
from snnrl.errors import ConfigError, did_you_mean, shown
from snnrl.types import Setting
from snnrl.words import TEXT, merge, read_words, split

_WANDB = ("wandb.project", "wandb.name", "wandb.group", "wandb.tags")
CHANGEABLE = (
    "env_steps",
    "device",
    "logger",
    *_WANDB,
    "progress",
    "eval.every",
    "eval.episodes",
    "eval.during",
    "eval.deterministic",
    *("video.every", "video.seconds", "video.spikes"),
    "checkpoint.every",
)
"""Settings that may be given anew when a run is resumed; any other would make it another run."""
SUPERVISED_CHANGEABLE = (
    *("passes", "device", "data_dir", "logger", "progress", "plot"),
    *_WANDB,
    *("eval.every", "eval.during", "checkpoint.every"),
)
"""The same for a run that learns from a data set."""


def resumed_settings(run_dir: Path, changes: Sequence[str], trust: bool, elsewhere: bool = False) -> dict[str, Setting]:
    """The settings of a run's folder, with what is changed.

    Args:
        run_dir: the folder.
        changes: ``key=value`` words.
        trust: whether code may run that the settings name.
        elsewhere: whether an environment is given, so that the run's own need not be there.

    Raises:
        ConfigError: the folder is not that of a run, or a setting that would make it another run.
    """
    settings = read_settings(run_dir, "resume", trust=trust)
    if not elsewhere:
        check_env(settings, f"resume={shown(run_dir)}", f'snnrl.train(env, resume="{run_dir}")')
    changeable = SUPERVISED_CHANGEABLE if "learner" in settings else CHANGEABLE
    for word in changes:
        key = split(word).key
        if key not in changeable:
            raise ConfigError(f"{shown(word)}: cannot change when a run is resumed; {did_you_mean(key, changeable)}")
    return merge(settings, read_words(changes, as_written=TEXT))
