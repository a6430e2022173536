"""Runs that belong together: their settings, their folders, and what of them is done already. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from snnrl.config import read_settings
from snnrl.errors import ConfigError
from snnrl.types import Setting, Settings

NO_MATTER = ("logger", "progress", "run_dir", "resume", "eval.episodes", "wandb")
"""Settings that change nothing in what a run learns."""


@dataclass(frozen=True)
class Play:
    """Games that a trained agent plays afterwards, apart from those of the evaluation that belongs to training."""

    episodes: int
    path: Path
    """Of the file that remembers what came of them."""
    kinds: tuple[str, ...]
    """``best`` for the best actions, ``sampled`` for drawn ones."""


@dataclass(frozen=True, eq=False)
class Run:
    """One run among others, wherever and whenever it is carried out; what is known of it lies in its folder.

    Attributes:
        folder: the run's own, which is made when it begins; every machine that may carry it out must see it.
        settings: of the whole run, as ``config.yaml`` holds them; plain values only.
        log: the file that gets what the run prints.
        labels: what tells it from the others, in words: ``{"env": "CartPole", "seed": "3"}``.
        evaluate: whether there is an evaluation at the end of training.
        play: further games that are played with what was learned.
    """

    folder: Path
    settings: Settings
    log: Path
    labels: Mapping[str, str]
    evaluate: bool = True
    play: Play | None = None

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.name

    @property
    def total(self) -> int | None:
        """Steps of the whole run, where its settings tell them."""
        steps = self.settings.get("env_steps")
        return steps if isinstance(steps, int) else None

    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return finished(self.folder) and (self.play is None or bool(self.played()))

    def played(self) -> dict[str, float]:
        """Mean returns of the further games, by the kind of the actions; nothing where they were not played yet."""
        return {} if self.play is None else remembered_play(self.folder, self.play) or {}

    def summary(self) -> Settings:
        """What the run came to; nothing where it has not ended."""
        return read_object(self.folder / "summary.json")

    def steps(self) -> int:
        """How far the run is, by the last row of its ``metrics.jsonl``."""
        return _last_step(self.folder / "metrics.jsonl")

    def as_json(self) -> str:
        """The run in one line, which :meth:`from_json` reads."""
        return json.dumps(asdict(self), default=_absolute)

    @classmethod
    def from_json(cls, line: str | bytes) -> Run:
        """The run that :meth:`as_json` wrote."""
        found = json.loads(line)
        play = found.pop("play")
        folder, log = (Path(found.pop(name)) for name in ("folder", "log"))
        again = None if play is None else Play(play["episodes"], Path(play["path"]), tuple(play["kinds"]))
        return cls(folder=folder, log=log, **found, play=again)


class State(StrEnum):
    """How a run has ended, for now."""

    FINISHED = "finished"
    STOPPED = "stopped"
    """By a signal or because somebody asked for it; what was saved goes on."""
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """A run that is no longer carried out.

    Attributes:
        run: which.
        state: how it ended.
        lines: of one that failed, the last that it printed.
        seconds: that it took; 0 where it was finished already.
    """

    run: Run
    state: State
    lines: tuple[str, ...] = ()
    seconds: float = 0.0


def finished(folder: Path) -> bool:
    """Whether a run's folder has a whole summary; one that is damaged is written anew when the run goes on."""
    return isinstance(read_object(folder / "summary.json").get("train_seconds"), int | float)


def read_object(path: Path) -> dict[str, Setting]:
    """The JSON object in a file; nothing where it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, RecursionError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def remembered_play(folder: Path, play: Play) -> dict[str, float] | None:
    """Mean returns of games that were played with the agent as it is now; ``None`` where they were not.

    Args:
        folder: the run's.
        play: which games.
    """
    found = read_object(play.path)
    if found.get("episodes") != play.episodes or not set(play.kinds) <= found.keys():
        return None
    from snnrl.runs.perform import digest

    if found.get("checkpoint") != digest(folder):
        return None
    return {kind: float(found[kind]) for kind in play.kinds}


def check_reusable(run: Run, setting: str = "out") -> None:
    """Raise unless the run's folder is new, or of a run of the same settings, which counts as this one.

    Args:
        run: whose folder lies in the one that ``setting`` names.
        setting: the name that an error message gives to that folder.

    Raises:
        ConfigError: the run in the folder has other settings.
    """
    if not (run.folder / "config.yaml").is_file():
        return
    wanted, found = dict(_plain(run.settings)), dict(_plain(read_settings(run.folder, setting, trust=True)))
    different = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
    if different:
        named = ", ".join(f"{key} is {found.get(key)}, now {wanted.get(key)}" for key in different[:3])
        raise ConfigError(
            f"{setting}={run.folder.parent}: {run.name} is a run of other settings ({named}); must be another one"
        )


def _plain(settings: Settings, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every setting that matters by its dotted name, its value as JSON."""
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from _plain(value, f"{name}.")
        elif not any(f"{name}.".startswith(f"{each}.") for each in NO_MATTER):
            yield name, json.dumps(value)


def for_seed(settings: Settings, seed: int, **others: Setting) -> dict[str, Setting]:
    """The settings of one of several runs, with a seed of its own; its folder is told apart from them.

    Args:
        settings: of the whole run.
        seed: of all its randomness.
        others: settings at the top that take the place of its own, such as ``logger="none"``.
    """
    varied: dict[str, Setting] = json.loads(json.dumps(dict(settings)))
    varied.update(seed=seed, run_dir=None, **others)
    return varied


def last_lines(path: Path, count: int = 5) -> tuple[str, ...]:
    """The last lines of a log that say something; none where there is no log."""
    try:
        with open(path, "rb") as file:
            file.seek(max(file.seek(0, 2) - 4096, 0))
            text = file.read(4096).decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-count:]


def _absolute(path: Path) -> str:
    return str(path.absolute())


def _last_step(path: Path) -> int:
    for line in reversed(last_lines(path, 2)):
        try:
            step = json.loads(line)["step"]
        except (ValueError, KeyError, TypeError):
            continue
        return step if isinstance(step, int) else 0
    return 0


def left(runs: Sequence[Run]) -> list[Run]:
    """Those of which something is left to do, in their order."""
    return [run for run in runs if not run.finished()]
