"""Contrastive Hebbian learning: the difference between output neurons that a teacher clamps and free ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from snnrl import noise
from snnrl.encoders import BernoulliEncoder
from snnrl.learners.base import Learner, Metrics, as_array
from snnrl.learners.modulated import ErrorTrained, unit_current
from snnrl.settings import Settings, register, setting
from snnrl.traces import decay_factor, decay_kernel, scan_trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ContrastiveConfig(Settings, section="learner"):
    """Recipe of :class:`ContrastiveLearner`; a simulation step is 1 ms."""

    per_class: int = setting(10, "neurons of each class", at_least=1)
    batch_size: int = setting(32, "images between two changes of the weights", at_least=1)
    encoding: str = setting(
        "current",
        "current: a constant input current; poisson: random spikes, an intensity of 1 firing at every step",
        choices=("current", "poisson"),
    )
    sim_steps: int = setting(10, "simulation steps of a presentation", at_least=1)
    tau_mem: float = setting(
        1.0, "time constant in ms of the membranes, which is that of the presynaptic traces", at_least=1
    )
    gain: float = setting(5.0, "steepness of the competition, in 1 / potential", above=0)
    learning_rate: float = setting(3.0, "of the first batch; it falls linearly to 0", above=0)
    momentum: float = setting(0.9, "what is left of the eligibility after a batch", at_least=0, below=1)
    weight_std: float = setting(0.3, "of the first weights, which tell the neurons of a class apart", above=0)


@register("contrastive")
class ContrastiveLearner(Learner):
    """One layer of stochastic neurons, a population for each class, one spike of all at each step.

    The potential is ``v = W x``, with the presynaptic trace ``x``, and the neuron with the highest ``gain v + noise``
    fires; the noise is Gumbel's, so that the probabilities are ``softmax(gain v)`` (Nessler, Pfeiffer, Buesing & Maass
    2013, PLoS Comput. Biol. 9:e1003037, eq. 3). The teacher clamps all populations but the label's to silence. With
    the spikes ``z`` of the free and ``c`` of the clamped network under the same noise,

        dw = learning_rate (c - z) x

    (contrastive Hebbian learning: Movellan 1991, Connectionist Models, p. 10): nothing changes where the free network
    fires as the teacher would have it. Predicted is the class whose neurons are expected to fire most.

    Args:
        shape: of one image, ``(channels, height, width)``.
        classes: how many labels there are.
        config: the settings.
        seed: of first weights, noise and input spikes.
    """

    Config = ContrastiveConfig
    shares_rows = True
    config: ContrastiveConfig

    def __init__(self, shape: tuple[int, int, int], classes: int, config: ContrastiveConfig, seed: int) -> None:
        super().__init__(shape, classes, config, seed)
        neurons = classes * config.per_class
        self.synapses = ErrorTrained(self.inputs, neurons, config.weight_std, config.momentum, self.generator)
        self._decay = decay_factor(config.tau_mem)
        self._rate = config.learning_rate
        self._encoder = BernoulliEncoder(self.inputs, sim_steps=config.sim_steps, generator=self.generator)

    def anneal(self, progress: float) -> None:
        self._rate = self.config.learning_rate * (1 - progress)

    def learn(self, images: Tensor, labels: Tensor) -> Metrics:
        trace, rise = self._present(images)
        steps, neurons = self.config.sim_steps, self.classes * self.config.per_class
        drawn = noise.uniform((steps, len(images), neurons), trace, self.generator)
        post, wrong = self.ranks.by_rows(
            lambda own: self._taught(trace[:, own], rise, drawn[:, own], labels[own]), len(images)
        )
        self.synapses.learn(trace, post.transpose(0, 1).contiguous() * len(trace), self._rate)
        return {"train/wrong_spikes": wrong.to(trace.dtype).mean()}

    def _taught(self, trace: Tensor, rise: Tensor, drawn: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """What the teacher adds to the spikes ``[batch, events, neurons]``, and which were wrong ``[batch, steps]``."""
        noisy = self.config.gain * rise * self.synapses(trace)
        noisy = noisy - torch.log(-torch.log(drawn.clamp_min(1e-20)))
        free = noisy.argmax(-1)
        by_class = noisy.unflatten(-1, (self.classes, -1))
        own = by_class[:, torch.arange(len(labels), device=labels.device), labels]
        clamped = own.argmax(-1) + labels * self.config.per_class
        difference = (self._spikes(clamped) - self._spikes(free)) * rise / self.config.sim_steps
        post = difference.unflatten(0, (len(trace), -1)).sum(1)
        return post.transpose(0, 1), (free // self.config.per_class != labels).t()

    def predict(self, images: Tensor) -> Tensor:
        trace, rise = self._present(images)
        expected = (self.config.gain * rise * self.synapses(trace)).softmax(-1).sum(0)
        by_class: Tensor = expected.unflatten(-1, (self.classes, -1)).sum(-1)
        return by_class.argmax(1)

    def figures(self, images: Tensor, labels: Tensor) -> Mapping[str, Figure]:
        from snnrl.plot import signed_fields

        title = "input weights of the first neurons"
        return {"receptive_fields": signed_fields(as_array(self.synapses.dense.weight), self.shape, title)}

    def _present(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Presynaptic traces ``[events, batch, inputs]``, and how they rise: a factor ``[steps, 1, 1]``.

        A constant current is one event whose trace rises; random spikes are an event for each step, and rise no more.
        """
        steps = self.config.sim_steps
        if self.config.encoding == "current":
            trace = unit_current(images).unsqueeze(0)
            return trace, (1 - self._decay * decay_kernel(steps, self._decay, trace)).view(-1, 1, 1)
        intensity = images.flatten(1).to(torch.get_default_dtype()) / 255
        spikes, _ = self._encoder(intensity, self._encoder.init_state(len(images)))
        scale = (1 - self._decay) / torch.linalg.vector_norm(intensity, dim=1, keepdim=True).clamp_min(1e-6)
        trace = scan_trace(spikes * scale, torch.zeros_like(spikes[0]), self._decay)
        return trace, trace.new_ones((steps, 1, 1))

    def _spikes(self, winners: Tensor) -> Tensor:
        neurons = self.classes * self.config.per_class
        return functional.one_hot(winners, neurons).to(torch.get_default_dtype())
