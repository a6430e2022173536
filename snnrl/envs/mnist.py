"""Images to be named, as an environment: one image an episode, and nothing but reward tells whether it was right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from snnrl.datafiles import HELD_OUT, PREFIXES, data_files, data_folder, read_labelled
from snnrl.envs.types import VectorEnv
from snnrl.errors import ConfigError, did_you_mean, require
from snnrl.types import Action, Info, Observation, Setting

ENV_ID = "snnrl/MNIST-v0"


def load_split(dataset: str, split: str, data_dir: Path | None) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images ``[n, 1, height, width]`` and labels ``[n]``.

    Args:
        dataset: ``MNIST``, ``FashionMNIST``, ``KMNIST`` or ``EMNIST``.
        split: ``all`` training images, ``train`` (all but the last 10,000), ``validation`` (those) or ``test``.
        data_dir: the folder with the data sets; ``None`` is ``$SNNRL_DATA``, else a cache.

    Raises:
        ConfigError: an unknown data set or split, or files that are missing or damaged.
    """
    if dataset not in PREFIXES:
        raise ConfigError(f"env.kwargs.dataset={dataset}: there is no such data set; {did_you_mean(dataset, PREFIXES)}")
    known = ("all", "train", "validation", "test")
    require(split in known, "env.kwargs.split", split, f"one of {', '.join(known)}")
    files = data_files(dataset, data_folder(data_dir))
    chosen = files[2:] if split == "test" else files[:2]
    for path in chosen:
        if not path.is_file():
            raise ConfigError(
                f"env.kwargs.dataset={dataset}: {path} is missing; must be there (SNNRL_DATA names the folder), "
                f"and python -m snnrl.train experiment=mnist_unsupervised dataset={dataset} downloads it"
            )
    images, labels = read_labelled(chosen[0], chosen[1])
    part = {"train": slice(0, -HELD_OUT), "validation": slice(-HELD_OUT, None)}.get(split, slice(None))
    require(
        len(images[part]) > 0, "env.kwargs.split", split, f"all or test, as there are {len(images)} training images"
    )
    return images[part, None], labels[part].astype(np.int64)


class VectorMNIST(VectorEnv):
    """Images shown side by side; ``NEXT_STEP`` autoreset.

    An episode is one image: the action names its class, the reward is 1 if that is right and −1 if not, and then the
    screen is black. In training images are drawn at random; with ``in_order`` row ``i`` of ``n`` shows the images
    ``i, i + n, ...``, so that every image is shown once in as many episodes.

    Args:
        num_envs: images shown at a time.
        dataset: see :func:`load_split`, as for ``split`` and ``data_dir``.
        split: which images.
        data_dir: where they lie.
        in_order: show them one after the other.
    """

    def __init__(
        self,
        num_envs: int = 1,
        dataset: str = "MNIST",
        split: str = "all",
        data_dir: str | None = None,
        in_order: bool = False,
    ) -> None:
        images, labels = load_split(dataset, split, None if data_dir is None else Path(data_dir))
        self.images, self.labels, self.in_order = images, labels, in_order
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.single_observation_space = spaces.Box(0, 255, images.shape[1:], np.uint8)
        self.single_action_space = spaces.Discrete(int(labels.max()) + 1)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._shown = np.arange(num_envs) - num_envs
        self._ended = np.zeros(num_envs, dtype=np.bool_)

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Setting] | None = None
    ) -> tuple[Observation, Info]:
        """Show new images; ``seed`` may be one for all rows or a list of one for each."""
        first = seed[0] if isinstance(seed, Sequence) else seed
        super().reset(seed=first, options=options)
        if seed is not None or self.in_order:
            self._shown = np.arange(self.num_envs) - self.num_envs
        self._next(np.ones(self.num_envs, dtype=np.bool_))
        self._ended[:] = False
        return self.images[self._shown], {}

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], Info]:
        """Name the images; rows whose episode has ended show a new one instead."""
        begins = self._ended
        right = np.asarray(actions) == self.labels[self._shown]
        reward = np.where(begins, 0.0, np.where(right, 1.0, -1.0))
        self._next(begins)
        observation = self.images[self._shown]
        observation[~begins] = 0
        self._ended = ~begins
        return observation, reward, self._ended.copy(), np.zeros(self.num_envs, dtype=np.bool_), {}

    def _next(self, rows: NDArray[np.bool_]) -> None:
        """Choose the images of ``rows``."""
        count = len(self.images)
        if self.in_order:
            self._shown = np.where(rows, (self._shown + self.num_envs) % count, self._shown)
        else:
            self._shown = np.where(rows, self.np_random.integers(count, size=self.num_envs), self._shown)


class MNISTEnv(gymnasium.Env[NDArray[np.uint8], np.int64]):
    """One row of :class:`VectorMNIST`, which its user resets.

    Args:
        settings: of :class:`VectorMNIST`, besides ``num_envs``.
    """

    def __init__(self, **settings: Setting) -> None:
        self._rows = VectorMNIST(1, **settings)
        self.observation_space = self._rows.single_observation_space
        self.action_space = self._rows.single_action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Setting] | None = None) -> tuple[Observation, Info]:
        """Show a new image."""
        super().reset(seed=seed)
        observation, info = self._rows.reset(seed=seed, options=options)
        return observation[0], info

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, Info]:
        """Name the image."""
        observation, reward, terminated, _, info = self._rows.step(np.array([action]))
        return observation[0], float(reward[0]), bool(terminated[0]), False, info


if ENV_ID not in gymnasium.registry:
    gymnasium.register(ENV_ID, MNISTEnv, vector_entry_point=lambda **settings: VectorMNIST(**settings))
