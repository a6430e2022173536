"""From names, settings and files to tasks, agents and environments."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from snnrl import envs
from snnrl.agent_files import read_agent, read_saved, saved_file
from snnrl.agents import AGENTS
from snnrl.agents.trainable import Origin, Trainable
from snnrl.config import RunConfig, check_env, read_config, read_run
from snnrl.envs import EnvConfig, OwnEnv, OwnSource, StandIn, name_of
from snnrl.envs.types import Env, VectorEnv
from snnrl.errors import require
from snnrl.learners import LEARNERS
from snnrl.ranks import ALONE, Ranks
from snnrl.recipes import choice, compose_run
from snnrl.settings import read_named
from snnrl.spaces import alike, named
from snnrl.training.device import choose_device
from snnrl.training.environment_task import EnvironmentTask
from snnrl.training.supervised_config import SupervisedConfig
from snnrl.training.supervised_task import SupervisedTask
from snnrl.training.task import AnyTask, fit, read_checkpoint
from snnrl.tuning import changed, check_own
from snnrl.types import Setting, Settings
from snnrl.words import as_words

AnyConfig: TypeAlias = RunConfig | SupervisedConfig
AnyEnv: TypeAlias = str | OwnSource
"""An environment's recipe or registered id, an object, a function that makes one, or a vector of environments."""

__all__ = ["load", "make_agent", "make_env", "make_envs", "make_task", "read_config"]


def load(
    path: str | Path,
    checkpoint: str = "last",
    device: str = "auto",
    *,
    env: AnyEnv | None = None,
    trust: bool = False,
) -> Any:
    """The trained agent of a run or of a file, or the learner of a run on a data set, ready for ``predict``.

    Of an algorithm of stable-baselines3 the agent's ``model`` is SB3's own object.

    Args:
        path: the run's folder, or a file that ``save`` of an agent or a learner wrote, ``.pt`` left out or not.
        checkpoint: of a folder ``last``, ``best`` (by the evaluations while training), or a checkpoint's path.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:<n>``.
        env: that the agent learns on in; ``None`` is the one of its settings.
        trust: whether code may run that the settings name, such as an agent ``my_module:MyAgent``; what is imported
            already needs none.

    Raises:
        ConfigError: there is no such run or file, it names code that may not run, or the checkpoint does not fit.
    """
    file = saved_file(path)
    if file is not None:
        return _from_file(file, device, env, trust)
    run_dir, settings = read_run(path, "path", trust=trust, elsewhere=env is not None)
    config = checked(settings)
    if not isinstance(config, RunConfig):
        _refuse_env(env)
        return load_model(config, run_dir, checkpoint, device)
    learns_in = config.env if env is None else env_recipe(env, settings["env"])
    if env is not None:
        config = replace(config, env=StandIn.for_spaces(config.env, *envs.spaces_of(learns_in)))
    agent = load_model(config, run_dir, checkpoint, device)
    agent.origin = Origin(settings, learns_in)
    return agent


def _refuse_env(env: AnyEnv | None) -> None:
    require(env is None, "env", env, "left out, as a learner has no environment")


def _from_file(path: Path, device: str, env: AnyEnv | None, trust: bool) -> Any:
    """The agent of a file, whose spaces are in it, so that no environment is made; or the learner."""
    payload, settings = read_saved(path, trust)
    if "learner" in settings:
        _refuse_env(env)
        return SupervisedTask.load_model(SupervisedConfig.from_mapping(settings), payload, device)
    kept = read_agent(path, payload, settings)
    config = kept.config
    task = agent_task(str(config.agent["name"]))
    place = choose_device(device, task.cpu_because(config))
    bare = StandIn.for_spaces(config.env, kept.observation_space, kept.action_space)
    made = task.make_agent(config.agent, bare, config.seed, place)
    agent = fit(made, "agent", kept.payload, place)
    kept.restore(agent)
    agent.origin = Origin(kept.settings, config.env)
    if env is not None:
        set_env(agent, env)
    return agent


