"""From a recipe to environments; what is wrong with it is said before anything is created."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import DependencyNotInstalled
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from snnrl.envs.atari import AtariEnv, VectorAtari, atari_game
from snnrl.envs.checked import Checked, numbered
from snnrl.envs.config import ATARI_PREFIX, AtariConfig, EnvConfig
from snnrl.envs.emulator import IdleStart, emulator_arguments
from snnrl.envs.masks import with_masks
from snnrl.envs.minatar import MINATAR_PREFIX, register_minatar
from snnrl.envs.mnist import MNISTEnv, VectorMNIST
from snnrl.envs.own import OwnEnv
from snnrl.envs.types import Env, VectorEnv, Wrapper
from snnrl.errors import ConfigError, RunError, did_you_mean, near, one_line, require
from snnrl.spaces import Space
from snnrl.types import Setting

_ATARI_KWARGS = ("full_action_space", "obs_type")
_EXTRAS = ("box2d", "mujoco")
"""Folders of Gymnasium's environments whose packages are extras of the same name."""

_NO_SPACE = (
    *("space does not inherit from `gymnasium.spaces.Space`", "must specify an observation space"),
    "must specify an action space",
)
"""What Gymnasium says of an environment without one of its spaces."""
_OBS_TYPES = ("grayscale", "ram", "rgb")


def make_envs(config: EnvConfig | str, num_envs: int, *, max_threads: int = 0, device: str = "cpu") -> VectorEnv:
    """Environments that are stepped together; one that has ended is reset by the next step (``NEXT_STEP``).

    Atari games are :class:`~snnrl.envs.atari.VectorAtari`, with ``env.backend=torch`` the environments are
    :class:`~snnrl.envs.classic_control.TorchVectorEnv`, images :class:`~snnrl.envs.mnist.VectorMNIST`, anything else
    Gymnasium's ``SyncVectorEnv``. All take ``reset(seed=env_seeds(...))``. What an environment says by a method
    ``action_masks()`` is in ``info["action_mask"]``.

    Args:
        config: a recipe, or a registered Gymnasium id for a recipe of defaults.
        num_envs: number of environments, at least 1; a recipe's own ``num_envs`` is for the caller to pass.
        max_threads: threads that step Atari games, 0 for as many as there are cores.
        device: where environments are that are computed in torch.

    Raises:
        ConfigError: an unknown id, wrong ``env.kwargs``, a package that is not installed, or a number out of range.
        RunError: an environment without spaces.
    """
    require(num_envs >= 1, "num_envs", num_envs, "an integer of at least 1")
    require(max_threads >= 0, "max_threads", max_threads, "an integer of at least 0")
    config = EnvConfig(config) if isinstance(config, str) else config
    if isinstance(config, OwnEnv):
        return config.make_vector(num_envs)
    given = _arguments(config)
    if config.shows_frames:
        return VectorAtari(num_envs=num_envs, max_threads=max_threads, **given)
    spec = _registered(config.id)
    if config.backend == "torch":
        from snnrl.envs.classic_control import make_torch_envs

        with _construction(config, spec):
            return make_torch_envs(config.id, num_envs, device, given)
    if spec.entry_point is MNISTEnv:
        with _construction(config, spec):
            return VectorMNIST(num_envs, **config.kwargs)
    with _construction(config, spec):
        envs = gymnasium.make_vec(
            config.id,
            num_envs=num_envs,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": AutoresetMode.NEXT_STEP},
            wrappers=_wrappers(config),
            **given,
        )
    assert isinstance(envs, SyncVectorEnv)
    numbered(envs.envs)
    return envs


def make_env(config: EnvConfig | str, render_mode: str | None = None, row: int = 0) -> Env:
    """One environment, which its user resets, for evaluation and videos.

    Args:
        config: a recipe, or a registered Gymnasium id for a recipe of defaults.
        render_mode: as in ``gymnasium.make``; an Atari game has ``rgb_array``. An environment of a program's own draws
            as it was made to.
        row: its place among those that are stepped together.

    Raises:
        ConfigError: an unknown id, wrong ``env.kwargs``, or a package that is not installed.
        RunError: an environment without spaces.
    """
    config = EnvConfig(config) if isinstance(config, str) else config
    if isinstance(config, OwnEnv):
        return config.make(row)
    given = _arguments(config)
    if config.shows_frames:
        return AtariEnv(render_mode=render_mode, **given)
    spec = _registered(config.id)
    rendering: dict[str, Setting] = {} if render_mode is None else {"render_mode": render_mode}
    with _construction(config, spec):
        env: Env = gymnasium.make(config.id, **rendering, **given)
        for wrapper in _wrappers(config):
            env = wrapper(env)
        return env


