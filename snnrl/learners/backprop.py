"""Spiking networks trained by backpropagation through time with surrogate gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnrl import noise
from snnrl.connections import Conv2d
from snnrl.encoders import BernoulliEncoder
from snnrl.errors import require
from snnrl.learners.adam import Adam
from snnrl.learners.base import Learner, Metrics, as_array
from snnrl.networks.layered import LayeredNetwork, LayerSettings
from snnrl.settings import Settings, register, setting
from snnrl.surrogate import SURROGATES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class BackpropConfig(Settings, section="learner"):
    """Recipe of :class:`BackpropLearner`; a simulation step is 1 ms."""

    n_hidden: int = setting(512, "hidden neurons", at_least=1)
    batch_size: int = setting(64, "images of one step of Adam", at_least=1)
    encoding: str = setting(
        "current",
        "current: a constant input current; poisson: random spikes, an intensity of 1 firing at every step",
        choices=("current", "poisson"),
    )
    sim_steps: int = setting(20, "simulation steps of a presentation", at_least=1)
    tau_mem: float = setting(5.0, "time constant of the membranes in ms", at_least=1)
    surrogate: str = setting(
        "atan", "shape of the surrogate gradient: atan, sigmoid, triangle or fast_sigmoid", choices=tuple(SURROGATES)
    )
    learning_rate: float = setting(0.002, "of the first step; it falls linearly to 0", above=0)
    jitter: int = setting(
        0, "pixels by which each image may be shifted while learning, up or down and left or right", at_least=0
    )


class GradientLearner(Learner):
    """A layered network and a readout, trained on the cross-entropy by backpropagation through time and Adam.

    The readout weighs the spikes of the last layer of a :class:`~snnrl.networks.layered.LayeredNetwork`. It integrates
    them without leak, and its potential at the end is the logit (the readout of Bellec et al. 2020, Nat. Commun.
    11:3625, without its leak). Surrogate gradients: Neftci, Mostafa & Zenke 2019, IEEE Signal Process. Mag. 36:51.
    """

    shares_rows = True
    config: BackpropConfig
    network: LayeredNetwork
    output: nn.Linear
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
        own = self.ranks.own(len(labels))
        mine = labels[own]
        with torch.enable_grad():
            potential = self.potential(shown[:, own])
            loss = functional.cross_entropy(potential, mine)
            own_gradients = torch.autograd.grad(loss, self._trained())
        right = (potential.detach().argmax(1) == mine).to(loss.dtype).mean()
        loss, right, *gradients = self.ranks.averaged((loss.detach(), right, *own_gradients), len(mine) / len(labels))
        self.adam.step(gradients, self._remaining * self.config.learning_rate)
        return {"train/loss": loss, "train/accuracy": right}

    @torch.no_grad()
    def predict(self, images: Tensor) -> Tensor:
        return self.potential(self.present(images)).argmax(1)

    @torch.no_grad()
    def read(self, images: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        shown = self.present(images)
        trains = self.network.spikes_of(shown)
        spikes = {f"hidden_{number}": train for number, train in enumerate(trains, start=1)}
        if len(shown) > 1:
            spikes = {"input": shown, **spikes}
        return self.potential(shown).argmax(1), spikes

    def present(self, images: Tensor) -> Tensor:
        """Images, uint8 ``[batch, *shape]``, as input ``[events, batch, *shape]``: an event for each step, or one."""
        intensity = images.to(torch.get_default_dtype()) / 255
        if self.config.encoding == "current":
            return intensity.unsqueeze(0)
        spikes: Tensor = self._encoder(intensity, self._encoder.init_state(len(images)))[0]
        return spikes.view(*spikes.shape[:-1], *self.shape)

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

    def potential(self, shown: Tensor) -> Tensor:
        """Potentials of the readout at the end ``[batch, classes]``; ``shown`` as :meth:`present` gives it."""
        return functional.linear(self.network.features(shown, write_out=True), self.output.weight)

    def _compose(self, synapses: Sequence[nn.Module], shapes: Sequence[int | tuple[int, ...]]) -> None:
        """Make the network of these synapses, with neurons of these shapes, and what is needed to train it."""
        config = self.config
        settings = LayerSettings(
            sim_steps=config.sim_steps,
            neuron="lif",
            tau_mem=config.tau_mem,
            surrogate=config.surrogate,
            readout="count",
        )
        self.network = LayeredNetwork.of(synapses, [settings.neurons(shape) for shape in shapes], settings)
        self.output = _dense(config.n_hidden, self.classes, self.generator, config.sim_steps)
        self._encoder = BernoulliEncoder(self.inputs, sim_steps=config.sim_steps, generator=self.generator)
        self._remaining = 1.0
        self.adam = Adam(self._trained())

    def _trained(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.parameters() if parameter.requires_grad]


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
        hidden = _dense(self.inputs, config.n_hidden, self.generator)
        self._compose([nn.Sequential(nn.Flatten(), hidden)], [config.n_hidden])

    def figures(self, images: Tensor, labels: Tensor) -> Mapping[str, Figure]:
        from snnrl.plot import signed_fields

        title = "input weights of the first neurons"
        weight = self.network.get_parameter("layers.0.synapses.1.weight")
        return {"receptive_fields": signed_fields(as_array(weight), self.shape, title)}


@dataclass(frozen=True)
class BackpropConvConfig(BackpropConfig):
    """Recipe of :class:`BackpropConvLearner`; a simulation step is 1 ms."""

    n_hidden: int = setting(128, "neurons between the second convolution and the readout", at_least=1)
    maps: int = setting(16, "of the first convolution", at_least=1)
    maps_second: int = setting(32, "of the second convolution", at_least=1)
    kernel: int = setting(5, "pixels, and places of the first convolution, across a kernel", at_least=1)
    sim_steps: int = setting(6, "simulation steps of a presentation", at_least=1)


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
        maps, second = config.maps, config.maps_second
        synapses = [
            nn.Sequential(_conv(shape[0], maps, config.kernel, self.generator), nn.MaxPool2d(2)),
            nn.Sequential(_conv(maps, second, config.kernel, self.generator), nn.MaxPool2d(2)),
            nn.Sequential(nn.Flatten(), _dense(second * math.prod(twice), config.n_hidden, self.generator)),
        ]
        self._compose(synapses, [(maps, once[0], once[1]), (second, twice[0], twice[1]), config.n_hidden])


def _dense(pre: int, post: int, generator: torch.Generator, most: int = 1) -> nn.Linear:
    """All-to-all weights for inputs of up to ``most``; by postsynaptic neuron, as their gradient is fastest."""
    linear: nn.Linear = nn.utils.skip_init(nn.Linear, pre, post, bias=False)
    nn.init.normal_(linear.weight, std=1 / (most * math.sqrt(pre)), generator=generator)
    return linear


def _conv(pre: int, post: int, kernel: int, generator: torch.Generator) -> Conv2d:
    std = math.sqrt(2 / (pre * kernel**2))
    return Conv2d(pre, post, kernel, weight_std=std, trainable=True, generator=generator)