def load_model(config: AnyConfig, run_dir: Path, checkpoint: str = "last", device: str = "auto") -> Any:
    """What a run has trained, see :func:`load`; its settings are checked first."""
    if isinstance(config, RunConfig):
        read_named(AGENTS, config.agent, "agent")
    return task_type(config).load_model(config, read_checkpoint(run_dir, checkpoint), device)


def checked(settings: Settings, env: EnvConfig | None = None) -> AnyConfig:
    """The checked settings of a run.

    Args:
        settings: as :func:`~snnrl.recipes.compose_run` or a run's ``config.yaml`` give them.
        env: the environment, where it is another than the settings say.

    Raises:
        ConfigError: a wrong setting.
    """
    if "learner" in settings:
        return SupervisedConfig.from_mapping(settings)
    config = RunConfig.from_mapping(settings)
    return config if env is None else replace(config, env=env)


def task_type(config: AnyConfig) -> type[AnyTask]:
    """What trains what the settings describe.

    Raises:
        ConfigError: there is no agent of this name.
    """
    return SupervisedTask if isinstance(config, SupervisedConfig) else agent_task(str(config.agent["name"]))


def agent_task(name: str) -> type[EnvironmentTask[Trainable]]:
    """What trains the agents of a name.

    Raises:
        ConfigError: there is no agent of this name.
    """
    module, _, task = AGENTS.find(name, "agent.name").TASK.partition(":")
    kind = getattr(import_module(module), task)
    assert isinstance(kind, type)
    assert issubclass(kind, EnvironmentTask)
    return kind


def task_of(settings: Settings, env: EnvConfig | None = None, ranks: Ranks = ALONE) -> AnyTask:
    """The task that the settings of a run describe.

    Args:
        settings: as for :func:`checked`.
        env: as for :func:`checked`.
        ranks: the processes that train it together.

    Raises:
        ConfigError: a wrong setting, or one that the environment, the agent or the memory cannot take.
    """
    config = checked(settings, env)
    if isinstance(config, RunConfig):
        read_named(AGENTS, config.agent, "agent")
    else:
        read_named(LEARNERS, config.learner, "learner")
    return task_type(config)(config, ranks=ranks)


def make_task(
    env: AnyEnv | None = None, *, agent: str | None = None, experiment: str | None = None, **settings: Setting
) -> AnyTask:
    """What a :class:`~snnrl.training.trainer.Trainer` drives: environments and an agent, or a data set and a learner.

    Args:
        env: a recipe's name, a registered Gymnasium id, an environment, a function that makes one, or a vector of
            environments.
        agent: a recipe's name; ``None`` is the one that the environment's recipe names.
        experiment: a recipe's name.
        settings: as on the command line, such as ``env_steps=1000``; of a section as ``eval={"every": 500}``.

    Raises:
        ConfigError: a wrong setting.
    """
    return task_of(*compose(env, agent, experiment, settings))


def compose(
    env: AnyEnv | None, agent: str | None, experiment: str | None, settings: Settings
) -> tuple[dict[str, Setting], EnvConfig | None]:
    """The settings of a run, and its environment where that is an object or a function.

    Args:
        env: as for :func:`make_task`, as for the next ones.
        agent: a recipe.
        experiment: a recipe.
        settings: any others.

    Raises:
        ConfigError: a wrong setting.
    """
    given: Settings = {"agent": agent, "experiment": experiment}
    words = as_words({key: name for key, name in given.items() if name is not None})
    if isinstance(env, str):
        words.append(choice(env))
    elif env is not None:
        words.append(f"env.id={name_of(env)}")
        count = OwnEnv.of(EnvConfig("own"), env).counts
        if count is not None and "num_envs" not in settings:
            words.append(f"num_envs={count}")
    resolved = compose_run([*words, *as_words(settings)])
    if env is None or isinstance(env, str):
        return resolved, None
    require("env" in resolved, "experiment", experiment, "one that acts in environments, as env is given")
    return resolved, OwnEnv.of(EnvConfig.from_mapping(resolved["env"]), env)


