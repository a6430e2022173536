"""Where recipes are found, and how they and the command line become one configuration.

A recipe is a YAML file in one of three folders, which are Hydra's groups ``env``, ``agent`` and ``experiment``. A
user's own ``./envs``, ``./agents`` and ``./experiments`` come first, then those of the checkout or of the installed
wheel.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from snnrl.composition import Recipes, resolved
from snnrl.errors import ConfigError, did_you_mean, shown
from snnrl.legacy import AGENTS
from snnrl.run_settings import RLSettings, SupervisedSettings, as_recipe
from snnrl.settings import renamed
from snnrl.textfiles import read_yaml
from snnrl.tuning import SECTION, WITH_PARTS, Layer, check_own, check_tuned, combined, is_part, laid_over, parents
from snnrl.types import Setting, Settings
from snnrl.words import Word, Words, quoted, read_line, value_of

GROUPS: Mapping[str, str] = {"env": "envs", "agent": "agents", "experiment": "experiments"}
ANY_GYMNASIUM = "Gymnasium"
DEFAULT_ENV = "SpaceInvaders"
"""The environment of settings that name none."""
FAMILIES = {"ALE/": "Atari", "MinAtar/": "MinAtar"}

_DEFAULTS = as_recipe(RLSettings)
BASE: Settings = {
    "defaults": [
        "_self_",
        {"agent": "rstdp"},
        {"env": DEFAULT_ENV},
        {"experiment": None},
    ],
    **_DEFAULTS,
    "env_steps": f"${{oc.select:env.env_steps,{_DEFAULTS['env_steps']}}}",
    "num_envs": f"${{oc.select:env.num_envs,{_DEFAULTS['num_envs']}}}",
    "eval": {
        **_DEFAULTS["eval"],
        "episodes": f"${{oc.select:env.eval_episodes,{_DEFAULTS['eval']['episodes']}}}",
        "deterministic": f"${{oc.select:env.eval_deterministic,{str(_DEFAULTS['eval']['deterministic']).lower()}}}",
    },
}

SUPERVISED_BASE: Settings = {"defaults": ["_self_", {"experiment": None}], **as_recipe(SupervisedSettings)}
"""What experiments with a ``learner`` build on: a learner and a data set in place of an agent and an environment."""


def recipe_folders(group: str) -> list[Path]:
    """The folders in which the recipes of a group are looked for, the first wins."""
    package = Path(__file__).resolve().parent
    checkout = package.parent
    shipped = package / "recipes_data" / GROUPS[group]
    home = checkout / GROUPS[group] if (checkout / "pyproject.toml").is_file() else shipped
    return [folder for folder in (Path.cwd() / GROUPS[group], home) if folder.is_dir()]


def recipe_paths(group: str) -> dict[str, Path]:
    """Every recipe of a group by name."""
    found: dict[str, Path] = {}
    for folder in recipe_folders(group):
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


def recipe_names(group: str) -> list[str]:
    """The names of a group's recipes."""
    return sorted(recipe_paths(group))


def compose_run(overrides: Sequence[str]) -> dict[str, Setting]:
    """The resolved configuration that a command line asks for.

    Args:
        overrides: ``key=value`` words, ``env=``, ``agent=`` and ``experiment=`` choosing recipes; values are in Hydra's
            grammar, but for those of :data:`snnrl.words.TEXT`, which are text whatever they look like.

    Raises:
        ConfigError: a word that is no override, or names an unknown recipe or key; the message names the nearest.
    """
    words = read_line(overrides, GROUPS)
    base, chosen = _choices(words)
    try:
        layers = _layers(base, chosen)
        recipe = combined(layers)
        if base == _SUPERVISED:
            words = words.under("learner", [key for key in recipe["learner"] if key not in recipe])
        found = resolved(combined(layers, _changes(words, recipe)))
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_first_line(error)) from error
    except RecursionError as error:
        raise ConfigError("a setting is nested too deeply; must be a value, or a short list of values") from error
    words.put_texts(found)
    if found["resume"] is not None:
        raise ConfigError(f"resume={shown(found['resume'])}: goes on with a run as it is; must be left out here")
    found.pop("experiment", None)
    old = found.pop(_OLD, None)
    if old is not None:
        _say_once(AGENTS[old].advice(old))
    return found


