"""What the commands share: one reader of their options, and how they end, whatever happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, get_args

from snnrl.errors import ConfigError, RunError, did_you_mean, one_line, shown
from snnrl.output import lasting_output
from snnrl.settings import Declaration, Settings, declarations, help_text, is_whole, read, setting
from snnrl.words import read_words

WRONG_SETTING, CANNOT_GO_ON = 2, 1
INTERRUPTED = 130
"""As a shell reports SIGINT."""


@dataclass(frozen=True, kw_only=True)
class RunOptions(Settings):
    """Options of every command that is about a run."""

    run: Path = setting(help="folder of a run", expected="the folder of a run")
    trust: bool = setting(False, "whether code may run that its config.yaml names, such as an agent of others")


@dataclass(frozen=True, kw_only=True)
class PlayOptions(RunOptions):
    """Options of a command that lets what a run has trained act."""

    checkpoint: str = setting("last", "last, best or a file")


O = TypeVar("O", bound=Settings)  # noqa: E741


def read_options(options: type[O], words: Sequence[str]) -> O:
    """The options that a command line gives, over their defaults.

    What is declared as text or a path is taken as it is written; other values are YAML.

    Args:
        options: the dataclass that declares them.
        words: the command line, ``key=value`` each.

    Raises:
        ConfigError: an option that is unknown, missing, of the wrong type or out of range.
    """
    known = declarations(options)
    for word in words:
        key, equals, _ = word.partition("=")
        if "run" in known:
            check_run(word, words)
        if key not in known:
            raise ConfigError(f"{shown(word)}: there is no such option; {did_you_mean(key, known)}")
        if not equals:
            raise ConfigError(f"{shown(word)}: must be key=value, such as {_example(key, known)}")
    texts = [name for name, declared in known.items() if {str, Path} & {declared.type, *get_args(declared.type)}]
    return read(options, read_words(words, as_written=texts), "")


def check_run(word: str, words: Sequence[str]) -> None:
    """Raise a ConfigError for a folder that is named without ``run=``, where no run is named otherwise."""
    bare = "=" not in word and not word.startswith("-")
    if bare and not any(each.startswith("run=") for each in words):
        raise ConfigError(f"{shown(word)}: must be run={shown(word)}, the folder of a run")


def usage(command: str, options: type[Settings], then: str = "") -> str:
    """What ``--help`` prints: the command, its options and what it does.

    Args:
        command: as it is typed.
        options: the dataclass that declares the options.
        then: what follows.
    """
    return f"usage: {command}\n\n{help_text(options)}\n\n{then.strip()}"


def _example(key: str, known: Mapping[str, Declaration]) -> str:
    """An option as it is given: this one if it is a number, else one that is if there is one."""
    numbers = [one for one in (known[key], *known.values()) if is_whole(one.default)]
    number = (numbers or list(known.values())[-1:])[0]
    return f"{number.name}={number.default}"


def run_command(
    command: Callable[[Sequence[str]], int],
    usage: str | Callable[[Sequence[str]], str],
    words: Sequence[str] | None,
    *,
    goes_on: bool = False,
) -> int:
    """Run a command on the words of its command line and return its exit code.

    A wrong setting, a run that cannot go on and Ctrl-C end in one line; any other exception is a bug and keeps its
    traceback. A terminal that has gone changes nothing.

    Args:
        command: takes the words, returns an exit code.
        usage: printed for ``--help``, or what makes it of the command line's other words.
        words: the command line; ``None`` takes the process's own.
        goes_on: whether the same command would go on where it was stopped.
    """
    with lasting_output():
        return _run(command, usage, own_words() if words is None else list(words), goes_on)


def _run(
    command: Callable[[Sequence[str]], int],
    usage: str | Callable[[Sequence[str]], str],
    given: Sequence[str],
    goes_on: bool,
) -> int:
    try:
        others = [word for word in given if word not in ("-h", "--help")]
        if len(others) < len(given):
            print((usage if isinstance(usage, str) else usage(others)).strip())
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


def own_words() -> list[str]:
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
