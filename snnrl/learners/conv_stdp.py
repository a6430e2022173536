"""Convolutional features learned by STDP without labels, and a readout taught by the delta rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from snnrl.connections import Conv2d
from snnrl.errors import require
from snnrl.kernels import count_each
from snnrl.kernels.first_spikes import earliest_winners, first_spikes
from snnrl.learners.base import Learner, Metrics, as_array
from snnrl.learners.contrast import ContrastLatency
from snnrl.learners.modulated import ErrorReadout, error_probability
from snnrl.plasticity import FirstSpikeSTDP
from snnrl.settings import Settings, register, setting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEATURE_SHARE = 0.25
"""Of all training images, at most so many are spent on features alone."""


@dataclass(frozen=True)
class ConvSTDPConfig(Settings, section="learner"):
    """Recipe of :class:`ConvSTDPLearner`; a simulation step is 1 ms."""

    maps: int = setting(64, "features", at_least=1)
    kernel: int = setting(5, "pixels across a feature", at_least=1)
    sim_steps: int = setting(15, "simulation steps of a presentation", at_least=1, at_most=255)
    feature_images: int = setting(
        6000, "images from which features are learned, before the readout learns; a quarter of all at most", at_least=1
    )
    feature_batch: int = setting(8, "images between two changes of the features", at_least=1)
    potentiation: float = setting(0.04, "of synapses whose input fired before the neuron", above=0, below=1)
    depression: float = setting(0.03, "of the others", above=0, below=1)
    winners: int = setting(5, "neurons of an image that learn", at_least=1)
    radius: int = setting(2, "places around a winner in which no other learns", at_least=0)
    threshold: float = setting(12.0, "of the first images, in units of a synapse's highest weight", above=0)
    threshold_gain: float = setting(
        0.05, "growth of a threshold for each win above the average of the maps", at_least=0
    )
    spikes_per_place: int = setting(5, "neurons of a place that fire", at_least=1)
    pool: int = setting(4, "places across a pooled field", at_least=1)
    batch_size: int = setting(100, "images between two changes of the readout", at_least=1)
    gain: float = setting(10.0, "steepness of the competition of the output neurons, in 1 / potential", above=0)
    learning_rate: float = setting(2.0, "of the readout; it falls linearly to 0", above=0)
    momentum: float = setting(0.9, "what is left of the readout's eligibility after a batch", at_least=0, below=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.spikes_per_place <= self.maps, "spikes_per_place", f"at most maps ({self.maps})")


@register("conv_stdp")
class ConvSTDPLearner(Learner):
    """Contrast, a convolution whose kernels learn by STDP, pooling, and a readout taught by the delta rule.

    After Kheradpisheh, Ganjtabesh, Thorpe & Masquelier (2018, Neural Networks 99:56). Every neuron fires at most once;
    the first images teach the kernels, and the earliest neurons of each image learn:

        dw = potentiation w (1 - w) if the input fired no later than the neuron, else -depression w (1 - w)

    (their eq. 4; :class:`~snnrl.plasticity.FirstSpikeSTDP`), with a threshold for each map that grows with its wins
    above the average (as in Falez, Tirilly, Bilasco, Devienne & Boulet 2019, IJCNN, "Multi-layered spiking neural
    network with target timestamp threshold adaptation and STDP"). Then kernels stand still, ``spikes_per_place``
    neurons of each place fire, and a synapse that depresses with use passes ``n`` spikes of a pooled field on as
    ``sqrt(n)``; the readout sees these, scaled to norm 1.

    Args:
        shape: of one image, ``(channels, height, width)``.
        classes: how many labels there are.
        config: the settings.
        seed: of the first weights.

    Raises:
        ConfigError: images smaller than a kernel.
    """

    Config = ConvSTDPConfig
    shares_rows = True
    config: ConvSTDPConfig
    threshold: Tensor
    seen: Tensor

    def __init__(self, shape: tuple[int, int, int], classes: int, config: ConvSTDPConfig, seed: int) -> None:
        super().__init__(shape, classes, config, seed)
        rows, columns = (size - config.kernel + 1 for size in shape[1:])
        require(min(rows, columns) > 0, "learner.kernel", config.kernel, f"at most {min(shape[1:])}, as images are")
        self.contrast = ContrastLatency(sim_steps=config.sim_steps)
        first = torch.randn((2, config.kernel, config.kernel, config.maps), generator=self.generator)
        first = (0.8 + 0.05 * first).clamp_(0.01, 0.99).permute(3, 0, 1, 2)
        self.synapses = Conv2d(2, config.maps, config.kernel, weight=first, bounds=(0.0, 1.0))
        self.rule = FirstSpikeSTDP(a_plus=config.potentiation, a_minus=config.depression)
        self.register_buffer("threshold", torch.full((config.maps,), float(config.threshold)))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        fields = -(-rows // config.pool) * -(-columns // config.pool)
        self.readout = ErrorReadout(config.maps * fields, classes, config.gain, config.momentum, self.generator)
        self._remaining = 1.0

    def batch_size(self, images_seen: int) -> int:
        return self.config.feature_batch if images_seen < self._feature_images else self.config.batch_size

    def anneal(self, progress: float) -> None:
        self._remaining = 1 - progress

    def learn(self, images: Tensor, labels: Tensor) -> Metrics:
        learning_features = int(self.seen) < self._feature_images
        self.seen += len(images)
        if learning_features:
            return self._learn_features(images)
        (activity,) = self.ranks.by_rows(lambda own: (self.features(images[own]),), len(images))
        error = self.readout.error(activity, labels)
        self.readout.learn(activity, error, self._remaining * self.config.learning_rate)
        return {"train/error": error_probability(error)}

    def predict(self, images: Tensor) -> Tensor:
        return self.readout(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """What the readout sees of images uint8 ``[batch, *shape]``: ``[batch, maps * fields]``, of norm 1 or 0."""
        return self._pooled(self._first_spikes(images))

    def read(self, images: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        fired = self._first_spikes(images)
        spikes = torch.stack([fired == step for step in range(self.config.sim_steps)])
        return self.readout(self._pooled(fired)), {"features": spikes.permute(0, 1, 4, 2, 3).flatten(2)}

    def _first_spikes(self, images: Tensor) -> Tensor:
        """The step of each neuron's spike ``[batch, height, width, maps]``, ``sim_steps`` for none."""
        config = self.config
        contrast = self.contrast(images)
        return first_spikes(contrast, self.synapses.weight, self.threshold, config.sim_steps, config.spikes_per_place)[
            0
        ]

    def _pooled(self, fired: Tensor) -> Tensor:
        spikes = (fired < self.config.sim_steps).permute(0, 3, 1, 2).to(self.synapses.weight.dtype)
        pooled = functional.avg_pool2d(spikes, self.config.pool, ceil_mode=True).sqrt_()
        return functional.normalize(pooled.flatten(1), dim=1)

    def figures(self, images: Tensor, labels: Tensor) -> Mapping[str, Figure]:
        from snnrl.plot import signed_fields

        on_minus_off = (self.synapses.weight[:, 0] - self.synapses.weight[:, 1]).flatten(1)
        size = self.config.kernel
        title = "features: on-centre less off-centre weights"
        return {"features": signed_fields(as_array(on_minus_off), (1, size, size), title)}

    @property
    def _feature_images(self) -> int:
        return min(self.config.feature_images, int(FEATURE_SHARE * self.training_images))

    def _learn_features(self, images: Tensor) -> Metrics:
        config = self.config
        latency = self.contrast(images)
        weight, threshold = self.synapses.weight, self.threshold
        fired, margin = self.ranks.by_rows(
            lambda own: first_spikes(latency[own], weight, threshold, config.sim_steps, 1), len(images)
        )
        found = earliest_winners(fired, margin, config.sim_steps, config.winners, config.radius)
        self.synapses.apply_(self.rule.of_winners(self.synapses, latency, found))
        chosen, step = found[:, 3], found[:, 4]
        wins = count_each(chosen, config.maps).to(self.threshold.dtype)
        self.threshold += config.threshold_gain * (wins - wins.mean())
        self.threshold.clamp_(min=1.0)
        latency_of_winners = step.sum() / max(1, len(step))
        return {"train/feature_winners": len(found) / len(images), "train/feature_latency": latency_of_winners}