def chosen_recipes(overrides: Sequence[str]) -> list[tuple[str, str]]:
    """Group and name of every recipe that the words of a command line choose, each after those that it begins with."""
    return [(layer.group, layer.name) for layer in _layers(*_choices(read_line(overrides, GROUPS))) if layer.group]


def _choices(words: Words) -> tuple[str, list[str]]:
    """What a run builds on, and the recipes that are chosen, as Hydra's words."""
    _check_recipes(words.choices)
    experiment = words.choices.get("experiment")
    base = _ACTING if experiment is None or not has_learner(experiment) else _SUPERVISED
    if base == _SUPERVISED:
        _check_learner(words, str(experiment))
    named = [f"{group}={quoted(name)}" for group, name in words.choices.items() if name is not None]
    return base, [*_implied(words), *named]


def _layers(base: str, chosen: Sequence[str]) -> list[Layer]:
    """What the chosen recipes say, and those that they begin with, in their order."""
    layers = []
    for key, settings in _recipes().compose(base, chosen).items():
        group, is_layer, name = key.partition("=")
        layers.append(Layer(group, name, settings) if is_layer else Layer("", "", {key: settings}))
        if is_layer and _OLD not in settings:
            check_own(settings.get("agent"))
    return layers


def _changes(words: Words, recipe: Settings) -> list[Settings]:
    """What the command line changes, each setting found to be there."""
    changes: list[Settings] = []
    now = recipe
    for word in sorted(words.all, key=lambda word: not _names_a_part(word, words)):
        change = _change(word) if word in words.settings else {}
        _check_word(word, change, recipe, now, words)
        check_own(change.get("agent"))
        changes.append(change)
        now = laid_over(now, change)
    return changes


def _names_a_part(word: Word, words: Words) -> bool:
    """Whether a word chooses the part of which others have settings, which it would take away if it came after them."""
    part = f"{word.key.removesuffix('.name')}."
    alone = word.key.endswith(".name") or word.value.lstrip()[:1] not in ("{", "[")
    return alone and any(each.key.startswith(part) and each is not word for each in words.settings)


def _change(word: Word) -> dict[str, Setting]:
    """What a word changes, nested."""
    change: Setting = value_of(word)
    for name in reversed(word.key.split(".")):
        change = {name: change}
    return dict(change)


def choice(env: str) -> str:
    """The word of a command line that chooses an environment by its recipe or its registered Gymnasium id."""
    return f"env={env}" if env in recipe_paths("env") else f"env.id={env}"


_ACTING, _SUPERVISED = "snnrl", "snnrl_supervised"
"""Names of what runs build on, with environments and with data sets."""


_OLD = "old_agent"
"""Where a composed configuration has the name of an agent's recipe that has gone."""
_SAID: set[str] = set()


def _say_once(advice: str) -> None:
    """One line on standard error, once in a process."""
    if advice not in _SAID:
        _SAID.add(advice)
        print(advice, file=sys.stderr, flush=True)


def _check_learner(words: Words, experiment: str) -> None:
    """With a ``learner`` there is neither environment nor agent."""
    for word in words.all:
        if word.key.partition(".")[0] in ("env", "agent"):
            raise ConfigError(
                f"{shown(word.written)}: experiment={experiment} learns from a data set; must be left out, "
                "dataset= chooses another one"
            )


def has_learner(experiment: str, seen: tuple[str, ...] = ()) -> bool:
    """Whether an experiment, or one that it begins with, names a learner."""
    path = recipe_paths("experiment").get(experiment)
    if path is None or experiment in seen:
        return False
    try:
        written = _read(path, experiment)
    except ConfigError:
        return False
    return "learner" in written or any(has_learner(name, (*seen, experiment)) for name in parents(written))


