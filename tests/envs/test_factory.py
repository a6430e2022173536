from __future__ import annotations

import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from snnrl.envs import EnvConfig, VectorAtari, make_env, make_envs
from snnrl.errors import ConfigError


def test_an_id_gives_a_vector_that_resets_at_the_next_step() -> None:
    for env_id, kind in (("CartPole-v1", SyncVectorEnv), ("ALE/Pong-v5", VectorAtari)):
        envs = make_envs(env_id, 3)
        assert isinstance(envs, kind)
        assert envs.num_envs == 3
        assert envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
        envs.close()


def test_kwargs_reach_the_environment() -> None:
    config = EnvConfig("CartPole-v1", kwargs={"sutton_barto_reward": True})
    for recipe, reward in ((config, 0.0), (EnvConfig("CartPole-v1"), 1.0)):
        env, envs = make_env(recipe), make_envs(recipe, 2)
        env.reset(seed=0)
        envs.reset(seed=[0, 1])
        assert env.step(0)[1] == reward
        assert envs.step(np.zeros(2, dtype=np.int64))[1].tolist() == [reward, reward]


@pytest.mark.filterwarnings("ignore:.*is (-)?infinity:UserWarning")
def test_a_single_environment_keeps_gymnasiums_contract() -> None:
    check_env(make_env("CartPole-v1").unwrapped, skip_render_check=True)


def test_the_recipe_itself_is_left_alone() -> None:
    config = EnvConfig("CartPole-v1", kwargs={"sutton_barto_reward": True}, max_episode_steps=9)
    make_envs(config, 2)
    make_env(config)
    assert config.kwargs == {"sutton_barto_reward": True}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("Cartpole-v9", r"env.id=Cartpole-v9: no environment .* did you mean CartPole-v1"),
        ("CartPole", r"env.id=CartPole: no environment .* did you mean CartPole-v1"),
        ("SpaceInvaders-v5", r"env.id=SpaceInvaders-v5: .* did you mean ALE/SpaceInvaders-v5"),
        ("no_such_module:Maze-v0", r"env.id=no_such_module:Maze-v0: the module no_such_module cannot be imported"),
        (
            "gymnasium:Cartpole-v9",
            r"env.id=gymnasium:Cartpole-v9: .* did you mean CartPole-v1.* gymnasium was imported and did not register",
        ),
        ("Warehouse-v0", r"env.id=Warehouse-v0: no environment .* one of your own .* env.id=my_module:Warehouse-v0$"),
        ("ALE/SpaceInvader-v5", r"env.id=ALE/SpaceInvader-v5: no such Atari game; .* did you mean SpaceInvaders"),
        ("ALE/Pong-v4", r"env.id=ALE/Pong-v4: no such Atari game; an id reads ALE/<Game>-v5, did you mean Pong"),
        (
            EnvConfig("CartPole-v1", kwargs={"foo": 3}),
            r"env.kwargs=\{'foo': 3\}: must be arguments of CartPole-v1; .*foo",
        ),
        (EnvConfig("ALE/Pong-v5", kwargs={"full_action": 3}), r"env.kwargs.full_action=3: .* full_action_space"),
    ],
)
def test_what_cannot_be_made_is_named_with_what_is_right(config: EnvConfig | str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_envs(config, 2)
    with pytest.raises(ConfigError, match=message):
        make_env(config)


def test_a_module_before_the_id_is_imported() -> None:
    assert make_envs("gymnasium:CartPole-v1", 2).num_envs == 2


def test_numbers_out_of_range() -> None:
    with pytest.raises(ConfigError, match="num_envs=0: must be an integer of at least 1"):
        make_envs("CartPole-v1", 0)
    with pytest.raises(ConfigError, match="max_threads=-1: must be an integer of at least 0"):
        make_envs("CartPole-v1", 1, max_threads=-1)


@pytest.mark.parametrize(
    ("env", "extra", "package"), [("LunarLander-v3", "box2d", "Box2D"), ("Hopper-v5", "mujoco", "mujoco")]
)
def test_a_missing_package_is_named_with_its_remedy(
    env: str, extra: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.startswith((f"gymnasium.envs.{extra}", f"{package}."))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf'env.id={env}: .*pip install "snnrl\[{extra}\]"'):
        make_envs(env, 2)


def test_a_missing_package_of_somebody_elses_environment_keeps_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        gymnasium.registry, "Absent-v0", gymnasium.envs.registration.EnvSpec("Absent-v0", "no_such_package:Env")
    )
    with pytest.raises(ConfigError, match=r"env.id=Absent-v0: .*No module named 'no_such_package'"):
        make_env("Absent-v0")


def test_an_environments_own_type_error_is_not_blamed_on_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> gymnasium.Env[int, int]:
        raise TypeError("broken inside")

    monkeypatch.setitem(gymnasium.registry, "Broken-v0", gymnasium.envs.registration.EnvSpec("Broken-v0", broken))
    with pytest.raises(TypeError, match="broken inside"):
        make_env("Broken-v0")
