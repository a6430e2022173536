"""What the commands share: one line and exit code 2 for a wrong setting."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from snnrl.errors import ConfigError
from snnrl.output import lasting_output


def run_command(command: Callable[[Sequence[str]], int], usage: str, words: Sequence[str] | None) -> int:
    """Run a command on the words of its command line and return its exit code.

    Args:
        command: takes the words, returns an exit code.
        usage: printed for ``--help``.
        words: the command line; ``None`` takes the process's own.
    """
    with lasting_output():
        return _run(command, usage, words)


def _run(command: Callable[[Sequence[str]], int], usage: str, words: Sequence[str] | None) -> int:
    given = sys.argv[1:] if words is None else list(words)
    if any(word in ("-h", "--help") for word in given):
        print(usage.strip())
        return 0
    try:
        return command(given)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
