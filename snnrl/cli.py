"""What the commands share: one line and exit code 2 for a wrong setting."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from snnrl.errors import ConfigError


def run_command(command: Callable[[Sequence[str]], int], usage: str, words: Sequence[str] | None) -> int:
    """Run a command on the words of its command line and return its exit code.

    Args:
        command: takes the words, returns an exit code.
        usage: printed for ``--help``.
        words: the command line; ``None`` takes the process's own.
    """
    given = _own_words() if words is None else list(words)
    if any(word in ("-h", "--help") for word in given):
        print(usage.strip())
        return 0
    try:
        return command(given)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


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
