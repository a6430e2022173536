"""What a search came to: a table of its best trials, and the best setting as a recipe with where it is from."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from snnrl.errors import ConfigError, shown
from snnrl.recipes import GROUPS, chosen_recipes, compose_run
from snnrl.search.space import Categorical, Space
from snnrl.search.trials import SCORES
from snnrl.textfiles import as_yaml
from snnrl.training.summary import git_commit
from snnrl.tuning import laid_over
from snnrl.types import Setting
from snnrl.words import TEXT, as_text, put, split, value_of

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

SHOWN = 10
"""Trials in the table."""


class Counts(NamedTuple):
    """How the trials of a study stand."""

    complete: int
    pruned: int
    failed: int
    best: FrozenTrial | None

    def __str__(self) -> str:
        """``12 trials complete, 3 pruned, 1 failed``."""
        words = [f"{self.complete} {'trial' if self.complete == 1 else 'trials'} complete"]
        words += [f"{count} {what}" for count, what in ((self.pruned, "pruned"), (self.failed, "failed")) if count]
        return ", ".join(words)


def counts(study: Study) -> Counts:
    """How the trials of a study stand; of equal ones the first is the best."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    complete = ranked(trials)
    number = {state: sum(each.state is state for each in trials) for state in TrialState}
    return Counts(len(complete), number[TrialState.PRUNED], number[TrialState.FAIL], complete[0] if complete else None)


def ranked(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Trials that are complete, the best first."""
    found = [(each.value, each) for each in trials if each.state.name == "COMPLETE" and each.value is not None]
    return [each for _, each in sorted(found, key=lambda pair: -pair[0])]


def scores(trial: FrozenTrial) -> list[float]:
    """The score of each seed."""
    return [float(each) for each in trial.user_attrs.get(SCORES, [trial.value])]


def table(study: Study, space: Space) -> str:
    """A table in Markdown: the best trials, what each seed came to, and what they were."""
    trials = study.get_trials(deepcopy=False)
    names = list(space.ranges)
    lines = [
        f"{counts(study)}; a trial's score is the mean over its seeds; trial 0 began with the recipe\n",
        f"| {' | '.join(['trial', 'score', 'each seed', *names])} |",
        f"|{'---|' * (len(names) + 3)}",
    ]
    best = ranked(trials)
    for each in best[:SHOWN] + [each for each in best[SHOWN:] if each.number == 0]:
        values = [_short(each.params.get(name)) for name in names]
        cells = [str(each.number), f"{each.value:.4g}", ", ".join(f"{one:.4g}" for one in scores(each)), *values]
        lines.append(f"| {' | '.join(cells)} |")
    failed = [each for each in trials if each.state.name == "FAIL"]
    lines += [f"\ntrial {each.number} failed: {each.user_attrs.get('error', 'it said nothing')}" for each in failed]
    return "\n".join(lines) + "\n"


def _short(value: Setting) -> str:
    return f"{value:.4g}" if isinstance(value, float) else shown(value, 40)


def chosen(trial: FrozenTrial, space: Space) -> dict[str, Setting]:
    """The settings of a trial that has ended, by their full names."""
    found: dict[str, Setting] = {}
    for name, value in trial.params.items():
        each = space.ranges[name]
        found[name] = each.of_stored(value) if isinstance(each, Categorical) else value
    return found


def recipe(
    study: Study, trial: FrozenTrial, space: Space, words: Sequence[str], seeds: Sequence[int], name: str
) -> str:
    """The best setting as an experiment, which ``experiment=<name>`` chooses.

    Args:
        study: of the search.
        trial: the best.
        space: that was searched.
        words: what all trials were told.
        seeds: of the runs of each trial.
        name: of the recipe.
    """
    found = scores(trial)
    spread = f" ± {statistics.stdev(found):.4g}" if len(found) > 1 else ""
    ended = (trial.datetime_complete or datetime.now()).astimezone(UTC).date()
    commit = git_commit()
    when = f"Ended {ended}{'' if commit is None else f', commit {commit}'}."
    header = [
        f"Found by python -m snnrl.tune: trial {trial.number} of study {study.study_name}, best of {counts(study)}.",
        f"Score in the search: {trial.value:.4g}{spread} (mean and standard deviation over seeds "
        f"{', '.join(map(str, seeds))}: {', '.join(f'{one:.4g}' for one in found)}).",
        f"{when} The best of many is better than it will be again: report other seeds.",
        f"Command: python -m snnrl.train experiment={name}",
    ]
    return "".join(f"# {line}\n" for line in header) + as_yaml(_written(words, chosen(trial, space)))


def _written(words: Sequence[str], values: Mapping[str, Setting]) -> dict[str, Setting]:
    """The settings of a recipe that says what words of a command line say, and further values."""
    read = [split(word) for word in words]
    choices = {word.key: as_text(word.value) for word in read if word.key in GROUPS}
    known = compose_run(words)
    experiment = choices.get("experiment")
    if experiment is None:
        choices = {**dict(chosen_recipes(words)), **choices}
    defaults: list[Setting] = [] if experiment is None else [experiment]
    defaults += [{f"override /{group}": choices[group]} for group in ("env", "agent") if choices.get(group)]
    settings: dict[str, Setting] = {}
    given = [(word.key, as_text(word.value) if word.key in TEXT else value_of(word)) for word in read]
    for key, value in [*((key, value) for key, value in given if key not in GROUPS), *values.items()]:
        change: dict[str, Setting] = {}
        learners = "learner" in known and key.partition(".")[0] not in known
        put(change, f"learner.{key}" if learners else key, value)
        settings = laid_over(settings, change)
    return {**({"defaults": defaults} if defaults else {}), **settings}


def write_recipe(text: str, name: str, study: str) -> Path:
    """Write a recipe among the user's own experiments; only one of the same study is written over.

    Args:
        text: of the recipe.
        name: of the file, without suffix.
        study: the search's name.

    Raises:
        ConfigError: there is another recipe of this name.
    """
    from snnrl.textfiles import write_text

    check_recipe(name, study)
    path = Path(GROUPS["experiment"]) / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    write_text(path, text)
    return path


def check_recipe(name: str, study: str) -> None:
    """Raise unless :func:`write_recipe` may write a recipe of this name.

    Raises:
        ConfigError: it is no name of a file, or there is another recipe of this name.
    """
    from snnrl.recipes import recipe_paths

    if not name.isidentifier():
        raise ConfigError(f"recipe={shown(name)}: must be a name of letters, digits and underscores")
    path = recipe_paths("experiment").get(name)
    if path is not None and f" of study {study}, " not in path.read_text(encoding="utf-8").partition("\n")[0]:
        raise ConfigError(f"recipe={name}: {path} is there already and not of study {study}; must be another name")
