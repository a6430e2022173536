"""Who carries runs out: processes of this machine (``local``), a Ray cluster (``ray``), or a Slurm queue (``slurm``).

A further one is a subclass of :class:`~snnrl.runs.executors.base.Executor` with a ``Config``; an installed package
names it under ``[project.entry-points."snnrl.executors"]``.
"""

from __future__ import annotations

from collections.abc import Sequence

from snnrl.errors import ConfigError, shown
from snnrl.runs.executors.base import Executor
from snnrl.settings import Registry, Settings, help_text, read
from snnrl.words import read_words

EXECUTORS: Registry[Executor[Settings]] = Registry(
    "executor", "snnrl.runs.executors.base:Executor", "runs/executors", config=True
)


def split_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a command line that are an executor's own settings, such as ``ray.address=auto``, and the others."""
    own = [word for word in words if word.partition("=")[0].partition(".")[0] in EXECUTORS and "." in word]
    return own, [word for word in words if word not in own]


def settings_help() -> str:
    """A line for each setting of each executor of snnrl."""
    return "\n".join(help_text(EXECUTORS.find(name, "executor").Config, name, column=22) for name in EXECUTORS.ours)


def make_executor(
    name: str, words: Sequence[str] = (), *, jobs: int | None = None, retries: int = 1
) -> Executor[Settings]:
    """The executor of this name, which does nothing before it is entered (``with executor:``).

    Args:
        name: such as ``local``.
        words: its own settings as on a command line, each with the executor's name before it.
        jobs: runs at a time; ``None`` leaves that to the executor.
        retries: how often a run is taken up again whose process or machine died.

    Raises:
        ConfigError: there is no such executor, or a setting of it is wrong.
    """
    kind = EXECUTORS.find(name, "executor")
    for word in words:
        if word.partition(".")[0] != name:
            raise ConfigError(f"{shown(word)}: goes with executor={word.partition('.')[0]}, and executor is {name}")
    given = read_words(words).get(name, {})
    return kind(read(kind.Config, given, name), jobs=jobs, retries=retries)
