"""Runs repeated over seeds and variants: train what is missing, evaluate it, draw the curves of learning."""

from __future__ import annotations

import hashlib
import json
import math
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from snnrl.config import RunConfig, read_settings
from snnrl.errors import ConfigError
from snnrl.loading import load_model, task_of
from snnrl.training.checkpoints import CheckpointStore
from snnrl.training.evaluation import evaluate
from snnrl.training.progress import evaluating
from snnrl.training.summary import write_json
from snnrl.training.trainer import Trainer
from snnrl.types import Setting, Settings

NO_MATTER = ("logger", "progress", "run_dir", "resume", "eval.episodes", "wandb")
"""Settings that change nothing in what a run learns."""


def check_reusable(settings: Settings, folder: Path) -> None:
    """Raise unless the folder is new, or of a run of the same settings, which counts as this one.

    Args:
        settings: of the whole run.
        folder: the run's, within the one that is called ``out``.

    Raises:
        ConfigError: the run in the folder has other settings.
    """
    if not (folder / "config.yaml").is_file():
        return
    wanted, found = dict(_plain(settings)), dict(_plain(read_settings(folder, "out", trust=True)))
    different = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
    if different:
        named = ", ".join(f"{key} is {found.get(key)}, now {wanted.get(key)}" for key in different[:3])
        raise ConfigError(
            f"out={folder.parent}: {folder.name} is a run of other settings ({named}); must be another one"
        )


def _plain(settings: Settings, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every setting that matters by its dotted name, its value as JSON."""
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from _plain(value, f"{name}.")
        elif not any(f"{name}.".startswith(f"{each}.") for each in NO_MATTER):
            yield name, json.dumps(value)


def finished(folder: Path) -> bool:
    """Whether a run's folder has a whole summary; one that is damaged is written anew when the run goes on."""
    return isinstance(_remembered(folder / "summary.json").get("train_seconds"), int | float)


def train_run(settings: Settings, folder: Path) -> str | None:
    """Train unless the folder has a finished run of the same settings, going on where it was stopped.

    There is no evaluation at the end: :func:`played` plays as many episodes as are asked for.

    Args:
        settings: of the whole run.
        folder: the run's.

    Returns:
        The name of the signal that stopped it, if one did.

    Raises:
        ConfigError: the folder has a run of other settings.
    """
    check_reusable(settings, folder)
    if finished(folder):
        return None
    return Trainer(task_of(settings), folder, resume=folder.exists(), evaluate=False).train().stopped_by


class Outlook:
    """How many runs are left to be trained, and about how long that takes.

    >>> outlook = Outlook({"spiking": 3, "baseline": 2}, {"spiking": 100.0})
    >>> outlook.line()
    '5 runs to train, about 9 minutes'
    >>> with outlook.training("spiking"):
    ...     pass
    >>> Outlook({"a": 2}).line(), Outlook({}).line()
    ('2 runs to train', '')

    Args:
        left: runs to be trained, by their kind.
        seconds: that a run of a kind takes, where that is known; a kind that is not known takes as long as the others.
    """

    def __init__(self, left: Mapping[str, int], seconds: Mapping[str, float] | None = None) -> None:
        self._left, self._seconds = dict(left), dict(seconds or {})

    @contextmanager
    def training(self, kind: str) -> Iterator[None]:
        """Around the training of a run."""
        began = time.monotonic()
        yield
        self._seconds[kind] = time.monotonic() - began
        self._left[kind] -= 1

    def line(self) -> str:
        """What is left in words; empty where nothing is."""
        count = sum(self._left.values())
        if not count:
            return ""
        runs = f"{count} {'run' if count == 1 else 'runs'} to train"
        if not self._seconds:
            return runs
        usual = sum(self._seconds.values()) / len(self._seconds)
        seconds = sum(number * self._seconds.get(kind, usual) for kind, number in self._left.items())
        minutes = math.ceil(seconds / 60)
        return f"{runs}, about {minutes} {'minute' if minutes == 1 else 'minutes'}"


def stopped_by(name: str) -> int:
    """Say that a signal stopped the command, and return its exit code."""
    print(f"stopped by {name}; the same command goes on", file=sys.stderr)
    return 128 + signal.Signals[name]


def played(folder: Path, episodes: int, path: Path, kinds: Sequence[str], settings: Settings) -> dict[str, float]:
    """Mean return of a trained agent, remembered as long as the agent is the same.

    Args:
        folder: the run's.
        episodes: full ones, that training did not see.
        path: the file that remembers.
        kinds: ``best`` for the best actions, ``sampled`` for random ones.
        settings: that the run was trained by.
    """
    of = {"episodes": episodes, "checkpoint": _digest(folder)}
    remembered = _remembered(path)
    if any(remembered.get(key) != value for key, value in of.items()) or not set(kinds) <= remembered.keys():
        config = RunConfig.from_mapping(settings)
        agent = load_model(config, folder)
        found = {}
        for kind in kinds:
            best = kind == "best"
            with evaluating(episodes, "episodes", config.progress) as tell:
                found[kind] = evaluate(
                    agent, config.env, episodes=episodes, seed=config.seed, deterministic=best, between_steps=tell
                )
        for remark in {evaluation.remark for evaluation in found.values() if evaluation.cut}:
            print(remark, file=sys.stderr)
        remembered = {**of, **{kind: float(evaluation.returns.mean()) for kind, evaluation in found.items()}}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, remembered)
    return {kind: float(remembered[kind]) for kind in kinds}


def _digest(folder: Path) -> str | None:
    """What tells a run's last checkpoint from any other."""
    latest = CheckpointStore(folder / "checkpoints").latest()
    if latest is None:
        return None
    with latest.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remembered(path: Path) -> dict[str, Setting]:
    """What a file remembers; nothing where it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, RecursionError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def draw_curves(runs: Mapping[str, Sequence[Path]], path: Path, levels: Mapping[str, float], title: str) -> None:
    """Training return against steps: mean over the runs of each name, and a 95 % bootstrap band.

    Args:
        runs: folders of runs by name.
        path: of the picture.
        levels: further returns, drawn as horizontal lines.
        title: above it.
    """
    from snnrl.plot import learning_curves, save_figure

    save_figure(learning_curves(runs, levels=levels, title=title, label="return while training"), path, dpi=150)


def for_seed(settings: Settings, seed: int, progress: str) -> dict[str, Setting]:
    """The settings of one of several runs: quiet, and with a seed of its own.

    Raises:
        ConfigError: a setting of the run that is wrong.
    """
    varied = json.loads(json.dumps(dict(settings)))
    varied.update(seed=seed, logger="none", progress=progress, run_dir=None)
    RunConfig.from_mapping(varied)
    return dict(varied)
