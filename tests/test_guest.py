"""Recipes compose inside a process that uses Hydra itself, and leave its state as it was, object for object."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hydra import compose, initialize
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from omegaconf import OmegaConf

from snnrl.errors import ConfigError
from snnrl.recipes import _KEPT, compose_run


@pytest.fixture(autouse=True)
def users_own_state() -> Iterator[None]:
    """What is kept of recipes is forgotten, and Hydra's state is put back."""
    _KEPT.clear()
    instances, repo = dict(Singleton._instances), everything(ConfigStore.instance())
    yield
    Singleton._instances.clear()
    Singleton._instances.update(instances)
    ConfigStore.instance().repo = repo


def own_store() -> ConfigStore:
    """A user's configurations, in groups of the names that ours have."""
    store = ConfigStore.instance()
    for group in ("env", "agent", "experiment"):
        store.store(group=group, name="CartPole", node={"mine": group})
    store.store(name="snnrl", node={"defaults": ["_self_", {"env": "CartPole"}], "mine": True})
    return store


def everything(store: ConfigStore) -> dict[str, Any]:
    return {name: dict(entry) if isinstance(entry, dict) else entry for name, entry in store.repo.items()}


def test_an_initialised_application_and_its_configurations_are_left_alone() -> None:
    expected = compose_run(["env=CartPole", "seed=3"])
    _KEPT.clear()
    store = own_store()
    before = everything(store)
    with initialize(version_base="1.2", config_path=None):
        application = GlobalHydra.instance().hydra
        instances = dict(Singleton._instances)
        assert compose_run(["env=CartPole", "seed=3"]) == expected
        with pytest.raises(ConfigError):
            compose_run(["env=CartPole", "seed=${nothing}"])
        assert dict(Singleton._instances) == instances
        assert GlobalHydra.instance().hydra is application
        assert ConfigStore.instance() is store
        assert everything(store) == before
        assert compose("snnrl").env.mine == "env"


def test_resolvers_of_the_users_own_stay() -> None:
    OmegaConf.register_new_resolver("now", lambda: "mine", replace=True)
    try:
        compose_run(["env=CartPole"])
        assert OmegaConf.create({"a": "${now:}"}).a == "mine"
    finally:
        OmegaConf.clear_resolver("now")


def test_without_an_application_none_is_left_behind() -> None:
    GlobalHydra.instance().clear()
    compose_run(["env=CartPole"])
    assert not GlobalHydra.instance().is_initialized()
    assert "env" not in ConfigStore.instance().repo
    with initialize(version_base="1.3", config_path=None):
        assert compose(overrides=["+a=1"]).a == 1


def test_threads_compose_at_the_same_time() -> None:
    seeds: list[int] = []
    threads = [
        threading.Thread(target=lambda seed=seed: seeds.append(compose_run(["env=CartPole", f"seed={seed}"])["seed"]))
        for seed in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seeds) == [0, 1, 2, 3]