def registered_ids() -> list[str]:
    """Every id that Gymnasium has registered."""
    return sorted(str(name) for name in gymnasium.registry)


def check_registered(config: EnvConfig) -> None:
    """Raise unless the environment of a recipe is registered; it is not made.

    Raises:
        ConfigError: an unknown id, or a module that cannot be imported.
    """
    if isinstance(config, OwnEnv):
        return
    if config.shows_frames:
        atari_game(config.id)
    else:
        _registered(config.id)


def spaces_of(config: EnvConfig) -> tuple[Space, Space]:
    """The spaces of observations and of actions of one environment.

    Raises:
        ConfigError: as :func:`make_envs`, as for the next one.
        RunError: an environment without spaces.
    """
    if isinstance(config, OwnEnv):
        return config.spaces
    envs = make_envs(config, 1)
    envs.close()
    return envs.single_observation_space, envs.single_action_space


def _arguments(config: EnvConfig) -> dict[str, Setting]:
    """What the environment is made from, besides its id."""
    if config.is_atari:
        return _atari_arguments(config)
    if config.max_episode_steps is None:
        return config.kwargs
    return {**config.kwargs, "max_episode_steps": config.max_episode_steps}


def _atari_arguments(config: EnvConfig) -> dict[str, Setting]:
    for key, value in config.kwargs.items():
        if key not in _ATARI_KWARGS:
            hint = did_you_mean(key, _ATARI_KWARGS)
            raise ConfigError(f"env.kwargs.{key}={value}: there is no such setting of an Atari game; {hint}")
    seen = config.kwargs.get("obs_type", "grayscale")
    require(seen in _OBS_TYPES, "env.kwargs.obs_type", seen, f"one of {', '.join(_OBS_TYPES)}")
    game, played, limit = atari_game(config.id), config.atari or AtariConfig(), config.max_episode_steps
    if not config.shows_frames:
        return {**emulator_arguments(played, limit), **config.kwargs}
    settings = {key: value for key, value in config.kwargs.items() if key != "obs_type"}
    return {"game": game, "config": played, "max_episode_steps": limit, **settings}


def _wrappers(config: EnvConfig) -> list[Callable[[Env], Wrapper]]:
    """What lies around each environment, from the inside."""
    if config.is_atari:
        return [Checked, partial(IdleStart, config=config.atari or AtariConfig())]
    return [_checked]


def _checked(env: Env) -> Checked:
    return Checked(with_masks(env))


def _registered(env_id: str) -> EnvSpec:
    """What Gymnasium has registered under an id, after importing the module of a ``module:Id-v0``."""
    module, _, name = env_id.rpartition(":")
    if ":" in env_id:
        named = all(part.isidentifier() for part in module.split("."))
        require(named, "env.id", env_id, "module:Id, whose module is one that can be imported by its full name")
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise ConfigError(f"env.id={env_id}: the module {module} cannot be imported ({error})") from error
    if name.startswith(MINATAR_PREFIX):
        register_minatar(env_id)
    spec = gymnasium.registry.get(name)
    if spec is None:
        known = [
            other.id
            for other in gymnasium.registry.values()
            if other.id.startswith(ATARI_PREFIX) or not str(other.entry_point).startswith("ale_py")
        ]
        hint = near(name, known, count=5)
        if module:
            own = f"{module} was imported and did not register it"
        else:
            own = f"one of your own is named with the module that registers it, env.id=my_module:{name}"
        raise ConfigError(f"env.id={env_id}: no environment is registered under this id; {f'{hint} {own}'.strip()}")
    return spec


@contextmanager
def _construction(config: EnvConfig, spec: EnvSpec) -> Iterator[None]:
    """Tell what a recipe can mend from other errors while its environment is created."""
    try:
        yield
    except ConfigError:  # which says all there is to say
        raise
    except (DependencyNotInstalled, ImportError) as error:
        extra = next((name for name in _EXTRAS if f".{name}" in str(spec.entry_point)), None)
        remedy = str(error) if extra is None else f'install it by `pip install "snnrl[{extra}]"`'
        raise ConfigError(f"env.id={config.id}: needs a package that is not installed; {remedy}") from error
    except SystemExit as error:
        raise RunError(f"env.id={config.id}: called sys.exit({error.code!r}) when it was made") from error
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        if any(words in str(error) for words in _NO_SPACE):
            raise RunError(f"env.id={config.id}: {one_line(error)}") from error
        if isinstance(error, AttributeError) or not config.kwargs:
            raise
        what = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"env.kwargs={config.kwargs}: must be arguments of {config.id}; {what}") from error
