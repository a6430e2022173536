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

from snnrl.composition import Recipes
from snnrl.errors import ConfigError, did_you_mean, shown
from snnrl.legacy import AGENTS
from snnrl.run_settings import RLSettings, SupervisedSettings, as_recipe
from snnrl.settings import renamed
from snnrl.textfiles import read_yaml
from snnrl.tuning import SECTION, parents, tuned_settings
from snnrl.types import Setting, Settings
from snnrl.words import Word, Words, given, quoted, read_line

GROUPS: Mapping[str, str] = {"env": "envs", "agent": "agents", "experiment": "experiments"}
ANY_GYMNASIUM = "Gymnasium"
FAMILIES = {"ALE/": "Atari", "MinAtar/": "MinAtar"}

_DEFAULTS = as_recipe(RLSettings)
BASE: Settings = {
    "defaults": [
        "_self_",
        {"agent": "rstdp"},
        {"env": "SpaceInvaders"},
        {"optional tuned": "${env}/${agent}"},
        {"experiment": None},
    ],
    **_DEFAULTS,
    "env_steps": f"${{oc.select:env.env_steps,{_DEFAULTS['env_steps']}}}",
    "num_envs": f"${{oc.select:env.num_envs,{_DEFAULTS['num_envs']}}}",
    "eval": {
        **_DEFAULTS["eval"],
        "episodes": f"${{oc.select:env.eval_episodes,{_DEFAULTS['eval']['episodes']}}}",
        "deterministic": "${oc.select:env.eval_deterministic,true}",
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
    _check_recipes(words.choices)
    experiment = words.choices.get("experiment")
    base = _ACTING if experiment is None or not has_learner(experiment) else _SUPERVISED
    if base == _SUPERVISED:
        _check_learner(words, str(experiment))
    chosen = [
        *_implied(words),
        *(f"{group}={quoted(name)}" for group, name in words.choices.items() if name is not None),
    ]
    recipes = _recipes()
    try:
        choices = recipes.unresolved(base, chosen)
        if base == _SUPERVISED:
            words = words.under("learner", [key for key in choices["learner"] if key not in choices])
        _check_keys(words, choices)
        resolved = recipes.compose(base, [*chosen, *(each for word in words.settings for each in _forced(word))])
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_first_line(error)) from error
    except RecursionError as error:
        raise ConfigError("a setting is nested too deeply; must be a value, or a short list of values") from error
    words.put_texts(resolved)
    if resolved["resume"] is not None:
        raise ConfigError(f"resume={shown(resolved['resume'])}: goes on with a run as it is; must be left out here")
    _drop_settings_of_another(words, choices, resolved)
    resolved.pop("experiment", None)
    old = resolved.pop(_OLD, None)
    if old is not None:
        _say_once(AGENTS[old].advice(old))
    return resolved


def choice(env: str) -> str:
    """The word of a command line that chooses an environment by its recipe or its registered Gymnasium id."""
    return f"env={env}" if env in recipe_paths("env") else f"env.id={env}"


_ACTING, _SUPERVISED = "snnrl", "snnrl_supervised"
"""Names of what runs build on, with environments and with data sets."""


def _drop_settings_of_another(words: Words, recipe: Settings, resolved: Settings) -> None:
    """Leave an encoder that the command line names without the settings that the recipes have for theirs.

    Neither is what a recipe says of a game's frames of any use where the command line asks for other observations.
    """
    parts = [settings["agent"].get("encoder") if "agent" in settings else None for settings in (recipe, resolved)]
    before, after = parts
    if not isinstance(before, Mapping) or not isinstance(after, dict):
        return
    own = {word.key.split(".")[2] for word in words.settings if word.key.startswith("agent.encoder.")}
    own |= {name for word in words.settings if word.key == "agent.encoder" for name in given(word)}
    other_observations = any(word.key == "env.kwargs.obs_type" for word in words.all)
    if before.get("name") != after.get("name") or other_observations:
        for name in set(after) - own:
            del after[name]
        after.setdefault("name", None)


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


def _check_keys(words: Words, config: Settings) -> None:
    known = set(_keys(config))
    for word in words.all:
        free = _is_free(word)
        if word.key not in GROUPS and word.key not in known and not free and not word.adds:
            hint = _renamed(word.key, config) or did_you_mean(word.key, known | set(GROUPS))
            agent = config.get("agent")
            if word.key.startswith("agent.") and isinstance(agent, Mapping) and ":" in str(agent.get("name")):
                hint = f"one that the recipe of an agent of your own does not hold is added by +{shown(word.written)}"
            raise ConfigError(f"{shown(word.written)}: there is no such setting; {hint}")
        _check_place(word, config)
    for word in words.settings:
        if not _is_free(word) and not word.adds and word.value.lstrip().startswith("{"):
            _check_section(word, known)


def _renamed(key: str, config: Settings) -> str | None:
    """What to say of a key by an earlier version's name; those of a learner need no section on the command line."""
    return renamed(key) or ("learner" in config and renamed(f"learner.{key}")) or None


def _check_section(word: Word, known: Collection[str]) -> None:
    """Raise unless every setting of a section that is given as ``{key: value}`` is there."""
    for name in _keys(given(word)):
        key = f"{word.key}.{name}"
        if key not in known:
            raise ConfigError(
                f"{shown(word.written)}: there is no setting {key}; {renamed(key) or did_you_mean(key, known)}"
            )


def _check_place(word: Word, config: Settings) -> None:
    """Raise unless whatever the key's sections name is a mapping, or a list that has the item."""
    place: Setting = config
    parts = word.key.split(".")
    for number, part in enumerate(parts):
        if isinstance(place, list) and part.isdecimal() and int(part[:9]) < len(place):
            place = place[int(part)]
        elif isinstance(place, Mapping):
            place = place.get(part)
        elif place is None:
            return
        else:
            section = ".".join(parts[:number])
            raise ConfigError(f"{shown(word.written)}: {section} is {shown(place)}; must be set as a whole")


_PARTS = tuple(
    f"agent.network.{name}.{part}" for name in ("actor", "critic") for part in ("neuron", "rule", "connection")
)
"""A name, or a mapping with ``name`` and settings, which takes the place of the recipe's as a whole."""
_FREE = ("env.kwargs", "env.eval_kwargs", "agent.neuron_kwargs", "agent.encoder", *_PARTS)
"""Mappings that are passed on, whose keys are checked by whoever takes them."""


def _keys(config: Settings, prefix: str = "") -> Iterator[str]:
    for key in config:
        name = f"{prefix}{key}"
        yield name
        if isinstance(config[key], Mapping):
            yield from _keys(config[key], f"{name}.")


def _forced(word: Word) -> list[str]:
    """A word of the command line as Hydra takes it: one of free settings adds those that the recipe does not hold."""
    if not _is_free(word):
        return [word.written]
    whole = word.key in _PARTS and word.value.lstrip().startswith("{") and "name" in given(word)
    return [*([f"~{word.key}"] if whole else []), f"++{word.written.lstrip('+')}"]


def _is_free(word: Word) -> bool:
    return f"{word.key}.".startswith(tuple(f"{prefix}." for prefix in _FREE))


def _implied(words: Words) -> list[str]:
    """``env.id=X`` without a recipe means the recipe for any environment, or for any game of Atari or MinAtar."""
    env_id = words.texts.get("env.id")
    if env_id is None or "env" in words.choices or words.choices.get("experiment") is not None:
        return []
    family = next((recipe for prefix, recipe in FAMILIES.items() if env_id.startswith(prefix)), ANY_GYMNASIUM)
    return [f"env={family}"]


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
    recipes.add(_ACTING, OmegaConf.create(dict(BASE)))
    recipes.add(_SUPERVISED, OmegaConf.create(dict(SUPERVISED_BASE)))
    written = {
        group: {name: _read(path, f"{group}={name}") for name, path in recipe_paths(group).items()} for group in GROUPS
    }
    for group in GROUPS:
        for name, recipe in written[group].items():
            try:
                recipes.add(name, OmegaConf.create(_at_root(group, recipe)), group)
            except (OmegaConfBaseException, RecursionError) as error:
                path = recipe_paths(group)[name]
                raise ConfigError(f"{group}={name}: {path} is not a recipe: {_first_line(error)}") from error
    old = {name: agent.recipe for name, agent in AGENTS.items() if name not in written["agent"]}
    for name, recipe in old.items():
        recipes.add(name, OmegaConf.create({**_at_root("agent", recipe), _OLD: name}), "agent")
    for (env, agent), settings in tuned_settings(written["env"], {**old, **written["agent"]}).items():
        recipes.add(agent, OmegaConf.create({"agent": dict(settings)}), f"{SECTION}/{env}")
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


def _at_root(group: str, written: Settings) -> dict[str, Setting]:
    """The recipe's settings under their group, its defaults beside them, where they may override other groups."""
    if group == "experiment":
        return dict(written)
    defaults = written.get("defaults") or []
    if not isinstance(defaults, list):
        raise ConfigError(f"{group}: defaults must be a list of recipes, not {shown(defaults)}")
    settings = {key: value for key, value in written.items() if key not in ("defaults", SECTION)}
    return {"defaults": [*defaults, "_self_"], group: settings}


def _first_line(error: BaseException) -> str:
    return re.sub(r"\s+", " ", str(error).strip().split("\n")[0])
