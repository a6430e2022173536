"""What a run's settings name that is code: a folder that somebody sent must not run it unasked."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping

from snnrl.errors import UntrustedCodeError, shown
from snnrl.settings import is_imported
from snnrl.types import Settings

_CODE = re.compile(r"[\w.]+:[\w./-]+")
_IMPORTERS = re.compile(r"GymV\d+Environment")
"""Environments that Gymnasium registers and that import whatever ``env_id`` names."""


def names_code(settings: Settings) -> dict[str, str]:
    """Settings whose values are imported and run, by their full names.

    That is every ``module:Class`` in any section: an agent or a learner, its encoder, neurons, rules and connections,
    and what is passed on to an environment.

    >>> names_code({"agent": {"name": "rstdp", "network": {"hidden": [{"neuron": "my_module:MyNeuron"}]}}})
    {'agent.network.hidden[0].neuron': 'my_module:MyNeuron'}
    """
    found = {}
    for section, inner in settings.items():
        if isinstance(inner, (Mapping, list, tuple)):
            for setting, text in _texts(inner, str(section)):
                names_class = ":" in text and setting.endswith(".name")
                if names_class or _CODE.fullmatch(text) or (setting == "env.id" and _imports(text)):
                    found[setting] = text
    return found


def _imports(env_id: str) -> bool:
    """Whether Gymnasium imports something to make an environment."""
    return ":" in env_id or _IMPORTERS.match(env_id) is not None


def check_trust(settings: Settings, source: str, trust: bool) -> None:
    """Raise unless all code that settings name may run, or has run in this process already.

    A class of one of snnrl's kinds whose module is imported, and an environment that is registered with Gymnasium by an
    imported module, are there by the will of whoever imported them.

    Args:
        settings: as a run's ``config.yaml`` holds them.
        source: what an error message calls the file that holds them.
        trust: whether somebody has said that it may.

    Raises:
        UntrustedCodeError: there is such code, and ``trust`` is false; nothing was imported.
    """
    names = {} if trust else {key: name for key, name in names_code(settings).items() if not _is_there(key, name)}
    if names:
        said = ", ".join(f"{setting}={shown(name)}" for setting, name in names.items())
        raise UntrustedCodeError(
            f"{source} names code that is no part of snnrl ({said}); where you know what it does, "
            "add trust=true (in Python: trust=True) to let it run"
        )


def _is_there(setting: str, name: str) -> bool:
    """Whether this process has imported the class, or registered the environment, that a setting names."""
    if setting == "env.id":
        module, _, env_id = name.rpartition(":")
        return module in sys.modules and env_id in getattr(sys.modules.get("gymnasium"), "registry", {})
    return is_imported(name)


def _texts(value: object, setting: str) -> Iterator[tuple[str, str]]:
    """Every text in nested settings, keys among them, with the full name of its setting."""
    if isinstance(value, str):
        yield setting, value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _texts(key, setting)
            yield from _texts(entry, f"{setting}.{key}")
    elif isinstance(value, (list, tuple)):
        for number, entry in enumerate(value):
            yield from _texts(entry, f"{setting}[{number}]")
