"""The convolutional network of Atari agents, spiking."""

from __future__ import annotations

import math

import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import get_flattened_obs_dim, is_image_space
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, CombinedExtractor
from torch import Tensor, nn

from snnrl.errors import require
from snnrl.networks.layered import LayeredNetwork, LayerSettings
from snnrl.networks.synapses import SpikeLinear
from snnrl.spaces.leaves import Space
from snnrl.spaces.pictures import LEAST_SIDE
from snnrl.types import Setting

_KERNELS = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
"""Maps, size and stride of each convolution (Mnih et al. 2015, Nature 518:529)."""


def first_map_neurons(observation_space: Space) -> int:
    """Neurons of the first convolution, of images with their channels first."""
    maps, size, stride = _KERNELS[0]
    sides = (observation_space.shape or ())[1:]
    return maps * math.prod(max((side - size) // stride + 1, 0) for side in sides)


class SpikingNatureCNN(BaseFeaturesExtractor):
    """Three convolutions and a layer of ``features_dim`` neurons; the shapes are those of SB3's ``NatureCNN``.

    Args:
        observation_space: images, channels first, as SB3 hands them on (already divided by 255).
        features_dim: neurons of the last layer, whose rates are the features.
        **settings: those of :class:`~snnrl.networks.layered.LayerSettings`.

    Raises:
        ConfigError: a setting out of range, or images that are too small.
    """

    def __init__(self, observation_space: spaces.Box, features_dim: int = 512, **settings: Setting) -> None:
        super().__init__(observation_space, features_dim)
        layers = LayerSettings(**{**settings, "coding": "direct"})
        shape: tuple[int, ...] = observation_space.shape
        large = len(shape) == 3 and min(shape[1:]) >= LEAST_SIDE
        need = f"channels first and at least {LEAST_SIDE} pixels a side; SpikingMlpPolicy takes others"
        require(large, "observation_space", observation_space, need)
        convolutions: list[nn.Module] = []
        shapes: list[int | tuple[int, ...]] = []
        for maps, size, stride in _KERNELS:
            convolution = nn.Conv2d(shape[0], maps, size, stride)
            with torch.no_grad():
                shape = tuple(convolution(torch.zeros(1, *shape)).shape[1:])
            convolutions.append(convolution)
            shapes.append(shape)
        flat = SpikeLinear(shape[0] * shape[1] * shape[2], features_dim)
        for module in (*convolutions, flat):
            nn.init.orthogonal_(module.weight, gain=2**0.5)  # type: ignore[arg-type]
        synapses = [*convolutions, nn.Sequential(nn.Flatten(), flat)]
        self.network = LayeredNetwork(synapses, [*shapes, features_dim], layers)

    def forward(self, observations: Tensor) -> Tensor:
        """Features ``[batch, features_dim]`` in [0, 1] of images ``[batch, channels, height, width]``."""
        return self.network(observations)


class SpikingCombinedExtractor(CombinedExtractor):
    """SB3's ``CombinedExtractor`` of Dict observations, with spiking convolutions for the images among their parts.

    Args:
        observation_space: a Dict whose images have their channels first.
        cnn_output_dim: features of each image.
        **settings: those of :class:`~snnrl.networks.layered.LayerSettings`.

    Raises:
        ConfigError: a setting out of range, or images that are too small.
    """

    def __init__(self, observation_space: spaces.Dict, cnn_output_dim: int = 256, **settings: Setting) -> None:
        BaseFeaturesExtractor.__init__(self, observation_space, features_dim=1)
        self.extractors = nn.ModuleDict()
        self._features_dim = 0
        for key, space in observation_space.spaces.items():
            if isinstance(space, spaces.Box) and is_image_space(space):
                self.extractors[key] = SpikingNatureCNN(space, cnn_output_dim, **settings)
                self._features_dim += cnn_output_dim
            else:
                self.extractors[key] = nn.Flatten()
                self._features_dim += get_flattened_obs_dim(space)
