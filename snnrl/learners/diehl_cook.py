"""Neurons that share out a data set among them by STDP, without labels: after Diehl & Cook (2015)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from snnrl import noise
from snnrl.connections import Dense
from snnrl.kernels import count_each
from snnrl.kernels.competition import (
    InputSpikes,
    WinnerTakeAll,
    compete,
    compete_spikes,
    gather_spike_wins,
    gather_wins,
)
from snnrl.learners.base import Batches, Learner, Metrics, as_array
from snnrl.learners.labels import READOUTS, LabelReadout
from snnrl.neurons import DiehlCook
from snnrl.plasticity import WinnerTakeAllSTDP
from snnrl.ranks import ALONE, Ranks
from snnrl.settings import Settings, register, setting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RELEASED = 40
"""Steps of a presentation in which neurons may fire one after the other."""
SHOWN = 20
"""Images in a picture of spikes."""


@dataclass(frozen=True)
class DiehlCookConfig(Settings, section="learner"):
    """Recipe of :class:`DiehlCookLearner`; potentials in mV, and a simulation step is 1 ms."""

    n_neurons: int = setting(400, "neurons that compete", at_least=1)
    batch_size: int = setting(
        128, "images between two changes of the weights, once the network has seen enough of them", at_least=1
    )
    batch_growth: float = setting(
        0.01, "A batch has at most this share of the images seen so far; keeps first batches small", above=0
    )
    encoding: str = setting(
        "current",
        "current: a constant input current; poisson: random spikes of the same mean",
        choices=("current", "poisson"),
    )
    label_readout: str = setting(
        "likelihood", "how spikes become a label: all, proportion, likelihood or ngram", choices=READOUTS
    )
    sim_steps: int = setting(15, "simulation steps of a presentation", at_least=1)
    input_spikes: float = setting(1600.0, "expected input spikes of a presentation, the same for every image", above=0)
    tau_mem: float = setting(7.5, "time constant of the membranes in ms", at_least=1)
    excess: float = setting(10.0, "how far above its adaptive threshold a neuron must be to fire", at_least=0)
    inhibition: float = setting(48.0, "how far below rest a spike leaves the other neurons", at_least=0)
    threshold_gain: float = setting(
        48.0,
        "growth of a threshold in a whole run, if its neuron fires once for every image that is its fair share",
        at_least=0,
    )
    tau_pre: float = setting(42.0, "time constant in ms of the trace of an input spike", at_least=1)
    learning_rate: float = setting(0.05, "of the first spikes", at_least=0, below=1)
    learning_rate_end: float = setting(0.005, "of the last spikes; it falls exponentially", above=0, below=1)
    depression: float = setting(0.05, "trace of an input below which its synapse is weakened", at_least=0)
    weight_ceiling: float = setting(2.0, "weight that strengthening approaches", above=0)
    weight_sum: float = setting(78.4, "sum of the weights of each neuron", above=0)
    weight_power: float = setting(
        16.0, "first weights are uniform random numbers to this power: the higher, the fewer are strong", at_least=0
    )


@register("diehl_cook")
class DiehlCookLearner(Learner):
    """Leaky neurons with adaptive thresholds and lateral inhibition, their input weights learned by STDP.

    After Diehl & Cook (2015, Front. Comput. Neurosci. 9:99), with inhibition that lets one neuron fire in a step and
    with these rules, ``n`` being the spikes of a neuron in a batch and ``x`` the mean trace of an input at them:

        w <- max(w + (1 - (1 - learning_rate)^n) (x - depression) (weight_ceiling - w), 0)
        w <- w weight_sum / sum(w)
        theta <- theta + n threshold_gain neurons / images of the whole run

    (:class:`~snnrl.plasticity.WinnerTakeAllSTDP`, the constraints of the connection, and the adaptation of
    :class:`~snnrl.neurons.DiehlCook`), which for batches of one image is the rule of every spike by itself. Thresholds
    do not decay: the gain makes a neuron that fires more often than its fair share ever harder to win over. While
    labels are asked for, nothing changes; for ``label_readout=all`` neurons compete as they do in learning, for the
    others a spike only holds its own neuron back, so that those which come next are heard as well, 40 steps long.

    Args:
        shape: of one image, ``(channels, height, width)``.
        classes: how many labels there are.
        config: the settings.
        seed: of first weights and input spikes.
    """

    Config = DiehlCookConfig
    shares_rows = True
    config: DiehlCookConfig

    def __init__(self, shape: tuple[int, int, int], classes: int, config: DiehlCookConfig, seed: int) -> None:
        super().__init__(shape, classes, config, seed)
        first = noise.uniform((config.n_neurons, self.inputs), torch.empty(0), self.generator) ** config.weight_power
        self.synapses = Dense(
            self.inputs,
            config.n_neurons,
            by_pre=False,
            weight=first,
            bounds=(0.0, math.inf),
            norm=config.weight_sum,
        )
        self.neurons = DiehlCook(
            config.n_neurons,
            tau_theta=math.inf,
            tau_mem=config.tau_mem,
            decay_input=False,
            v_rest=0.0,
            v_threshold=config.excess,
            v_reset=0.0,
            v_inhibited=-config.inhibition,
            t_refractory=0.0,
        )
        self.rule = WinnerTakeAllSTDP(
            learning_rate=config.learning_rate,
            depression=config.depression,
            w_max=config.weight_ceiling,
            tau_pre=config.tau_pre,
        )
        self.readout = LabelReadout(config.n_neurons, classes)
        self._learning = self.neurons.competition(config.sim_steps)
        self._released = self._learning._replace(steps=RELEASED, winner=-4.0 * config.inhibition, losers=0.0)

    def batch_size(self, images_seen: int) -> int:
        return max(1, min(self.config.batch_size, int(images_seen * self.config.batch_growth)))

    def anneal(self, progress: float) -> None:
        first, last = self.config.learning_rate, self.config.learning_rate_end
        self.rule.learning_rate = first * (last / first) ** progress if first else 0.0

    def learn(self, images: Tensor, labels: Tensor) -> Metrics:
        _, gather = self._compete(images, self._learning, self.ranks)
        fired, spikes, seen = gather()
        if len(fired):
            self.synapses.apply_(self.rule.change(self.synapses.weight[fired], spikes[:, None], seen), fired)
            gain = self.config.threshold_gain * self.config.n_neurons / self.training_images
            self.neurons.adapt_(fired, spikes, gain)
        return {"train/spikes_per_image": spikes.sum() / len(images), "train/winners": float(len(fired))}

    def calibrate(self, batches: Batches) -> None:
        """Find out which classes each neuron responds to."""
        self.readout.clear()
        for images, labels in batches:
            self.readout.observe(self._show(images), labels, pairs=self.config.label_readout == "ngram")

    def predict(self, images: Tensor) -> Tensor:
        return self.readout.read(self._show(images), self.config.label_readout)

    def read(self, images: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        winners = self._show(images)
        spikes = torch.nn.functional.one_hot(winners + 1, self.config.n_neurons + 1)[..., 1:]
        return self.readout.read(winners, self.config.label_readout), {"excitatory": spikes}

    def figures(self, images: Tensor, labels: Tensor) -> Mapping[str, Figure]:
        from snnrl.plot import assignments, receptive_fields, shown_images

        shown = min(self.config.n_neurons, 400)
        title = f"input weights of {shown} of {self.config.n_neurons} neurons"
        return {
            "receptive_fields": receptive_fields(as_array(self.synapses.weight), self.shape, title),
            "assignments": assignments(as_array(self.readout.assignments()), self.classes),
            "spikes": shown_images(as_array(self._show(images[:SHOWN]).t()), as_array(labels[:SHOWN])),
        }

    def _show(self, images: Tensor) -> Tensor:
        """Winners ``[steps, batch]`` where a label is asked for."""
        competition = self._learning if self.config.label_readout == "all" else self._released
        return self._compete(images, competition)[0]

    def _compete(
        self, images: Tensor, competition: WinnerTakeAll, ranks: Ranks = ALONE
    ) -> tuple[Tensor, Callable[[], tuple[Tensor, Tensor, Tensor]]]:
        """Winners ``[steps, batch]``, and what gathers what they saw; see :func:`gather_wins`."""
        neurons, threshold = self.config.n_neurons, self.neurons.theta.to(torch.float32)
        bright = images.flatten(1).to(torch.float32)
        if self.config.encoding == "current":
            (by_image,) = ranks.by_rows(
                lambda own: (compete(self._current(bright[own]), threshold, competition).t(),), len(bright)
            )
            winners = by_image.t().contiguous()
            return winners, lambda: gather_wins(winners, (bright / 255)[None], neurons)
        spikes, weight = self._spikes(bright, competition.steps), self.synapses.weight
        (by_image,) = ranks.by_rows(
            lambda own: (compete_spikes(spikes.of_images(own), weight, threshold, competition).t(),), len(bright)
        )
        winners = by_image.t().contiguous()
        return winners, lambda: gather_spike_wins(winners, spikes, self.rule.decay_pre, self.inputs, neurons)

    def _expected(self, bright: Tensor) -> Tensor:
        """Expected spikes of each input in a step, ``[batch, inputs]``, as its pixels ``bright`` of that shape are."""
        expected = bright * (self.config.input_spikes / self.config.sim_steps)
        return expected.div_(bright.sum(1, keepdim=True).clamp(min=1))

    def _current(self, bright: Tensor) -> Tensor:
        """The constant current ``[1, batch, neurons]``."""
        current: Tensor = self.synapses(self._expected(bright))
        return current[None]

    def _spikes(self, bright: Tensor, steps: int) -> InputSpikes:
        """Random spikes of the inputs that are not dark."""
        expected = self._expected(bright)
        image, source = expected.nonzero(as_tuple=True)
        offsets = torch.zeros(len(bright) + 1, dtype=torch.int64, device=bright.device)
        offsets[1:] = count_each(image, len(bright)).cumsum(0)
        return InputSpikes(noise.events(expected[image, source], steps, self.generator), source, offsets)
