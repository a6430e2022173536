"""``python -m snnrl.sweep env=CartPole,Acrobot seeds=5``: many runs, on all cores of this machine or on a cluster."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snnrl.cli import read_options, run_command, usage
from snnrl.errors import ConfigError, require
from snnrl.recipes import compose_run
from snnrl.run_settings import SEED_LIMIT
from snnrl.runs.command import GOES_ON, carried_out, out_of, taken_apart, with_executors
from snnrl.runs.grid import MOST_RUNS, Variant, count, file_name, variants
from snnrl.runs.options import WorkOptions
from snnrl.runs.work import Outcome, Run, State, for_seed
from snnrl.settings import setting
from snnrl.textfiles import write_text
from snnrl.training.shutdown import stoppable
from snnrl.types import Settings
from snnrl.words import split


@dataclass(frozen=True, kw_only=True)
class Options(WorkOptions):
    """Options of the command."""

    seeds: int = setting(1, "how many seeds of each combination, from seed= upwards", at_least=1)
    out: Path | None = setting(
        None,
        "folder to write to; runs of the same settings that are there already are not done again",
        default_text="runs/sweep-<recipes>-<what tells this sweep from others>",
    )
    confirm: bool = setting(False, f"whether more than {MOST_RUNS:,} runs are meant")


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(stoppable(sweep, GOES_ON), lambda _: help_page(), words)


def help_page() -> str:
    """What ``--help`` prints."""
    return usage(
        "python -m snnrl.sweep [env=RECIPE,RECIPE] [agent=RECIPE] [experiment=RECIPE] [key=value,value ...]",
        Options,
        with_executors("""
Everything else is as for python -m snnrl.train, and any setting may be several values, in Hydra's grammar: a,b or
choice(a,b), range(0,3), and glob(Cart*) of recipes. Every combination is a run; what is finished is not done again,
what was stopped or killed goes on, what fails is named at the end. Writes sweep.md, sweep.json and sweep.png: scores
with their intervals, performance profiles.
"""),
    )


def sweep(words: Sequence[str]) -> int:
    """Carry out what the command line asks for; 1 where a run failed, else 0.

    Raises:
        ConfigError: a wrong setting.
    """
    own, executor, chosen = taken_apart(Options, words)
    options = read_options(Options, own)
    out = out_of("sweep", chosen, options.out)
    runs = described(chosen, options, out)
    outcomes = carried_out(runs, options, executor, out)
    report(runs, outcomes, chosen, out)
    return 0 if all(outcome.state is State.FINISHED for outcome in outcomes) else 1


def described(words: Sequence[str], options: Options, out: Path) -> list[Run]:
    """The runs that a command line asks for, in their order: all seeds of the first combination come first.

    Args:
        words: what runs are told.
        options: of the command.
        out: the folder of all runs.

    Raises:
        ConfigError: a setting that is wrong, or too many runs.
    """
    if not {"env", "env.id", "experiment"} & {split(word).key for word in words}:
        raise ConfigError("env is missing: must be recipes, as in env=CartPole,Acrobot, or experiment=RECIPE")
    swept = any(split(word).key == "seed" and count([word]) > 1 for word in words)
    require(not swept or options.seeds == 1, "seeds", options.seeds, "left out where seed= is several values")
    require(options.seeds <= SEED_LIMIT, "seeds", options.seeds, "fewer, seeds end at 2^32")
    number = count(words) * options.seeds
    require(
        number <= MOST_RUNS or options.confirm, "confirm", options.confirm, f"true, as this would start {number:,} runs"
    )
    runs: dict[str, Run] = {}
    for variant in variants(words):
        settings = composed(variant, out)
        require(settings["seed"] + options.seeds <= SEED_LIMIT, "seeds", options.seeds, "fewer, seeds end at 2^32")
        for seed in range(settings["seed"], settings["seed"] + options.seeds):
            labels = {**variant.labels, "seed": str(seed)}
            name = file_name(labels)
            if name in runs:
                raise ConfigError(f"{name}: is the name of two runs; must be values that differ in letters or digits")
            own = for_seed(settings, seed, progress="plain")
            runs[name] = Run(out / name, own, out / "logs" / f"{name}.log", labels)
    return list(runs.values())


def composed(variant: Variant, out: Path) -> Settings:
    """The settings of one combination, found right.

    Raises:
        ConfigError: as said, with the combination.
    """
    try:
        settings = compose_run(variant.words)

        from snnrl.config import check_values

        check_values(settings)
    except ConfigError as error:
        named = ", ".join(f"{key}={value}" for key, value in variant.labels.items())
        raise ConfigError(f"{error} (with {named})" if named else str(error)) from error
    if "wandb" in settings["logger"] and settings["wandb"]["group"] is None:
        settings["wandb"]["group"] = out.name
    return settings


def report(runs: Sequence[Run], outcomes: Sequence[Outcome], words: Sequence[str], out: Path) -> None:
    """Print and write what the runs came to.

    Raises:
        RunError: the folder cannot be written to.
    """
    from snnrl.runs.results import as_json, draw, grouped, table
    from snnrl.training.summary import write_json
    from snnrl.training.writable import keeping

    groups = grouped(runs)
    learners = all("learner" in run.settings for run in runs)
    what = "accuracy at the end" if learners else "mean return of the evaluation at the end"
    found = table(groups, outcomes, what)
    print(found)
    written = ["sweep.md", "sweep.json"]
    with keeping(out):
        write_text(out / "sweep.md", found)
        write_json(out / "sweep.json", as_json(runs, words))
        if groups:
            draw(groups, out / "sweep.png", out.name, "accuracy" if learners else "return")
            written.append("sweep.png")
    print(f"written to {out}: {', '.join(written)}")


if __name__ == "__main__":
    sys.exit(main())
