"""``python -m snnrl.tune env=CartPole trials=100``: hyperparameter search with Optuna, on one machine or many."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snnrl.cli import read_options, run_command, usage
from snnrl.config import check_values
from snnrl.errors import ConfigError
from snnrl.recipes import compose_run
from snnrl.runs.command import GOES_ON, out_of, taken_apart, with_executors
from snnrl.runs.executors import make_executor
from snnrl.runs.options import WorkOptions
from snnrl.runs.work import Run, for_seed
from snnrl.search.carry_out import Search
from snnrl.search.results import check_recipe, counts, recipe, table, write_recipe
from snnrl.search.space import Space, find_space
from snnrl.search.study import PRUNERS, SAMPLERS, lasting, make_pruner, open_study, require_optuna
from snnrl.search.told import Told
from snnrl.search.trials import Trials, folder_of
from snnrl.settings import setting
from snnrl.textfiles import write_text
from snnrl.training.shutdown import stoppable
from snnrl.types import Setting, Settings
from snnrl.words import as_words, split

if TYPE_CHECKING:
    from optuna.study import Study

FIRST_SEED, SEEDS_EACH = 1_000_000, 1000
"""Where seeds of trials begin, so that results, whose seeds count from 0, are of episodes that no trial has seen."""
OWN = {
    "run_dir": "out= says where runs are",
    "resume": "the same command goes on",
    "split": "trials are judged by the images of validation, so that test images choose nothing",
}
"""What a trial cannot be told."""
NO_MATTER = ("seed", "logger", "progress", "run_dir", "resume", "wandb", "video")
"""Settings that change nothing in what a trial comes to."""


@dataclass(frozen=True, kw_only=True)
class Options(WorkOptions):
    """Options of the command."""

    trials: int = setting(100, "settings that are tried, by all processes together", at_least=1, at_most=100_000)
    space: str | None = setting(
        None, "what is searched: a name, or a YAML file", default_text="that of the experiment, else of the agent"
    )
    seeds: int = setting(
        3, "runs of each trial, whose mean counts; their seeds are none of 0 to 999,999", at_least=1, at_most=SEEDS_EACH
    )
    seed: int = setting(0, "of the search: of what is tried, and of the seeds of runs", at_least=0, at_most=1000)
    study: str | None = setting(None, "its name in the storage", default_text="the name of the folder")
    storage: str | None = setting(
        None, "a database such as postgresql://user@host/name", default_text="study.journal in out"
    )
    sampler: str = setting("tpe", "what draws settings", choices=SAMPLERS)
    pruner: str = setting("median", "what ends a trial early, by its evaluations", choices=PRUNERS)
    startup: int = setting(10, "trials that are drawn at random first, none of them pruned by the median", at_least=1)
    recipe: str | None = setting(None, "also write the best setting to experiments/, for experiment=<this name>")
    out: Path | None = setting(
        None,
        "folder to write to, which all machines see",
        default_text="runs/tune-<recipes>-<letters of its own>",
    )


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(stoppable(tune, GOES_ON), lambda _: help_page(), words)


def help_page() -> str:
    """What ``--help`` prints."""
    return usage(
        "python -m snnrl.tune [env=RECIPE] [agent=RECIPE] [experiment=RECIPE] [trials=100] [key=value ...]",
        Options,
        with_executors("""
