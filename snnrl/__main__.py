"""``python -m snnrl <command> ...``: every command by one name; ``--version`` and ``completion``."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from snnrl.cli import own_words, run_command
from snnrl.errors import ConfigError, did_you_mean

COMPLETION = "completion"


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    given = own_words() if words is None else list(words)
    if given and given[0] in commands():
        return int(import_module(f"snnrl.{given[0]}").main(given[1:]))
    return run_command(_itself, usage(), given)


def _itself(words: Sequence[str]) -> int:
    """What is no command of a module of its own.

    Raises:
        ConfigError: there is no such command.
    """
    if not words:
        print(usage())
        return 0
    if words[0] in ("--version", "-V", "version"):
        from snnrl.training.summary import versions

        print("\n".join(f"{name} {number}" for name, number in versions().items()))
        return 0
    if words[0] == COMPLETION:
        from snnrl.completion import complete

        return complete(words[1:], commands())
    raise ConfigError(f"{words[0]}: there is no such command; {did_you_mean(words[0], [*commands(), COMPLETION])}")


def commands() -> dict[str, str]:
    """Every command by its name, with what it does.

    A command is a module or a package of ``snnrl`` whose docstring says how it is called, with a function ``main``
    that takes the words of a command line. It is read here and not imported.

    >>> "train" in commands(), commands()["export"]
    (True, 'what playing needs of a run, small enough to give away')
    """
    found = {}
    home = Path(__file__).parent
    for path in sorted([*home.glob("*.py"), *home.glob("*/__init__.py")]):
        source = path.read_text(encoding="utf-8")
        name = path.parent.name if path.stem == "__init__" else path.stem
        if f"``python -m snnrl.{name} " in source and "\ndef main(words: " in source:
            said = (ast.get_docstring(ast.parse(source)) or "").split("\n")[0]
            told = said.rpartition("``: ")[2].rstrip(".")
            found[name] = told[:1].lower() + told[1:]
    return dict(sorted(found.items()))


def usage() -> str:
    """What ``--help`` prints."""
    known = {**commands(), COMPLETION: "print the script by which bash, zsh or fish complete commands and settings"}
    width = max(map(len, known)) + 2
    lines = "\n".join(f"  {name:{width}}{what}" for name, what in known.items())
    return (
        "usage: python -m snnrl COMMAND [key=value ...], the same as python -m snnrl.COMMAND and snnrl-COMMAND\n\n"
        f"{lines}\n\nCOMMAND --help lists what a command can be told; --version prints the versions that results "
        "depend on.\nBegin with: python -m snnrl train env=CartPole"
    )


if __name__ == "__main__":
    sys.exit(main())
