"""Where recipes are found, and how they and the command line become one configuration.

A recipe is a YAML file in one of three folders, which are Hydra's groups ``env``, ``agent`` and ``experiment``. A
user's own ``./envs``, ``./agents`` and ``./experiments`` come first, then those of the checkout or of the installed
wheel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from snnrl.errors import ConfigError, did_you_mean

GROUPS: Mapping[str, str] = {"env": "envs", "agent": "agents", "experiment": "experiments"}
ANY_GYMNASIUM, ANY_ATARI = "Gymnasium", "Atari"

BASE: Mapping[str, Any] = {
    "defaults": ["_self_", {"agent": "rstdp"}, {"env": "SpaceInvaders"}, {"experiment": None}],
    "seed": 0,
    "device": "auto",
    "env_steps": "${oc.select:env.env_steps,100000}",
    "num_envs": "${oc.select:env.num_envs,16}",
    "run_dir": None,
    "resume": None,
    "logger": "tensorboard",
    "eval": {
        "every": None,
        "episodes": "${oc.select:env.eval_episodes,100}",
        "during": 16,
        "deterministic": "${oc.select:env.eval_deterministic,true}",
    },
    "checkpoint": {"every": None},
    "progress": "auto",
}

PIPELINE_BASE: Mapping[str, Any] = {
    "defaults": ["_self_", {"experiment": None}],
    "seed": 0,
    "device": "auto",
    "dataset": "MNIST",
    "data_dir": None,
    "split": "test",
    "train_images": None,
    "test_images": None,
    "passes": 1,
    "run_dir": None,
    "resume": None,
    "logger": "tensorboard",
    "eval": {"every": None, "during": 2000},
    "checkpoint": {"every": None},
    "progress": "auto",
    "plot": False,
}
"""What experiments with a ``pipeline`` build on: a learner and a data set in place of an agent and an environment."""


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


def compose_run(overrides: Sequence[str]) -> dict[str, Any]:
    """The resolved configuration that a command line asks for.

    Args:
        overrides: ``key=value`` words in Hydra's grammar, ``env=``, ``agent=`` and ``experiment=`` choosing recipes.

    Raises:
        ConfigError: a word that is no override, or names an unknown recipe or key; the message names the nearest.
    """
    overrides = [_as_written(word) for word in overrides]
    parsed = _parse(overrides)
    _check_recipes(parsed)
    _register()
    base = _base(parsed)
    try:
        with initialize(version_base="1.3", config_path=None):
            choices = compose(base, [word for word in [*_implied(parsed), *overrides] if _is_choice(word)])
            if base == _PIPELINE:
                overrides = [_of_pipeline(word, choices) for word in overrides]
                parsed = _parse(overrides)
            words = [*_implied(parsed), *(_force_free(word) for word in overrides)]
            _check_keys(parsed, OmegaConf.to_container(choices))
            resolved = OmegaConf.to_container(compose(base, words), resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_first_line(error)) from error
    finally:
        GlobalHydra.instance().clear()
    assert isinstance(resolved, dict)
    resolved.pop("experiment", None)
    return {str(key): value for key, value in resolved.items()}


def choice(env: str) -> str:
    """The word of a command line that chooses an environment by its recipe or its registered Gymnasium id."""
    return f"env={env}" if env in recipe_paths("env") else f"env.id={env}"


_ACTING, _PIPELINE = "snnrl", "snnrl_pipeline"
"""Names of what runs build on, with environments and with data sets."""


def _base(parsed: Sequence[Override]) -> str:
    """What the chosen experiment builds on; with a ``pipeline`` there is neither environment nor agent."""
    given = {override.key_or_group: override for override in parsed}
    experiment = given["experiment"].value() if "experiment" in given else None
    if experiment is None or not has_pipeline(str(experiment)):
        return _ACTING
    for group in ("env", "agent"):
        for key, override in given.items():
            if key == group or key.startswith(f"{group}."):
                raise ConfigError(
                    f"{override.input_line}: experiment={experiment} learns from a data set; must be left out, "
                    "dataset= chooses another one"
                )
    return _PIPELINE


def has_pipeline(experiment: str, seen: tuple[str, ...] = ()) -> bool:
    """Whether an experiment, or one that it begins with, names a learner."""
    path = recipe_paths("experiment").get(experiment)
    try:
        written = yaml.safe_load(path.read_text()) if path is not None else None
    except yaml.YAMLError:
        return False
    if not isinstance(written, Mapping) or experiment in seen:
        return False
    parents = [name for name in written.get("defaults", []) if isinstance(name, str)]
    return "pipeline" in written or any(has_pipeline(name, (*seen, experiment)) for name in parents)


def _of_pipeline(word: str, choices: DictConfig) -> str:
    """The word, with a setting that the learner alone has under ``pipeline``."""
    key = word.partition("=")[0]
    return f"pipeline.{word}" if key not in choices and key in choices["pipeline"] else word


_TEXT = ("logger", "run_dir", "device", "data_dir")
"""Settings whose values are text, whatever Hydra's grammar makes of a comma or a number."""