def _check_recipes(choices: Mapping[str, str | None]) -> None:
    for group, name in choices.items():
        known = recipe_paths(group)
        if name is None and group != "experiment":
            raise ConfigError(f"{group}=null: must be a recipe; there are: {', '.join(sorted(known))}")
        if name is not None and name not in known and not (group == "agent" and name in AGENTS):
            raise ConfigError(f"{group}={shown(name)}: there is no such recipe; {did_you_mean(name, known)}")


def _check_word(word: Word, change: Settings, recipe: Settings, now: Settings, words: Words) -> None:
    """Raise unless there is a place for whatever a word sets.

    Args:
        word: the word.
        change: what it changes, nested.
        recipe: the settings before the command line.
        now: those before this word.
        words: all of the command line.
    """
    if word.key in GROUPS:
        return
    known = set(_keys(recipe))
    below = [key for key in _keys(change) if key.startswith(f"{word.key}.")]
    for key in [word.key] if word.adds else [word.key, *below]:
        free = word.adds or _is_own(key, now, words) or any(_is_free(key, settings) for settings in (recipe, now))
        if key not in known and not free:
            what = "there is no such setting" if key == word.key else f"there is no setting {key}"
            raise ConfigError(f"{shown(word.written)}: {what}; {_hint(word, key, known, recipe, words.choices)}")
    _check_place(word, now)


def _hint(word: Word, key: str, known: Collection[str], recipe: Settings, choices: Mapping[str, str | None]) -> str:
    """What to write in place of a setting that is not there."""
    agent = recipe.get("agent")
    chosen = [f"{group}={name}" for group, name in choices.items() if group != "env" and name is not None]
    if not chosen and isinstance(agent, Mapping) and agent.get("name") in recipe_paths("agent"):
        chosen = [f"agent={agent['name']}"]
    command = " ".join(["python -m snnrl.train", *chosen, "--help"])
    return _renamed(key, recipe) or did_you_mean(key, {*known, *GROUPS}, command)


def _is_own(key: str, settings: Settings, words: Words) -> bool:
    """Whether a key is of an agent or a learner of the user's own, whose class knows which settings there are.

    Recipes of snnrl hold every setting of theirs.
    """
    section = key.partition(".")[0]
    part = settings.get(section) if section in WITH_PARTS else None
    if not isinstance(part, Mapping) or section == key:
        return False
    group = "agent" if section == "agent" else "experiment"
    chosen, name = words.choices.get(group), words.texts.get(f"{section}.name") or part.get("name")
    own = chosen is not None and recipe_paths(group)[chosen].parent != recipe_folders(group)[-1]
    return own or ":" in str(name)


def _renamed(key: str, config: Settings) -> str | None:
    """What to say of a key by an earlier version's name; those of a learner need no section on the command line."""
    return renamed(key) or ("learner" in config and renamed(f"learner.{key}")) or None


def _check_place(word: Word, config: Settings) -> None:
    """Raise unless whatever the key's sections name is a mapping, or a list that has the item."""
    place: Setting = config
    parts = word.key.split(".")
    for number, part in enumerate(parts):
        if isinstance(place, list) and part.isdecimal() and int(part[:9]) < len(place):
            place = place[int(part)]
        elif isinstance(place, Mapping):
            place = place.get(part)
        elif place is None or (isinstance(place, str) and is_part(config, ".".join(parts[: number + 1]))):
            return
        else:
            section = ".".join(parts[:number])
            raise ConfigError(f"{shown(word.written)}: {section} is {shown(place)}; must be set as a whole")


_FREE = ("env.kwargs", "env.eval_kwargs", "agent.neuron_kwargs", "agent.encoder")
"""Mappings that are passed on, whose keys are checked by whoever takes them, as are those of parts."""


def _keys(config: Settings, prefix: str = "") -> Iterator[str]:
    for key in config:
        name = f"{prefix}{key}"
        yield name
        if isinstance(config[key], Mapping):
            yield from _keys(config[key], f"{name}.")


def _is_free(key: str, settings: Settings) -> bool:
    return f"{key}.".startswith(tuple(f"{prefix}." for prefix in _FREE)) or is_part(settings, key)


