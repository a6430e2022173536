"""What the commands share: how they end, whatever happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from snnrl.errors import ConfigError, RunError, one_line
from snnrl.output import lasting_output

WRONG_SETTING, CANNOT_GO_ON = 2, 1
INTERRUPTED = 130
"""As a shell reports SIGINT."""


def run_command(
    command: Callable[[Sequence[str]], int], usage: str, words: Sequence[str] | None, *, goes_on: bool = False
) -> int:
    """Run a command on the words of its command line and return its exit code.

    A wrong setting, a run that cannot go on and Ctrl-C end in one line; any other exception is a bug and keeps its
    traceback. A terminal that has gone changes nothing.

    Args:
        command: takes the words, returns an exit code.
        usage: printed for ``--help``.
        words: the command line; ``None`` takes the process's own.
        goes_on: whether the same command would go on where it was stopped.
    """
    with lasting_output():
        return _run(command, usage, _own_words() if words is None else list(words), goes_on)


def _run(command: Callable[[Sequence[str]], int], usage: str, given: Sequence[str], goes_on: bool) -> int:
    try:
        if any(word in ("-h", "--help") for word in given):
            print(usage.strip())
            return 0
        return command(given)
    except ConfigError as error:
        return _ended(f"error: {error}", WRONG_SETTING)
    except RunError as error:
        return _ended(f"error: {error}", CANNOT_GO_ON)
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        line = f"error: there is not enough memory ({one_line(error)}); fewer environments or neurons need less"
        return _ended(line, CANNOT_GO_ON)
    except KeyboardInterrupt:
        return _ended("stopped by SIGINT; the same command goes on" if goes_on else "stopped by SIGINT", INTERRUPTED)


def _out_of_memory(error: BaseException) -> bool:
    """Whether Python, NumPy or torch, on the CPU or on a GPU, could not take memory."""
    words = ("can't allocate memory", "not enough memory", "out of memory")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


def _ended(line: str, code: int) -> int:
    print(line, file=sys.stderr)
    return code


def _own_words() -> list[str]:
    """The process's own words; a script then finds modules in the working folder, as ``python -m`` does.

    The folder comes last, so that nothing in it stands in for a package that is installed.
    """
    try:
        folder = os.getcwd()
    except OSError:
        return sys.argv[1:]
    if not sys.flags.safe_path and "" not in sys.path and folder not in sys.path:
        sys.path.append(folder)
    return sys.argv[1:]


class CommandModule(ModuleType):
    """The module of a command that a program calls as well: ``snnrl.train("CartPole", ...)`` is ``snnrl.api.train``."""

    def __call__(self, *args: Any, **settings: Any) -> Any:
        return getattr(import_module("snnrl.api"), self.__name__.rpartition(".")[2])(*args, **settings)
