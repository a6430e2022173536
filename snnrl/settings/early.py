"""Plain values checked against their declarations as these stand in the source, before what they belong to is imported.

Agents and learners import torch, which takes seconds; a number out of its range need not wait for it. What cannot be
read off the source is left to :func:`~snnrl.settings.read`, which checks everything.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING
from pathlib import Path

from snnrl.settings.declared import Declaration
from snnrl.settings.reading import at, typed
from snnrl.settings.registry import classes_in
from snnrl.settings.values import Limits
from snnrl.types import Setting, Settings

_TYPES: Mapping[str, object] = {
    "int": int,
    "float": float,
    "bool": bool,
    "int | None": int | None,
    "float | None": float | None,
}
_ROOT = Path(__file__).parents[2]
AGENT_FOLDERS, LEARNER_FOLDERS = ("agents", "integrations/sb3"), ("learners",)
"""Where agents and learners lie in snnrl."""


def check_early(section: Settings, name: str, folders: Sequence[str]) -> None:
    """Raise for a number or a truth value of a section that is not as its class's ``Config`` declares it.

    >>> check_early({"name": "rstdp", "gamma": 2.0}, "agent", ("agents",))
    Traceback (most recent call last):
        ...
    snnrl.errors.ConfigError: agent.gamma=2.0: must be in [0, 1], or null

    Args:
        section: ``name`` and settings; of a class that is not snnrl's nothing is checked.
        name: of the section.
        folders: of snnrl, in which classes of this kind lie.

    Raises:
        ConfigError: as said.
    """
    known = declared_early(str(section.get("name")), folders)
    for key, value in section.items():
        if key in known and (value is None or isinstance(value, bool | int | float | str)):
            typed(at(name, key), value, known[key])


def declared_early(name: str, folders: Sequence[str]) -> dict[str, Declaration]:
    """What can be read of the declarations of a class's ``Config``, by the class's registered name."""
    module, _, kind = classes_in(folders).get(name, "").partition(":")
    found = _class(module, kind)
    config = None if found is None else _config_of(found[1])
    return {} if found is None or config is None else _declared(found[0], config)


def _class(module: str, name: str) -> tuple[str, ast.ClassDef] | None:
    """The source of a class, in the module or in the one that this imports it from; with that module."""
    path = (_ROOT / Path(*module.split("."))).with_suffix(".py")
    if not module.startswith("snnrl.") or not path.is_file():
        return None
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom) and node.module and name in [alias.name for alias in node.names]:
            return _class(node.module, name)
    return None


def _config_of(kind: ast.ClassDef) -> str | None:
    """The name of what a class calls its ``Config``."""
    for node in kind.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if [ast.unparse(target) for target in targets] == ["Config"] and isinstance(node.value, ast.Name):
                return node.value.id
    return None


def _declared(module: str, name: str) -> dict[str, Declaration]:
    """What a dataclass and those that it is derived from declare by :func:`~snnrl.settings.setting` in plain words."""
    found = _class(module, name)
    if found is None:
        return {}
    known: dict[str, Declaration] = {}
    for base in reversed(found[1].bases):
        if isinstance(base, ast.Name):
            known |= _declared(found[0], base.id)
    for node in found[1].body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            known.pop(node.target.id, None)
            known |= dict(_read(node.target.id, node))
    return known


def _read(name: str, node: ast.AnnAssign) -> Iterator[tuple[str, Declaration]]:
    """The declaration of a field, if all that counts of it can be read."""
    hint, call = _TYPES.get(ast.unparse(node.annotation)), node.value
    if hint is None or not isinstance(call, ast.Call) or ast.unparse(call.func) != "setting":
        return
    told = {each.arg or "": each.value for each in call.keywords if each.arg not in ("help", "default_text")}
    try:
        limits: dict[str, Setting] = {key: ast.literal_eval(value) for key, value in told.items()}
        default = ast.literal_eval(call.args[0]) if call.args else MISSING
    except ValueError:
        return
    yield name, Declaration(name, hint, default, "", Limits(**limits), None, None)
