"""What every learner of labelled images offers to the trainer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from snnrl.agents.trainable import of_class, training
from snnrl.errors import ConfigError, require
from snnrl.ranks import ALONE, Ranks
from snnrl.settings import changed_settings
from snnrl.trajectory import About, Trace, of_images
from snnrl.types import Array, Setting, Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Metrics = Mapping[str, Tensor | float]
Batches = Iterable[tuple[Tensor, Tensor]]
"""Pairs of images, uint8 ``[batch, channels, height, width]``, and labels, int64 ``[batch]``."""


R = TypeVar("R")


def as_array(values: Tensor) -> Array:
    """A tensor from any device, for what draws."""
    return np.asarray(values.detach().cpu().numpy())


def _given_images(method: Callable[..., R]) -> Callable[..., R]:
    """The method, which refuses images that are not ``uint8 [batch, *shape]``: floats and NaN are no pixels."""

    @wraps(method)
    def checked(self: Learner, images: Tensor, *rest: object, **named: object) -> R:
        fits = images.dtype == torch.uint8 and images.shape[1:] == self.shape
        found = f"{images.dtype} of shape {tuple(images.shape)}"
        require(fits, "images", found, f"torch.uint8 of shape (batch, {', '.join(map(str, self.shape))})")
        return method(self, images, *rest, **named)

    return checked


class Learner(nn.Module, ABC):
    """A network that learns from labelled images, batch by batch.

    Training calls :meth:`anneal` and :meth:`learn` for every batch, and :meth:`calibrate` before predictions are
    wanted. Everything that lasts is in ``state_dict`` and in :attr:`generator`, from which all draws come through
    :mod:`snnrl.noise`; so a run that is resumed is the run that never stopped. Images and labels come on the learner's
    own device.

    A recipe names a learner and holds its settings: ``learner: {name: diehl_cook, n_neurons: 400, ...}``. On the
    command line they need no prefix: ``n_neurons=400``.

    Images that are no bytes, or of another shape, are refused by ``learn`` and ``predict`` with a ConfigError.

    Args:
        shape: of one image, ``(channels, height, width)``.
        classes: labels are ``0 .. classes - 1``.
        config: an instance of :attr:`Config`.
        seed: of the learner's randomness, its first weights among it.
    """

    Config: ClassVar[type]
    """A frozen dataclass, each field with a default of its type; it raises a ConfigError for ``learner.<field>``."""

    training_images: int = 60_000
    """Images that the whole run learns from, all passes counted; set by the task before the first."""

    shares_rows: ClassVar[bool] = False
    """Whether :meth:`learn` shares out the images of a batch over :attr:`ranks`."""

    ranks: Ranks = ALONE
    """The processes that train it together, each of which calls :meth:`learn` with the same whole batch."""

    run_settings: Settings | None = None
    """Those of the run that it was made for, its own among them; ``None`` where its class alone made it."""

    def __init__(self, shape: tuple[int, int, int], classes: int, config: Any, seed: int) -> None:
        super().__init__()
        self.shape, self.classes, self.config = shape, classes, config
        self.generator = torch.Generator().manual_seed(seed)

    def __init_subclass__(cls, **settings: Setting) -> None:
        """Put the check of images before whatever the subclass makes of them."""
        super().__init_subclass__(**settings)
        for name in ("learn", "predict", "read"):
            if name in vars(cls):
                setattr(cls, name, _given_images(vars(cls)[name]))

    @property
    def inputs(self) -> int:
        """Values of one image."""
        channels, height, width = self.shape
        return channels * height * width

    def batch_size(self, images_seen: int) -> int:
        """Images of the next batch, after ``images_seen`` of the whole run; the default is ``config.batch_size``."""
        return int(self.config.batch_size)

    @abstractmethod
    def learn(self, images: Tensor, labels: Tensor) -> Metrics:
        """Learn from a batch.

        Args:
            images: uint8 ``[batch, *shape]``.
            labels: int64 ``[batch]``.

        Returns:
            What is worth logging, keys as ``train/<name>``; values are averaged between two rows of the log.
        """

    def anneal(self, progress: float) -> None:
        """Told before each batch how much of the training is done, in [0, 1], so that schedules may follow."""
        return

    def calibrate(self, batches: Batches) -> None:
        """Find out what predictions need beyond the weights, such as the class that each neuron stands for.

        Called with training images alone: a part of them before an evaluation on the way, all of them at the end.
        Weights and thresholds stay as they are; what is found goes into buffers. The default needs nothing.
        """
        return

    @abstractmethod
    def predict(self, images: Tensor) -> Tensor:
        """Labels, int64 ``[batch]``, of images, uint8 ``[batch, *shape]``; nothing is learned."""

    def read(self, images: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """:meth:`predict`, and the spikes by which labels were found.

        Returns:
            The labels, and the spikes of each population ``[time, batch, neurons]`` by its name; none unless a learner
            says what they are.
        """
        return self.predict(images), {}

    def record(self, images: Tensor, labels: Tensor | None = None, *, max_bytes: int = 1 << 30) -> Trace:
        """Name images and keep what fired; nothing is learned, and later draws are those without it.

        Each row of the trace is an image: ``observations`` and ``frames`` are the images, ``actions`` the labels that
        were named, ``rewards`` 1 where one is right, and ``spikes`` of every population ``[images, steps, neurons]``.

        Args:
            images: uint8 ``[batch, *shape]``.
            labels: int64 ``[batch]``, if they are known.
            max_bytes: memory that the recording may take.

        Raises:
            ConfigError: images of another type or shape, or more than ``max_bytes``.
        """
        draws = self.generator.get_state()
        try:
            named, fired = self.read(images)
        finally:
            self.generator.set_state(draws)
        spikes = {name: as_array(each.transpose(0, 1).flatten(2)) != 0 for name, each in fired.items()}
        settings = self.run_settings or {}
        about = About(
            env=str(settings.get("dataset", "images")),
            agent=str(settings.get("learner", {}).get("name", type(self).__name__)),
            populations={name: [each.shape[-1]] for name, each in spikes.items()},
            sim_steps=max((each.shape[1] for each in spikes.values()), default=0),
        )
        right = None if labels is None else as_array(labels)
        return of_images(as_array(images), as_array(named), right, spikes, about, max_bytes)

    def save(self, path: str | Path) -> None:
        """Write settings, weights and generator into one file, which :meth:`load` and ``snnrl.load`` read.

        Args:
            path: the file; ``.pt`` is added where it has no suffix.

        Raises:
            ConfigError: the learner was made by its class alone, so that nothing says how to make it anew.
            OSError: the file cannot be written.
        """
        training().save(self, path)

    @classmethod
    def load(cls, path: str | Path, device: str = "auto", *, trust: bool = False) -> Self:
        """The learner that :meth:`save` wrote; no object in the file is unpickled.

        Args:
            path: the file, or the folder of a run.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:<n>``.
            trust: whether code may run that the file names, such as a learner ``my_module:MyLearner``.

        Raises:
            ConfigError: no such file, one that does not fit, or of a learner of another class.
            UntrustedCodeError: it names code that may not run.
        """
        return of_class(cls, training().load(path, env=None, device=device, trust=trust), path)

    def __repr__(self) -> str:
        """The learner's data set and settings in short."""
        if self.run_settings is None:
            return f"{type(self).__name__}(classes={self.classes})"
        chosen = changed_settings(self.Config, self.run_settings["learner"], limit=200)
        return f"{type(self).__name__}(dataset={self.run_settings['dataset']}{chosen})"

    def made_by(self) -> Settings:
        """:attr:`run_settings`.

        Raises:
            ConfigError: the learner was made by its class alone.
        """
        if self.run_settings is None:
            raise ConfigError(
                f"{type(self).__name__}: was made without a data set; must be that of a run, such as "
                "snnrl.train(experiment=...).learner"
            )
        return self.run_settings

    def figures(self, images: Tensor, labels: Tensor) -> Mapping[str, Figure]:
        """Pictures of what was learned, by name, for ``plot=true``; made without ``matplotlib.pyplot``.

        Args:
            images: a few, uint8 ``[batch, *shape]``, for those that show the network at work.
            labels: theirs, int64 ``[batch]``.
        """
        return {}
