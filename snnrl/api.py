"""What a program calls: train, evaluate, and what agents do by ``learn``, ``save`` and ``load``."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from snnrl.agent_files import save_agent
from snnrl.agents.trainable import Origin, Trainable
from snnrl.config import RunConfig
from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError, require
from snnrl.loading import (
    AnyEnv,
    agent_task,
    checked,
    compose,
    env_recipe,
    load,
    require_env,
    require_spaces,
    set_env,
    task_of,
)
from snnrl.recording import record as record_play
from snnrl.resuming import resumed_settings
from snnrl.settings import require_whole
from snnrl.training.callbacks import AnyCallback
from snnrl.training.device import leave_cores_to_environments
from snnrl.training.evaluation import Evaluation, Policy
from snnrl.training.evaluation import evaluate as play
from snnrl.training.run import Run
from snnrl.training.task import AnyTask
from snnrl.training.trainer import Trainer
from snnrl.trajectory import Trace
from snnrl.types import Setting, Settings
from snnrl.words import as_words

__all__ = ["Run", "Trainer", "evaluate", "learn", "load", "record", "save", "set_env", "train"]

save = save_agent


def train(
    env: AnyEnv | None = None,
    *,
    agent: str | Settings | Trainable | None = None,
    experiment: str | None = None,
    callback: AnyCallback = None,
    run_dir: str | Path | None = None,
    resume: str | Path | None = None,
    trust: bool = False,
    **settings: Setting,
) -> Run:
    """Train an agent in environments, or a learner on a data set, as ``python -m snnrl.train`` does.

    Nothing is written unless there is a ``run_dir``, which then holds all that the command writes. The same settings
    and seed give the same weights as the command, bit for bit.

    >>> import snnrl
    >>> run = snnrl.train("CartPole", env_steps=64, seed=1, eval={"episodes": 2}, progress="none")
    >>> len(run.evaluation.returns)
    2

    Args:
        env: a recipe's name, a registered Gymnasium id, an environment, a function that makes one, or a vector of
            environments with ``NEXT_STEP`` autoreset.
        agent: a recipe's name, settings in place of the recipe's, or an agent, which learns on.
        experiment: a recipe's name, such as ``mnist_unsupervised``.
        callback: a function ``(locals, globals) -> bool``, an object like stable-baselines3's ``BaseCallback``, or a
            list of these; ``False`` ends training.
        run_dir: the folder to write to, which must be new.
        resume: the folder of a run to go on with.
        trust: with ``resume``, whether code may run that the run's settings name.
        settings: as on the command line, such as ``env_steps=1000``; of a section as ``eval={"every": 500}``.

    Returns:
        The agent or learner, the summary, rows of metrics, and what the evaluation at the end found.

    Raises:
        ConfigError: a wrong setting.
        RunError: an environment that breaks its word, weights that have diverged, or a folder that cannot be written.
        KeyboardInterrupt: at Ctrl-C, after the step that is under way; a run with a folder is saved.
    """
    if "eval_env" in settings:
        raise ConfigError(
            "eval_env: evaluations of a run are played in fresh environments like env, or in copies of it; must be "
            "left out, and another environment is played in afterwards: snnrl.evaluate(run.agent, eval_env)"
        )
    if resume is not None:
        given = {"env": env, "agent": agent, "experiment": experiment, "run_dir": run_dir}
        own = None if env is None or isinstance(env, str) else env
        for key, value in given.items():
            require(value is None or value is own, key, value, "left out when a run is resumed")
        known = resumed_settings(Path(resume), as_words(settings), trust, elsewhere=own is not None)
        task = task_of(known, None if own is None else env_recipe(own, known["env"]))
        return _run(Trainer(task, resume, resume=True, callback=callback), task)
    if isinstance(agent, Mapping):
        settings = {**settings, **{f"agent.{key}": value for key, value in agent.items()}}
        agent = None
    name = agent if isinstance(agent, str) else None
    if agent is not None and name is None:
        for key, value in settings.items():
            require(not key.startswith("agent."), key, value, "left out, as the agent is there with its settings")
    composed, recipe = compose(env, name, experiment, settings if run_dir is None else {**settings, "run_dir": run_dir})
    if agent is None or isinstance(agent, str):
        task = task_of(composed, recipe)
        return _run(Trainer(task, run_dir, callback=callback), task, composed)
    composed["agent"] = agent.made_for().settings["agent"]
    config = checked(composed, recipe)
    assert isinstance(config, RunConfig)
    require_spaces(agent, config.env)
    agent.origin = Origin(composed, config.env)
    task = agent_task(str(config.agent["name"]))(config, agent)
    return _run(Trainer(task, run_dir, callback=callback, epoch=agent.epoch), task, composed)


def _run(trainer: Trainer, task: AnyTask, settings: Settings | None = None) -> Run:
    """Train; the agent knows afterwards what it was made for."""
    config = task.config
    if isinstance(config, RunConfig) and task.model.origin is None:
        task.model.origin = Origin(settings or config.resolved, config.env)
    with _one_thread(isinstance(config, RunConfig)):
        run = trainer.train()
    if isinstance(config, RunConfig):
        run.model.num_timesteps, run.model.epoch = run.steps, trainer.epoch
        run.model.history = list(run.history)
    if run.stopped_by is not None:
        signal.raise_signal(signal.Signals[run.stopped_by])
    return run


@contextmanager
def _one_thread(acts: bool) -> Iterator[None]:
    """As the command does it, leave the cores to the environments."""
    before = torch.get_num_threads()
    if acts:
        leave_cores_to_environments()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def learn(
    agent: Trainable,
    total_timesteps: int,
    callback: AnyCallback = None,
    log_interval: int | None = None,
    reset_num_timesteps: bool = True,
    progress_bar: bool = False,
) -> None:
    """Let an agent learn in its environments; see :meth:`snnrl.agents.Agent.learn`."""
    origin = require_env(agent, "agent.set_env(env)")
    require_whole("total_timesteps", total_timesteps)
    if log_interval is not None:
        require_whole("log_interval", log_interval)
    done = 0 if reset_num_timesteps else agent.num_timesteps
    settings = {
        **origin.settings,
        "env_steps": done + total_timesteps,
        "eval": {**origin.settings["eval"], "every": 0},
        "checkpoint": {"every": 0},
        "run_dir": None,
        "progress": "auto" if progress_bar else "none",
    }
    config = checked(settings, origin.env)
    assert isinstance(config, RunConfig)
    task = agent_task(str(config.agent["name"]))(config, agent, done)
    _run(Trainer(task, callback=callback, epoch=agent.epoch, log_every=log_interval, evaluate=False), task)


def evaluate(
    agent: Policy,
    env: AnyEnv | None = None,
    *,
    episodes: int = 100,
    seed: int | None = None,
    deterministic: bool | None = None,
    num_envs: int = 16,
) -> Evaluation:
    """Play full episodes with an agent, which learns nothing, as ``python -m snnrl.evaluate`` does.

    >>> import snnrl
    >>> snnrl.evaluate(snnrl.make_agent("CartPole"), episodes=3).returns.shape
    (3,)

    Args:
        agent: who plays; one of stable-baselines3's own algorithms can.
        env: as for :func:`train`; ``None`` is the one that the agent was made for.
        episodes: how many.
        seed: of the environments; ``None`` is the agent's own.
        deterministic: best actions rather than random ones; ``None`` is as in evaluations of its run.
        num_envs: environments played side by side.

    Raises:
        ConfigError: there is no such environment, its spaces are not the agent's, or a number is out of range.
    """
    require_whole("episodes", episodes)
    require_whole("num_envs", num_envs)
    recipe, own_seed, best = _played_in(agent, env, seed, deterministic, "snnrl.evaluate(agent, env)")
    return play(agent, recipe, episodes=episodes, seed=own_seed, deterministic=best, num_envs=num_envs)


def record(
    agent: Trainable,
    env: AnyEnv | None = None,
    *,
    deterministic: bool | None = None,
    seed: int | None = None,
    learn: bool = False,
    **settings: Setting,
) -> Trace:
    """Let an agent play and keep every decision; see :meth:`snnrl.agents.Agent.record`."""
    recipe, own_seed, best = _played_in(agent, env, seed, deterministic, "agent.record(env)")
    return record_play(
        agent, recipe, deterministic=deterministic if learn else best, seed=own_seed, learn=learn, **settings
    )


def _played_in(
    agent: Policy, env: AnyEnv | None, seed: int | None, deterministic: bool | None, cure: str
) -> tuple[EnvConfig, int, bool]:
    """Where somebody plays without training: the environment, its seed, and whether best actions are taken.

    Args:
        agent: who plays.
        env: as for :func:`train`; ``None`` is the one that the agent was made for.
        seed: ``None`` is the agent's own.
        deterministic: ``None`` is as in evaluations of its run.
        cure: a line of Python that gives an environment ``env``.

    Raises:
        ConfigError: there is no such environment, or its spaces are not the agent's.
    """
    origin: Origin | None = getattr(agent, "origin", None)
    if env is not None:
        recipe = env_recipe(env)
        if isinstance(agent, Trainable):
            require_spaces(agent, recipe, exactly=False)
    elif isinstance(agent, Trainable) and origin is not None:
        recipe = require_env(agent, cure).env
    else:
        raise ConfigError("env: the agent was made without an environment; must be given")
    settings = {} if origin is None else origin.settings
    if deterministic is None:
        own = settings["eval"].get("deterministic") if env is None else None
        deterministic = recipe.eval_deterministic if own is None else own
    return recipe, settings.get("seed", 0) if seed is None else seed, deterministic
