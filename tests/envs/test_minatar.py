"""MinAtar's games, which are optional."""

from __future__ import annotations

import importlib.util
import sys

import gymnasium
import numpy as np
import pytest

import snnrl
from snnrl.encoders import BlobEncoder
from snnrl.envs import make_env, make_envs
from snnrl.envs.minatar import MINATAR_PREFIX
from snnrl.errors import ConfigError

INSTALLED = pytest.mark.skipif(importlib.util.find_spec("minatar") is None, reason="minatar is not installed")
LAYERS = {"Asterix": 4, "Breakout": 4, "Freeway": 7, "Seaquest": 10, "SpaceInvaders": 6}


def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nobody had asked for a game yet."""
    for name in [name for name in gymnasium.registry if name.startswith(MINATAR_PREFIX)]:
        monkeypatch.delitem(gymnasium.registry, name)


def test_the_package_that_is_missing_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten(monkeypatch)
    monkeypatch.setitem(sys.modules, "minatar.gym", None)
    with pytest.raises(ConfigError, match=r'env.id=MinAtar/Breakout-v1: .*pip install "snnrl\[minatar\]"'):
        make_envs("MinAtar/Breakout-v1", 2)


@INSTALLED
@pytest.mark.parametrize("game", LAYERS)
def test_every_game_is_found_when_it_is_asked_for(game: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten(monkeypatch)
    envs = make_envs(f"MinAtar/{game}-v1", 2)
    observation, _ = envs.reset(seed=[1, 2])
    assert observation.shape == (2, 10, 10, LAYERS[game])
    assert observation.dtype == np.bool_
    envs.close()
    env = make_env(f"MinAtar/{game}-v1")
    env.reset(seed=1)
    env.step(env.action_space.sample())
    env.close()


@INSTALLED
def test_a_game_that_does_not_exist_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"env.id=MinAtar/Brekout-v1: .*did you mean MinAtar/Breakout-v1"):
        make_envs("MinAtar/Brekout-v1", 1)


@INSTALLED
def test_a_game_is_learned_by_its_id_alone_and_is_seen_by_its_cells() -> None:
    run = snnrl.train(
        "MinAtar/SpaceInvaders-v1", env_steps=64, num_envs=2, eval={"episodes": 1, "every": 0}, progress="none"
    )
    encoder = run.agent.network.encoder
    assert isinstance(encoder, BlobEncoder)
    assert (encoder.layers, encoder.height, encoder.width) == (6, 10, 10)
