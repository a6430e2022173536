"""Hydra's composition of recipes, apart from whatever else in this process uses Hydra."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hydra import compose, initialize
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from omegaconf import OmegaConf
from omegaconf.basecontainer import BaseContainer

from snnrl.types import Setting

_LOCK = threading.RLock()
_SHARED = ("Plugins", "SourcesRegistry")
"""What Hydra knows of its own installation; anything else of its state belongs to one application."""


class Recipes:
    """Configurations that Hydra composes, kept in a store of their own."""

    def __init__(self) -> None:
        import hydra.conf  # noqa: F401  registers Hydra's own configurations in the caller's store

        theirs = ConfigStore.instance().repo
        with _apart():
            self._store = _Store()
        self._store.repo.update({name: entry for name, entry in theirs.items() if _is_hydras(name, entry)})
        self._composed: dict[tuple[str, ...], dict[str, Setting]] = {}

    def add(self, name: str, node: object, group: str | None = None) -> None:
        """Keep a configuration; one of a group is merged at the root."""
        with _apart(self._store):
            self._store.store(name=name, node=node, group=group, package=None if group is None else "_global_")

    def compose(self, name: str, words: Sequence[str]) -> dict[str, Setting]:
        """What ``name`` and its defaults come to, interpolations as they are written; not to be changed by the caller.

        Args:
            name: of a configuration.
            words: choices of others, in Hydra's grammar.

        Raises:
            HydraException: a word that does not fit.
        """
        chosen = (name, *words)
        if chosen not in self._composed:
            with _apart(self._store), initialize(version_base="1.3", config_path=None):
                composed = OmegaConf.to_container(compose(name, list(words)))
            assert isinstance(composed, dict)
            self._composed[chosen] = {str(key): value for key, value in composed.items()}
        return self._composed[chosen]


def resolved(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Settings with all interpolations resolved.

    Raises:
        OmegaConfBaseException: an interpolation that leads nowhere.
    """
    found = OmegaConf.to_container(OmegaConf.create(dict(settings)), resolve=True)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


class _Store(ConfigStore):
    """A store that Hydra does not copy as a whole for each composition; what it loads from it is a copy anyway."""

    def __deepcopy__(self, memo: object) -> _Store:
        return self


@contextmanager
def _apart(store: ConfigStore | None = None) -> Iterator[None]:
    """Within, Hydra's state in this process is ours; outside it is the caller's, object for object.

    Hydra has one ConfigStore, one initialised application and one ``version_base`` for a process, and the process may
    be a user's own Hydra application.
    """
    with _LOCK:
        Plugins.instance()  # what plugins register when they are found belongs to the caller's state
        outside, resolvers = Singleton._instances, dict(BaseContainer._resolvers)
        own: dict[type, Any] = {kind: instance for kind, instance in outside.items() if kind.__name__ in _SHARED}
        if store is not None:
            own[ConfigStore] = store
        Singleton._instances = own
        try:
            yield
        finally:
            Singleton._instances = outside
            BaseContainer._resolvers.clear()
            BaseContainer._resolvers.update(resolvers)


def _is_hydras(name: str, entry: object) -> bool:
    return name == "hydra" or getattr(entry, "provider", None) == "hydra"
