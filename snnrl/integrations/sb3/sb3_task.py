"""Training of stable-baselines3's algorithms by the runner: its logs, evaluations, checkpoints and exact resume."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import VecNormalize

from snnrl.config import RunConfig
from snnrl.envs import EnvConfig, env_seeds
from snnrl.integrations.sb3.agent import SB3Agent
from snnrl.integrations.sb3.building import agent_class, build, read_config
from snnrl.integrations.sb3.capacity import check_memory
from snnrl.training.device import choose_device
from snnrl.training.divergence import check_finite
from snnrl.training.environment_task import EnvironmentTask
from snnrl.training.task import Step, fit, read_checkpoint
from snnrl.training.trainer import Trainer


class SB3Task(EnvironmentTask):
    """An algorithm of stable-baselines3 that learns in a vector of environments.

    A step is what the algorithm does between two rounds of its ``learn``: gather, then train. At a checkpoint all
    episodes begin anew and the generators that the algorithm draws from are seeded by the number of the checkpoint, so
    that a resumed run is the same as one that was never stopped.

    Args:
        config: the settings.

    Raises:
        ConfigError: a wrong setting, or actions that the algorithm cannot take.
    """

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self.device = choose_device(config.device)
        check_memory(config, agent_class(config.agent), read_config(config.agent))
        self.model, self.envs = build(config.agent, config.env, config.num_envs, config.seed, self.device)
        self._log = Logger(None, [])
        self.model.model.set_logger(self._log)
        self._listener = _Listener(self)

    @classmethod
    def make_agent(
        cls, agent: Mapping[str, Any], env: EnvConfig, seed: int, device: torch.device
    ) -> SB3Agent[Any, Any]:
        """An untrained agent for an environment's recipe."""
        built = build(agent, env, 1, seed, device)
        built.envs.close()
        return built.agent

    @classmethod
    def load_agent(cls, config: RunConfig, run_dir: Path, checkpoint: str, device: str) -> SB3Agent[Any, Any]:
        """The trained agent of a run."""
        return load_sb3_agent(config, run_dir, checkpoint, device)

    @classmethod
    def runner(cls) -> type[SB3Runner]:
        """What trains it in a folder."""
        return SB3Runner

    def begin(self, epoch: int, steps: int) -> None:
        """Start fresh episodes, with draws of their own."""
        self.steps = steps
        algorithm = self.model.model
        (seed,) = env_seeds(self.config.seed, "train", epoch, 1)
        set_random_seed(seed)
        algorithm.action_space.seed(seed)
        self.envs.seed(seed % 2**31)
        algorithm._last_obs = None
        _, self._callback = algorithm._setup_learn(
            self.total - algorithm.num_timesteps, self._listener, reset_num_timesteps=False
        )
        if epoch == 0:
            for remark in self._remarks():
                print(remark, file=sys.stderr, flush=True)

    def _remarks(self) -> Iterator[str]:
        """What a user may not expect of the run that begins."""
        if any("action_mask" in info for info in self.envs.unwrapped.reset_infos):
            yield f"agent={self.config.agent['name']}: takes no notice of info['action_mask']; agent=rstdp does"
        yield from self.model.config.remarks(self.total, self.config.num_envs)

    def step(self) -> Step:
        """Gather experience, and learn from it."""
        algorithm = self.model.model
        before = algorithm.num_timesteps
        try:
            gathered = self.model.gather(self.envs, self._callback)
            self.model.optimise(gathered, self.total)
        except ValueError:  # how torch's distributions refuse the output of a network that has diverged
            check_finite(self.model, f"after {self.steps:,} {self.unit}")
            raise
        taken = algorithm.num_timesteps - before
        self.steps += taken
        metrics = {key: float(value) for key, value in self._log.name_to_value.items() if key.startswith("train/")}
        self._log.dump()
        return Step(taken, metrics)

    def payload(self) -> dict[str, Any]:
        saved = {**super().payload(), **self.model.learning_state()}
        if replayed := self.model.memory():
            saved["replay"] = replayed
        if isinstance(self.envs, VecNormalize):
            returns = self.envs.ret_rms
            saved["returns"] = [float(returns.mean), float(returns.var), float(returns.count)]
        return saved

    def restore(self, saved: Mapping[str, Any]) -> None:
        super().restore(saved)
        self.model.take_learning_state(saved)
        if "replay" in saved:
            self.model.take_memory(saved["replay"])
        if isinstance(self.envs, VecNormalize):
            returns = self.envs.ret_rms
            returns.mean, returns.var = (np.array(value) for value in saved["returns"][:2])
            returns.count = saved["returns"][2]

    def close(self) -> None:
        self.envs.close()


class _Listener(BaseCallback):
    """Takes down the episodes that end, which ``Monitor`` reports raw and whole."""

    def __init__(self, playing: EnvironmentTask) -> None:
        super().__init__()
        self._playing = playing

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            episode = info.get("episode")
            if isinstance(episode, dict) and episode.keys() >= {"r", "l"}:  # else something of the environment's own
                self._playing.note(float(episode["r"]), int(episode["l"]))
        return True


class SB3Runner(Trainer):
    """One training run of an algorithm of stable-baselines3 in one folder.

    Args:
        config: the settings.
        run_dir: the run's folder; made here once everything that can be wrong has been found right.
        resume: go on, see :class:`~snnrl.training.trainer.Trainer`.

    Raises:
        ConfigError: a wrong setting, or a checkpoint that does not fit.
    """

    def __init__(self, config: RunConfig, run_dir: Path, *, resume: bool | str = False) -> None:
        descending = SB3Task(config)
        super().__init__(descending, config, run_dir, resume=resume)
        self.agent = descending.model


def load_sb3_agent(
    config: RunConfig, run_dir: Path, checkpoint: str = "last", device: str = "auto"
) -> SB3Agent[Any, Any]:
    """The trained agent of a run.

    Args:
        config: the run's settings.
        run_dir: its folder.
        checkpoint: ``last``, ``best`` (by the evaluations while training), or a checkpoint's path.
        device: to put it on, whatever it was trained on.

    Raises:
        ConfigError: there is no such checkpoint, or it does not fit.
    """
    place = choose_device(device)
    agent, envs = build(config.agent, config.env, 1, config.seed, place)
    envs.close()
    return fit(agent, "agent", read_checkpoint(run_dir, checkpoint), place)
