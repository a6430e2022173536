"""Hydra's composition of recipes, apart from whatever else in this process uses Hydra."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra import compose, initialize
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from omegaconf import OmegaConf
from omegaconf.basecontainer import BaseContainer

_LOCK = threading.RLock()
_SHARED = ("Plugins", "SourcesRegistry")
"""What Hydra knows of its own installation; anything else of its state belongs to one application."""


class Recipes:
    """Configurations that Hydra composes, kept in a store of their own."""

    def __init__(self) -> None:
        with _apart():
            self._store = ConfigStore.instance()

    def add(self, name: str, node: Any, group: str | None = None) -> None:
        """Keep a configuration; one of a group is merged at the root."""
        self._store.store(name=name, node=node, group=group, package=None if group is None else "_global_")

    def compose(self, name: str, words: Sequence[str], *, resolve: bool) -> dict[str, Any]:
        """What ``name`` and its defaults come to, with overrides in Hydra's grammar.

        Args:
            name: the configuration to begin with.
            words: overrides.
            resolve: whether interpolations are replaced by what they stand for.

        Raises:
            HydraException: a word that does not fit.
            OmegaConfBaseException: a value that does not.
        """
        with _apart(self._store), initialize(version_base="1.3", config_path=None):
            composed = OmegaConf.to_container(compose(name, list(words)), resolve=resolve)
        assert isinstance(composed, dict)
        return {str(key): value for key, value in composed.items()}


@contextmanager
def _apart(store: ConfigStore | None = None) -> Iterator[None]:
    """Within, Hydra's state in this process is ours; outside it is the caller's, object for object.

    Hydra has one ConfigStore, one initialised application and one ``version_base`` for a process, and the process may
    be a user's own Hydra application.
    """
    import hydra.conf  # noqa: F401  what Hydra and its plugins register on import belongs to the caller's state

    with _LOCK:
        Plugins.instance()
        outside, resolvers = Singleton._instances, dict(BaseContainer._resolvers)
        own = {kind: instance for kind, instance in outside.items() if kind.__name__ in _SHARED}
        theirs = ConfigStore.instance()
        Singleton._instances = own
        try:
            if store is None:
                mine = ConfigStore.instance()
                mine.repo.update({name: entry for name, entry in theirs.repo.items() if _is_hydras(name, entry)})
            else:
                own[ConfigStore] = store
            yield
        finally:
            Singleton._instances = outside
            BaseContainer._resolvers.clear()
            BaseContainer._resolvers.update(resolvers)


def _is_hydras(name: str, entry: Any) -> bool:
    return name == "hydra" or getattr(entry, "provider", None) == "hydra"
