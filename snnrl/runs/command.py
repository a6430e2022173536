"""What commands that have several runs to carry out share."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from snnrl.errors import RunError
from snnrl.runs.carry_out import carry_out
from snnrl.runs.executors import make_executor, settings_help, split_words
from snnrl.runs.grid import title
from snnrl.runs.options import WorkOptions
from snnrl.runs.page import Page
from snnrl.runs.work import Outcome, Run, State, check_reusable, left
from snnrl.settings import Registry, declarations, read_named
from snnrl.settings.reading import Configurable
from snnrl.textfiles import usable
from snnrl.training.folder import alone
from snnrl.training.writable import require_writable
from snnrl.words import split

GOES_ON = "; the same command goes on"
"""Said where a signal stopped a command."""
NAMED = 10
"""Runs beside the first that failed which are named."""


class Words(NamedTuple):
    """The words of a command line, by whom they are for."""

    own: list[str]
    """Options of the command."""
    executor: list[str]
    """The executor's own settings."""
    chosen: list[str]
    """What runs are told."""


def taken_apart(options: type[WorkOptions], words: Sequence[str]) -> Words:
    """The words of a command with such options, in which everything else is what runs are told."""
    own = declarations(options)
    executor, others = split_words(words)
    keys = [split(word).key for word in others]
    return Words(
        [word for word, key in zip(others, keys, strict=True) if key in own],
        executor,
        [word for word, key in zip(others, keys, strict=True) if key not in own],
    )


def out_of(command: str, chosen: Sequence[str], out: Path | None) -> Path:
    """Where a command writes to: what ``out=`` says, else a folder in ``runs/`` that the words name.

    Raises:
        ConfigError: a path that cannot be one.
    """
    return Path("runs") / title(command, chosen) if out is None else usable("out", out)


def with_executors(text: str) -> str:
    """What ``--help`` says of a command, and the settings of the executors."""
    return f"{text.strip()}\n\nSettings of the executors:\n\n{settings_help()}"


def carried_out(runs: Sequence[Run], options: WorkOptions, executor: Sequence[str], out: Path) -> list[Outcome]:
    """Carry runs out, shown on a page, while no other command works in their folder.

    Args:
        runs: in the order in which they begin.
        options: of the command.
        executor: words that are the executor's own settings.
        out: the folder that the command writes to.

    Returns:
        How each ended, as they ended.

    Raises:
        ConfigError: a folder that has another run, cannot be written to or is in use; an executor or a GPU that is not
            there.
    """
    for run in runs:
        check_reusable(run)
    require_writable(out, "out")
    chosen = make_executor(options.executor, executor, jobs=options.jobs, retries=options.retries)
    chosen.require_devices(str(run.settings["device"]) for run in left(runs))
    check_learning(runs)
    outcomes = []
    with (
        alone(out, "out"),
        chosen as started,
        Page(runs, options.progress) as page,
    ):
        if options.progress != "none":
            print(f"{len(runs):,} runs, written to {out}; Ctrl-C saves and stops", file=sys.stderr, flush=True)
        for outcome in carry_out(runs, started, page.look):
            page.ended(outcome)
            outcomes.append(outcome)
    return outcomes


def check_learning(runs: Sequence[Run]) -> None:
    """Raise where an agent or a learner of runs that have not begun is told something that is wrong.

    What can be found before torch is imported has been found by then.

    Raises:
        ConfigError: a setting that is unknown, of the wrong type or out of range.
    """
    sections = {
        json.dumps([name, run.settings[name]])
        for run in runs
        for name in ("agent", "learner")
        if name in run.settings and not (run.folder / "config.yaml").is_file()
    }
    if not sections:
        return

    from snnrl.agents import AGENTS
    from snnrl.learners import LEARNERS

    for section in sorted(sections):
        name, settings = json.loads(section)
        registry: Registry[Configurable] = AGENTS if name == "agent" else LEARNERS
        read_named(registry, settings, name)


def require_finished(outcomes: Sequence[Outcome]) -> None:
    """Raise where a run did not end as it should, for commands that compare all of them.

    Raises:
        RunError: as said, with the first one's last line and the names of others.
    """
    failed = [outcome for outcome in outcomes if outcome.state is State.FAILED]
    if failed:
        first, others = failed[0], [outcome.run.name for outcome in failed[1:]]
        last = first.lines[-1].removeprefix("error: ") if first.lines else "it printed nothing"
        more = f"; {', '.join(others[:NAMED])}{', ...' if len(others) > NAMED else ''} failed too" if others else ""
        raise RunError(
            f"{first.run.name} failed: {last}; {first.run.log} has all that it printed{more}; "
            f"{len(outcomes) - len(failed)} of {len(outcomes)} runs are whole and kept, the same command goes on"
        )
    for outcome in outcomes:
        if outcome.state is State.STOPPED:
            raise RunError(f"{outcome.run.name} was stopped, saved; the same command goes on")
