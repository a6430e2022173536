"""What recipes name, one registry for each kind: agents, learners, encoders, decoders, neurons, connections, rules."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from inspect import isabstract
from pathlib import Path
from typing import Generic, TypeVar

from snnrl.errors import ConfigError, did_you_mean, one_line, shown

T = TypeVar("T", covariant=True)
C = TypeVar("C", bound=type)

CLASS = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
"""``module:Class``, as a recipe names code outside snnrl."""
_NAMED = re.compile(r"^((?:@[^\n]*\n)*?@register\([^\n]*\n(?:@[^\n]*\n)*)class (\w+)", re.MULTILINE)
_NAME = re.compile(r"^@register\(\s*\"(\w+)\"\s*\)", re.MULTILINE)


def register(name: str) -> Callable[[C], C]:
    """Give a class of snnrl the name by which recipes call it; its file needs no entry anywhere else.

    A :class:`Registry` finds the decorator by reading the files of its folder, without importing them: it has to stand
    at the left margin, its name in double quotes.
    """

    def keep(kind: C) -> C:
        setattr(kind, "recipe_name", name)  # noqa: B010
        return kind

    return keep


class Registry(Generic[T]):
    """Finds the classes of one kind by the names that recipes give them, and imports them only then.

    A name is one of three things, looked for in this order:

    - ``name``, a class of snnrl that is decorated with :func:`register`, in a file of one of ``folders``;
    - ``name``, an entry point of an installed package, in the group :attr:`group`, as its ``pyproject.toml`` says:
      ``[project.entry-points."snnrl.neurons"]``, then ``name = "my_package.my_module:MyNeuron"``;
    - ``my_package.my_module:MyNeuron``, a class that can be imported.

    Args:
        kind: one word in the singular, such as ``neuron``.
        base: ``module:Class`` of which all classes of the kind are subclasses.
        folders: of snnrl, in which files with classes of this kind lie; by default the kind's own, such as ``neurons``.
        config: whether a class has to have a ``Config``, the dataclass of its settings.
        parents: what an error says that a class must be derived from, where it is not ``base`` itself.
    """

    def __init__(self, kind: str, base: str, *folders: str, config: bool = False, parents: str | None = None) -> None:
        self.kind, self.base, self.config = kind, base, config
        self.parents = parents or base.replace(".base:", ".").replace(":", ".")
        self.folders = folders or (f"{kind}s",)

    @property
    def group(self) -> str:
        """The entry points' group, such as ``snnrl.neurons``."""
        return f"snnrl.{self.kind}s"

    @cached_property
    def ours(self) -> Mapping[str, str]:
        """``module:Class`` of each class of snnrl by its name."""
        return classes_in(self.folders, self.kind)

    @cached_property
    def installed(self) -> Mapping[str, str]:
        """``module:Class`` of each entry point of an installed package by its name."""
        return {point.name: point.value for point in entry_points(group=self.group)}

    def names(self) -> tuple[str, ...]:
        """All names that a recipe can give, in alphabetical order, ``module:Class`` aside."""
        return tuple(sorted({*self.installed, *self.ours}))

    def __contains__(self, name: object) -> bool:
        return name in self.ours or name in self.installed

    def find(self, name: object, setting: str) -> type[T]:
        """The class that a recipe names.

        Args:
            name: as the recipe says it.
            setting: what an error message calls the setting, such as ``agent.name``.

        Raises:
            ConfigError: there is no such class, it cannot be imported, is not of the kind, or is not whole.
        """
        said = f"{setting}={shown(name)}"
        if not isinstance(name, str):
            raise ConfigError(f"{said}: must be the name of {_a(self.kind)}, or module:Class")
        where = self.ours.get(name) or (name if ":" in name else self.installed.get(name))
        if where is None:
            raise ConfigError(f"{said}: there is no such {self.kind}; {did_you_mean(name, self.names())}")
        found = self._imported(where, said)
        base_module, _, base_name = self.base.partition(":")
        base = getattr(import_module(base_module), base_name)
        if not (isinstance(found, type) and issubclass(found, base)):
            raise ConfigError(f"{said}: must be a subclass of {self.parents}")
        if isabstract(found):
            lacking = ", ".join(sorted(vars(found)["__abstractmethods__"]))
            parent = next(each for each in found.__mro__[1:] if each.__module__.startswith("snnrl."))
            raise ConfigError(f"{said}: lacks {lacking} of {_a(parent.__name__)}")
        if self.config and not isinstance(getattr(found, "Config", None), type):
            raise ConfigError(f"{said}: has no Config; must be a class with one, the dataclass of its settings")
        return found

    def _imported(self, where: str, said: str) -> object:
        try:
            if CLASS.fullmatch(where) is None:
                raise ValueError("not module:Class")
            module, _, attribute = where.partition(":")
            return getattr(import_module(module), attribute)
        except (Exception, SystemExit) as error:  # of whatever kind: it is somebody else's module that runs here
            what = f"module:Class of {_a(self.base.rpartition(':')[2])}{' with a Config' if self.config else ''}"
            raise ConfigError(f"{said}: cannot be imported ({_gist(error)}); must be {what}") from error


def classes_in(folders: Sequence[str], kind: str = "part") -> dict[str, str]:
    """``module:Class`` of each class in folders of snnrl that is decorated with :func:`register`, by its name."""
    root = Path(__file__).parent.parent
    found: dict[str, str] = {}
    for folder in folders:
        for path in sorted((root / folder).glob("*.py")):
            module = ".".join(("snnrl", *Path(folder).parts, path.stem))
            for name, own in _named_classes(path.read_text(encoding="utf-8")):
                if name in found:
                    raise ValueError(f"two {kind}s are named {name}: {found[name]} and {module}:{own}")
                found[name] = f"{module}:{own}"
    return found


def is_imported(where: str) -> bool:
    """Whether this process has imported the class that ``module:Class`` names, as a subclass of one of snnrl's.

    >>> is_imported("pathlib:Path"), is_imported("no_such_module:Class")
    (False, False)
    """
    module, _, attribute = where.partition(":")
    kind = getattr(sys.modules.get(module), attribute, None)
    return isinstance(kind, type) and any(parent.__module__.startswith("snnrl.") for parent in kind.__mro__)


def _named_classes(source: str) -> Iterator[tuple[str, str]]:
    """Name and class of each use of :func:`register` in a file."""
    for decorators, kind in _NAMED.findall(source):
        for name in _NAME.findall(decorators):
            yield name, kind


def _a(noun: str) -> str:
    """``noun`` with its article.

    >>> _a("Agent"), _a("neuron")
    ('an Agent', 'a neuron')
    """
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def _gist(error: BaseException) -> str:
    """What went wrong in an import, with the place where it did if that is in somebody's own code."""
    if isinstance(error, (ImportError, AttributeError, ValueError)):
        return one_line(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = "" if isinstance(error, SyntaxError) else f", {Path(last.filename).name}, line {last.lineno}"
    return f"{type(error).__name__}: {one_line(error)}{place}"
