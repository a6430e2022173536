"""The yardstick: spiking networks trained by backpropagation through time with surrogate gradients."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnrl import noise
from snnrl.connections import Conv2d
from snnrl.encoders import BernoulliEncoder
from snnrl.errors import ConfigError, did_you_mean, require
from snnrl.kernels.counting import count_spikes
from snnrl.learners.adam import Adam
from snnrl.learners.base import Learner, Metrics
from snnrl.learners.modulated import check_numbers
from snnrl.neurons import LIF
from snnrl.settings import register
from snnrl.surrogate import SURROGATES
from snnrl.traces import decay_factor

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class BackpropConfig:
    """Recipe of :class:`BackpropLearner`; time in steps."""

    n_hidden: int = 512
    """Hidden neurons."""
    batch_size: int = 64
    """Images of one step of Adam."""
    encoding: str = "current"
    """``current``: a constant input current; ``poisson``: random spikes, an intensity of 1 firing at every step."""
    steps: int = 20
    """Length of a presentation."""
    tau: float = 5.0
    """Time constant of the membranes."""
    surrogate: str = "atan"
    """Shape of the surrogate gradient: ``atan``, ``sigmoid``, ``triangle`` or ``fast_sigmoid``."""
    learning_rate: float = 0.002
    """Of the first step; it falls linearly to 0."""
    jitter: int = 0
    """Pixels by which each image may be shifted while learning, up or down and left or right."""

    COUNTS: ClassVar[tuple[str, ...]] = ("n_hidden", "batch_size", "steps")

    def __post_init__(self) -> None:
        check_numbers(self, counts=self.COUNTS, positive=("learning_rate",), shares=())
        whole = isinstance(self.jitter, int) and not isinstance(self.jitter, bool) and self.jitter >= 0
        require(whole, "learner.jitter", self.jitter, "an integer of at least 0")
        require(self.encoding in ("current", "poisson"), "learner.encoding", self.encoding, "current or poisson")
        if self.surrogate not in SURROGATES:
            raise ConfigError(f"learner.surrogate={self.surrogate}: {did_you_mean(self.surrogate, SURROGATES)}")
        decay_factor(self.tau, setting="learner.tau")


class GradientLearner(Learner):
    """What is trained by gradient: cross-entropy of the readout, backpropagation through time, Adam.

    The readout integrates without leak, and its potential at the end is the logit (the readout of Bellec et al. 2020,
    Nat. Commun. 11:3625, without its leak). Surrogate gradients: Neftci, Mostafa & Zenke 2019, IEEE Signal Process.
    Mag. 36:51.
    """

    config: BackpropConfig
    adam: Adam

    def anneal(self, progress: float) -> None:
        self._remaining = 1 - progress

    def learn(self, images: Tensor, labels: Tensor) -> Metrics:
        return self.descend(self.present(self._shifted(images)), labels)

    def descend(self, shown: Tensor, labels: Tensor) -> Metrics:
        """One step of Adam.

        Args:
            shown: what :meth:`present` gives.
            labels: int64 ``[batch]``.
        """
        with torch.enable_grad():
            potential = self.potential(shown)
            loss = functional.cross_entropy(potential, labels)
            gradients = torch.autograd.grad(loss, self._trained())
        self.adam.step(gradients, self._remaining * self.config.learning_rate)
        right = (potential.detach().argmax(1) == labels).to(loss.dtype).mean()
        return {"train/loss": loss.detach(), "train/accuracy": right}

    @torch.no_grad()
    def predict(self, images: Tensor) -> Tensor:
        return self.potential(self.present(images)).argmax(1)

    def present(self, images: Tensor) -> Tensor:
        """Images, uint8 ``[batch, *shape]``, as input ``[events, batch, *shape]``: an event for each step, or one."""
        intensity = images.to(torch.get_default_dtype()) / 255
        if self.config.encoding == "current":
            return intensity.unsqueeze(0)
        spikes, _ = self._encoder(intensity, self._encoder.init_state(len(images)))
        shown: Tensor = spikes.unflatten(-1, self.shape)
        return shown

    def _shifted(self, images: Tensor) -> Tensor:
        """The images, each moved at random by up to ``jitter`` pixels; what comes in is black."""
        most = self.config.jitter
        if not most:
            return images
        corner = noise.integers(2 * most + 1, (2, len(images), 1, 1), images.device, self.generator)
        height, width = (torch.arange(size, device=images.device) for size in self.shape[1:])
        rows, columns = corner[0] + height[:, None], corner[1] + width
        padded = functional.pad(images, (most,) * 4)
        every = torch.arange(len(images), device=images.device)[:, None, None]
        return padded[every, :, rows, columns].permute(0, 3, 1, 2)

    @abstractmethod
    def potential(self, shown: Tensor) -> Tensor:
        """Potentials of the readout at the end ``[batch, classes]``."""

    def _prepare(self) -> None:
        """Make what the network's parameters are needed for."""
        self._encoder = BernoulliEncoder(self.inputs, sim_steps=self.config.steps, generator=self.generator)
        self._remaining = 1.0
        self.adam = Adam(self._trained())

    def _trained(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def _fire(self, neurons: LIF, current: Tensor) -> Tensor:
        """Spikes ``[steps, batch, ...]`` of currents ``[events, batch, ...]``; those of one event stay on."""
        steady = current.expand(self.config.steps, *current.shape[1:])
        spikes, _ = neurons.scan(steady, neurons.init_state(current.shape[1]))
        return spikes

    def _count(self, neurons: LIF, current: Tensor) -> Tensor:
        """How often each neuron ``[batch, n]`` fires for currents ``[events, batch, n]``, which may be written to."""
        window = neurons.window()
        counted = None if window is None else count_spikes(current.flatten(1), self.config.steps, window, reuse=True)
        return self._fire(neurons, current).sum(0) if counted is None else counted.view(current.shape[1:])

    def _neurons(self, shape: int | tuple[int, ...]) -> LIF:
        return LIF(shape, tau_mem=self.config.tau, decay_input=False, reset="soft", surrogate=self.config.surrogate)


@register("backprop")
class BackpropLearner(GradientLearner):
    """One hidden layer of LIF neurons.

    Args:
        shape: of one image, ``(channels, height, width)``.
        classes: how many labels there are.
        config: the settings.
        seed: of first weights and input spikes.
    """

    Config = BackpropConfig

    def __init__(self, shape: tuple[int, int, int], classes: int, config: BackpropConfig, seed: int) -> None:
        super().__init__(shape, classes, config, seed)
        self.hidden = _dense(self.inputs, config.n_hidden, self.generator)
        self.neurons = self._neurons(config.n_hidden)
        self.output = _dense(config.n_hidden, classes, self.generator, config.steps)
        self._prepare()

    def potential(self, shown: Tensor) -> Tensor:
        return cast(Tensor, self.output(self._count(self.neurons, self.hidden(shown.flatten(2)))))

    def figures(self, images: Tensor, labels: Tensor) -> Mapping[str, Figure]:
        from snnrl.learners.pictures import signed_fields

        title = "input weights of the first neurons"
        return {"receptive_fields": signed_fields(self.hidden.weight, self.shape, title)}


@dataclass(frozen=True)
class BackpropConvConfig(BackpropConfig):
    """Recipe of :class:`BackpropConvLearner`; time in steps."""

    n_hidden: int = 128
    """Neurons between the second convolution and the readout."""
    maps: int = 16
    """Of the first convolution."""
    maps_second: int = 32
    """Of the second convolution."""
    kernel: int = 5
    """Pixels, and places of the first convolution, across a kernel."""
    steps: int = 6
    """Length of a presentation."""

    COUNTS: ClassVar[tuple[str, ...]] = (*BackpropConfig.COUNTS, "maps", "maps_second", "kernel")


@register("backprop_conv")
class BackpropConvLearner(GradientLearner):
    """Two convolutions, of whose currents the highest of each field of 2 by 2 goes to a LIF, and a hidden layer.

    Args:
        shape: of one image, ``(channels, height, width)``.
        classes: how many labels there are.
        config: the settings.
        seed: of first weights and input spikes.

    Raises:
        ConfigError: images too small for the two kernels.
    """

    Config = BackpropConvConfig
    config: BackpropConvConfig

    def __init__(self, shape: tuple[int, int, int], classes: int, config: BackpropConvConfig, seed: int) -> None:
        super().__init__(shape, classes, config, seed)
        once = [(size - config.kernel + 1) // 2 for size in shape[1:]]
        twice = [(size - config.kernel + 1) // 2 for size in once]
        least = 3 * config.kernel - 1
        require(min(twice) > 0, "learner.kernel", config.kernel, f"small enough: images need {least} pixels at least")
        self.first = _conv(shape[0], config.maps, config.kernel, self.generator)
        self.first_neurons = self._neurons((config.maps, once[0], once[1]))
        self.second = _conv(config.maps, config.maps_second, config.kernel, self.generator)
        self.second_neurons = self._neurons((config.maps_second, twice[0], twice[1]))
        self.hidden = _dense(config.maps_second * math.prod(twice), config.n_hidden, self.generator)
        self.hidden_neurons = self._neurons(config.n_hidden)
        self.output = _dense(config.n_hidden, classes, self.generator, config.steps)
        self._prepare()

    def potential(self, shown: Tensor) -> Tensor:
        spikes = self._fire(self.first_neurons, _pooled(self.first(shown)))
        spikes = self._fire(self.second_neurons, _pooled(self.second(spikes)))
        return cast(Tensor, self.output(self._count(self.hidden_neurons, self.hidden(spikes.flatten(2)))))


def _pooled(current: Tensor) -> Tensor:
    """The highest of each 2 by 2 of ``[events, batch, maps, rows, columns]``."""
    pooled: Tensor = functional.max_pool2d(current.flatten(0, 1), 2).unflatten(0, current.shape[:2])
    return pooled


def _dense(pre: int, post: int, generator: torch.Generator, most: int = 1) -> nn.Linear:
    """All-to-all weights for inputs of up to ``most``; by postsynaptic neuron, as their gradient is fastest."""
    linear: nn.Linear = nn.utils.skip_init(nn.Linear, pre, post, bias=False)
    nn.init.normal_(linear.weight, std=1 / (most * math.sqrt(pre)), generator=generator)
    return linear


def _conv(pre: int, post: int, kernel: int, generator: torch.Generator) -> Conv2d:
    std = math.sqrt(2 / (pre * kernel**2))
    return Conv2d(pre, post, kernel, weight_std=std, trainable=True, generator=generator)