def _as_written(word: str) -> str:
    """The word with quotes around a value that is text."""
    key, _, value = word.partition("=")
    if key not in _TEXT or value in ("", "null") or value[0] in "'\"":
        return word
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{quoted}'"


def _parse(overrides: Sequence[str]) -> list[Override]:
    parser = OverridesParser.create()
    parsed = []
    for word in overrides:
        try:
            parsed.append(parser.parse_override(word))
        except HydraException as error:
            raise ConfigError(f"{word}: must be key=value, such as env=CartPole or env_steps=80000") from error
    return parsed


def _check_recipes(parsed: Sequence[Override]) -> None:
    for override in parsed:
        key = override.key_or_group
        if override.is_delete():
            raise ConfigError(f"{override.input_line}: a setting cannot be left out; must be key=value")
        value = override.value()
        if key in ("env", "agent") and value is None:
            raise ConfigError(f"{key}={value}: must be a recipe; there are: {', '.join(recipe_names(key))}")
        if key in GROUPS and value is not None and value not in recipe_paths(key):
            raise ConfigError(f"{key}={value}: there is no such recipe; {did_you_mean(str(value), recipe_paths(key))}")


def _check_keys(parsed: Sequence[Override], config: Any) -> None:
    known = set(_keys(config))
    for override in parsed:
        key = override.key_or_group
        free = any(key.startswith(f"{prefix}.") for prefix in _FREE)
        if key not in GROUPS and key not in known and not free and not override.is_add():
            written = override.input_line or key
            raise ConfigError(f"{written}: there is no such setting; {did_you_mean(key, known | set(GROUPS))}")


_FREE = ("env.kwargs", "env.eval_kwargs", "env.observation", "env.frames")
"""Mappings that are passed on, whose keys are checked by whoever takes them."""


def _keys(config: Any, prefix: str = "") -> Iterator[str]:
    for key in config:
        name = f"{prefix}{key}"
        yield name
        if isinstance(config[key], Mapping):
            yield from _keys(config[key], f"{name}.")


def _force_free(word: str) -> str:
    return f"++{word}" if word.startswith(tuple(f"{prefix}." for prefix in _FREE)) else word


def _is_choice(word: str) -> bool:
    return word.split("=", 1)[0].lstrip("+") in GROUPS


def _implied(parsed: Sequence[Override]) -> list[str]:
    """``env.id=X`` without a recipe means the recipe for any environment, or for any Atari game."""
    given = {override.key_or_group: override.value() for override in parsed}
    if "env.id" not in given or "env" in given or given.get("experiment") is not None:
        return []
    return [f"env={ANY_ATARI if str(given['env.id']).startswith('ALE/') else ANY_GYMNASIUM}"]


def _register() -> None:
    store = ConfigStore.instance()
    for stale in (*GROUPS, f"{_ACTING}.yaml", f"{_PIPELINE}.yaml"):
        store.repo.pop(stale, None)
    store.store(name=_ACTING, node=OmegaConf.create(dict(BASE)))
    store.store(name=_PIPELINE, node=OmegaConf.create(dict(PIPELINE_BASE)))
    for group in GROUPS:
        for name, path in recipe_paths(group).items():
            try:
                node = OmegaConf.load(path)
                written = yaml.safe_load(path.read_text())
            except Exception as error:
                raise ConfigError(f"{group}={name}: {path} is not valid YAML: {_first_line(error)}") from error
            if not isinstance(node, DictConfig) or not isinstance(written, Mapping):
                raise ConfigError(f"{group}={name}: {path} must hold settings, one `key: value` a line")
            store.store(group=group, name=name, node=_at_root(group, node), package="_global_")


def _at_root(group: str, node: DictConfig) -> DictConfig:
    """The recipe's settings under their group, its defaults beside them, where they may override other groups."""
    if group == "experiment":
        return node
    defaults = node.pop("defaults", [])
    return OmegaConf.create({"defaults": [*defaults, "_self_"], group: node})


def _first_line(error: BaseException) -> str:
    return re.sub(r"\s+", " ", str(error).strip().split("\n")[0])