def _implied(words: Words) -> list[str]:
    """``env.id=X`` without a recipe means the recipe for any environment, or for any game of Atari or MinAtar.

    An experiment that names an environment keeps it.
    """
    env_id, experiment = words.texts.get("env.id"), words.choices.get("experiment")
    if env_id is None or "env" in words.choices or (experiment is not None and _has_env(experiment)):
        return []
    family = next((recipe for prefix, recipe in FAMILIES.items() if env_id.startswith(prefix)), ANY_GYMNASIUM)
    return [f"env={family}"]


def _has_env(experiment: str) -> bool:
    """Whether an experiment, or one that it begins with, names an environment."""
    paths = recipe_paths("experiment")
    if experiment not in paths:
        return True
    written = _read(paths[experiment], f"experiment={experiment}")
    chosen = [key.split()[-1] for each in written.get("defaults") or [] if isinstance(each, Mapping) for key in each]
    return "/env" in chosen or "env" in written or any(_has_env(name) for name in parents(written))


_KEPT: dict[tuple[object, ...], Recipes] = {}
"""The recipes of the last call, by their files and the times of these."""


def _recipes() -> Recipes:
    """All recipes that are there now."""
    paths = [(group, name, path) for group in GROUPS for name, path in recipe_paths(group).items()]
    state = tuple((*named, _state(named[2], named[1])) for named in paths)
    if state not in _KEPT:
        _KEPT.clear()
        _KEPT[state] = _load_recipes()
    return _KEPT[state]


def _load_recipes() -> Recipes:
    recipes = Recipes()
    written = {
        group: {name: _read(path, f"{group}={name}") for name, path in recipe_paths(group).items()} for group in GROUPS
    }
    old = {name: {**agent.recipe, _OLD: name} for name, agent in AGENTS.items() if name not in written["agent"]}
    for name, base in ((_ACTING, BASE), (_SUPERVISED, SUPERVISED_BASE)):
        recipes.add(name, OmegaConf.create(_as_layer("", "", base)))
    for name, recipe in written["env"].items():
        check_tuned(name, recipe, {*written["agent"], *old})
    for group, found in {**written, "agent": {**written["agent"], **old}}.items():
        for name, recipe in found.items():
            try:
                recipes.add(name, OmegaConf.create(_as_layer(group, name, recipe)), group)
            except (OmegaConfBaseException, RecursionError) as error:
                path = recipe_paths(group)[name]
                raise ConfigError(f"{group}={name}: {path} is not a recipe: {_first_line(error)}") from error
    return recipes


_READ: dict[Path, tuple[tuple[int, int], dict[str, Setting]]] = {}
"""Recipes as they were read, with time and size of their files."""


def _read(path: Path, name: str) -> dict[str, Setting]:
    """What a recipe's file holds."""
    state = _state(path, name)
    if path not in _READ or _READ[path][0] != state:
        _READ[path] = state, read_yaml(path, f"{name}: {path}", aliases=True)
    return _READ[path][1]


def _state(path: Path, name: str) -> tuple[int, int]:
    """Time and size of a file."""
    try:
        status = path.stat()
    except OSError as error:
        raise ConfigError(f"{name}: {path} cannot be read ({error.strerror})") from error
    return status.st_mtime_ns, status.st_size


def _as_layer(group: str, name: str, written: Settings) -> dict[str, Setting]:
    """A recipe as Hydra gets it: its defaults, and under a key of its own its settings from the top.

    So Hydra puts the recipes in order, and :func:`~snnrl.tuning.combined` lays them over one another.
    """
    defaults = written.get("defaults") or []
    if not isinstance(defaults, list):
        raise ConfigError(f"{group}: defaults must be a list of recipes, not {shown(defaults)}")
    apart = () if group in ("", "experiment") else (SECTION, _OLD)
    own = {key: value for key, value in written.items() if key not in ("defaults", *apart)}
    layer = {group: own, **{key: written[key] for key in apart if key in written}} if apart else own
    after = [] if "_self_" in defaults or group == "experiment" else ["_self_"]
    return {"defaults": [*defaults, *after], f"{group}={name}": layer}


def _first_line(error: BaseException) -> str:
    return re.sub(r"\s+", " ", str(error).strip().split("\n")[0])