Everything else is as for python -m snnrl.train and holds for all trials; a setting that is given is not searched. The
first trial is the recipe as it is. The same command goes on where it was stopped; given at the same time on several
machines that see the folder, it shares the trials out. Writes tune.md and best.yaml, the best setting as a recipe.
optuna-dashboard <out>/study.journal shows the study.
"""),
    )


def tune(words: Sequence[str]) -> int:
    """Carry out what the command line asks for.

    Raises:
        ConfigError: a wrong setting.
        RunError: nothing but failures, or a folder that cannot be written to.
    """
    own, executor, chosen = taken_apart(Options, words)
    options = read_options(Options, own)
    fixed = checked(chosen)
    whole = find_space(options.space, chosen)
    space = whole.without(chosen)
    space.check(chosen)
    out = out_of("tune", chosen, options.out)
    name = options.study or out.name
    if options.recipe is not None:
        check_recipe(options.recipe, name)
    carrying = make_executor(options.executor, executor, jobs=options.jobs, retries=options.retries)
    carrying.require_devices([str(fixed["device"])])
    require_optuna()

    from snnrl.training.writable import make_folder

    make_folder(out, "out")
    seeds = [FIRST_SEED + SEEDS_EACH * options.seed + number for number in range(options.seeds)]
    about = {
        "settings": {key: value for key, value in fixed.items() if key not in NO_MATTER},
        "space": space.as_json(),
        "seeds": seeds,
    }
    study = open_study(options.storage, name, out, about, first=space.stored(fixed))
    study.pruner = make_pruner(options.pruner, options.startup)
    sampler = options.sampler, options.startup, options.seed
    trials = Trials(study, space, out, options.trials, sampler, describer(chosen, seeds, out))
    told = Told(study, options.trials, options.progress)
    told.begin(space, fixed=sorted(whole.ranges.keys() - space.ranges.keys()), seeds=seeds, out=out)
    search = Search(trials, carrying, told.ended)
    with lasting(options.storage, out):
        try:
            with carrying:
                search.run()
        finally:
            search.let_go()
        return report(study, space, chosen, seeds, options.recipe, out)


def checked(words: Sequence[str]) -> Settings:
    """The settings of a run that words of a command line describe, found right, and as trials have them.

    Raises:
        ConfigError: a setting that is wrong, or that trials cannot be told.
    """
    given = {split(word).key for word in words}
    if not {"env", "env.id", "experiment"} & given:
        raise ConfigError("env is missing: must be a recipe, as in env=CartPole, or experiment=RECIPE")
    for key in sorted(given & OWN.keys()):
        raise ConfigError(f"{key}: must be left out, {OWN[key]}")
    settings = compose_run(words)
    check_values(settings)
    return as_trial(settings)


def as_trial(settings: Settings) -> dict[str, Setting]:
    """Settings with which test images choose nothing: those of validation are held out and evaluated on."""
    env = settings.get("env")
    if "learner" in settings:
        return {**settings, "split": "validation"}
    evaluated = env.get("eval_kwargs") if isinstance(env, Mapping) else None
    if isinstance(env, Mapping) and evaluated and evaluated.get("split") == "test":
        kwargs, evaluated = {**env["kwargs"], "split": "train"}, {**evaluated, "split": "validation"}
        return {**settings, "env": {**env, "kwargs": kwargs, "eval_kwargs": evaluated}}
    return dict(settings)


def describer(
    words: Sequence[str], seeds: Sequence[int], out: Path
) -> Callable[[int, Mapping[str, Setting]], Sequence[Run]]:
    """What makes the runs of a trial, of its number and its settings.

    Args:
        words: what all trials are told.
        seeds: of the runs of a trial.
        out: the folder of the study.
    """

    def described(number: int, values: Mapping[str, Setting]) -> list[Run]:
        settings = as_trial(compose_run([*words, *as_words(values)]))
        folder = out / folder_of(number)
        return [
            Run(
                folder / f"seed={seed}",
                for_seed(settings, seed, logger="none", progress="plain"),
                folder / f"seed={seed}.log",
                {"trial": str(number), "seed": str(seed)},
            )
            for seed in seeds
        ]

    return described


def report(study: Study, space: Space, words: Sequence[str], seeds: Sequence[int], name: str | None, out: Path) -> int:
    """Print and write what the search came to; 1 where no trial is complete, else 0.

    Args:
        study: whose trials have ended.
        space: that was searched.
        words: what all trials were told.
        seeds: of the runs of each trial.
        name: under which the best setting shall stand among the user's experiments.
        out: the folder.
    """
    found = table(study, space)
    print(found)
    write_text(out / "tune.md", found)
    best = counts(study).best
    if best is None:
        print(f"written to {out}: tune.md; no trial is complete")
        return 1
    text = recipe(study, best, space, words, seeds, name or "best")
    write_text(out / "best.yaml", text)
    print(f"written to {out}: tune.md, best.yaml")
    if name is None:
        print("the same command with recipe=<name> writes the best to experiments/<name>.yaml, for experiment=<name>")
    else:
        print(f"written: {write_recipe(text, name, study.study_name)}")
        print(f"what it is worth, on seeds that chose nothing: python -m snnrl.sweep experiment={name} seeds=10")
    return 0


if __name__ == "__main__":
    sys.exit(main())