def env_recipe(env: AnyEnv, known: Settings | None = None) -> EnvConfig:
    """The recipe of an environment.

    Args:
        env: as for :func:`make_task`.
        known: settings that environments of a program's own are learned in by.

    Raises:
        ConfigError: there is no such environment.
    """
    if isinstance(env, str):
        return EnvConfig.from_mapping(compose_run([choice(env)])["env"])
    return OwnEnv.of(EnvConfig.from_mapping(known or {"id": name_of(env)}), env)


def set_env(agent: Trainable, env: AnyEnv) -> None:
    """Let an agent learn in other environments; see :meth:`snnrl.agents.Agent.set_env`."""
    origin = agent.made_for()
    recipe = env_recipe(env, origin.settings["env"])
    require_spaces(agent, recipe)
    count = recipe.counts if isinstance(recipe, OwnEnv) else None
    agent.origin = Origin(origin.settings if count is None else {**origin.settings, "num_envs": count}, recipe)


def require_spaces(agent: Trainable, env: EnvConfig, *, exactly: bool = True) -> None:
    """Raise unless an environment has the spaces that an agent was made for.

    Args:
        agent: who acts.
        env: the environment's recipe.
        exactly: whether bounds and dtypes have to be the same too, as for learning.
    """
    for found, own in zip(envs.spaces_of(env), (agent.observation_space, agent.action_space), strict=True):
        fits = found == own if exactly else alike(found, own)
        require(fits, "env", env.id, f"one with the agent's {named(own)}; it has {named(found)}")


def require_env(agent: Trainable, cure: str) -> Origin:
    """What an agent was made for; its environment can be made again.

    Args:
        agent: of whom that is asked.
        cure: a line of Python that gives it an environment ``env``.

    Raises:
        ConfigError: the environment was an object, of which a file knows the name alone.
    """
    origin = agent.made_for()
    if not isinstance(origin.env, OwnEnv):
        check_env(origin.settings, type(agent).__name__, cure)
    return origin


def make_envs(env: str, num_envs: int) -> VectorEnv:
    """Environments stepped together, as training sees them.

    Args:
        env: a recipe's name, such as ``SpaceInvaders``, or a registered Gymnasium id.
        num_envs: how many.
    """
    return envs.make_envs(env_recipe(env), num_envs)


def make_env(env: str, render_mode: str | None = None) -> Env:
    """One environment, as training sees it.

    Args:
        env: a recipe's name or a registered Gymnasium id.
        render_mode: as in ``gymnasium.make``.
    """
    return envs.make_env(env_recipe(env), render_mode)


def make_agent_for(env: EnvConfig, agent: Settings, seed: int = 0, device: str = "cpu") -> Trainable:
    """An untrained agent, of any kind, for an environment's recipe."""
    return agent_task(str(agent["name"])).make_agent(agent, env, seed, choose_device(device))


def make_agent(
    env: AnyEnv, agent: str | None = None, seed: int = 0, device: str = "cpu", **settings: Setting
) -> Trainable:
    """An untrained agent for an environment, which ``learn`` trains.

    Args:
        env: a recipe's name, a registered Gymnasium id, an environment, a function that makes one, or a vector of
            environments.
        agent: a recipe's name; ``None`` is the one that the environment's recipe names.
        seed: of the agent's randomness, and of the environments that it learns in.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:<n>``.
        settings: of the agent, in place of the recipe's.

    Raises:
        ConfigError: there is no such environment or agent, or a setting is wrong.
    """
    composed, own = compose(env, agent, None, {"seed": seed, "device": device})
    check_own(settings)
    composed["agent"] = changed(composed["agent"], settings)
    recipe = EnvConfig.from_mapping(composed["env"]) if own is None else own
    made = make_agent_for(recipe, composed["agent"], seed, device)
    made.origin = Origin(composed, recipe)
    return made
