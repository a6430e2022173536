"""What a run's settings name that is code: a folder that somebody sent must not run it unasked."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from snnrl.errors import UntrustedCodeError, shown

_CODE = re.compile(r"[\w.]+:[\w./-]+")
_IMPORTERS = re.compile(r"GymV\d+Environment")
"""Environments that Gymnasium registers and that import whatever ``env_id`` names."""
_BASES = ("snnrl.agents.base", "snnrl.learners.base")


def names_code(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings whose values are imported and run, as ``agent.name: my_package.my_module:MyAgent``."""
    found = {}
    for section in ("agent", "learner"):
        name = _at(settings, section, "name")
        if isinstance(name, str) and ":" in name:
            found[f"{section}.name"] = name
    env_id = _at(settings, "env", "id")
    if isinstance(env_id, str) and (":" in env_id or _IMPORTERS.match(env_id)):
        found["env.id"] = env_id
    for section in ("kwargs", "eval_kwargs"):
        for text in _texts(_at(settings, "env", section)):
            if _CODE.fullmatch(text):
                found[f"env.{section}"] = text
    return found


def check_trust(settings: Mapping[str, Any], source: str, trust: bool) -> None:
    """Raise unless all code that settings name may run, or has run in this process already.

    An agent's or a learner's class whose module is imported, and an environment that is registered with Gymnasium by an
    imported module, are there by the will of whoever imported them.

    Args:
        settings: as a run's ``config.yaml`` holds them.
        source: what an error message calls them.
        trust: whether somebody has said that it may.

    Raises:
        UntrustedCodeError: there is such code, and ``trust`` is false; nothing was imported.
    """
    names = {} if trust else {key: name for key, name in names_code(settings).items() if not _is_there(key, name)}
    if names:
        said = ", ".join(f"{setting}={shown(name)}" for setting, name in names.items())
        raise UntrustedCodeError(
            f"{source}: its config.yaml names code that is no part of snnrl ({said}); where you know what it does, "
            "add trust=true (in Python: trust=True) to let it run"
        )


def _is_there(setting: str, name: str) -> bool:
    """Whether this process has imported the class, or registered the environment, that a setting names."""
    if setting == "env.id":
        module, _, env_id = name.rpartition(":")
        return module in sys.modules and env_id in getattr(sys.modules.get("gymnasium"), "registry", {})
    module, _, attribute = name.partition(":")
    kind = getattr(sys.modules.get(module), attribute, None)
    return isinstance(kind, type) and any(parent.__module__ in _BASES for parent in kind.__mro__)


def _at(settings: Mapping[str, Any], section: str, key: str) -> Any:
    inner = settings.get(section)
    return inner.get(key) if isinstance(inner, Mapping) else None


def _texts(value: Any) -> Iterator[str]:
    """Every text in nested settings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _texts(key)
            yield from _texts(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _texts(entry)
