"""Neurons that share out a data set among them by STDP, without labels: after Diehl & Cook (2015)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from snnrl import noise
from snnrl.connections import Dense
from snnrl.errors import require
from snnrl.kernels import count_each
from snnrl.kernels.competition import (
    InputSpikes,
    WinnerTakeAll,
    compete,
    compete_spikes,
    gather_spike_wins,
    gather_wins,
)
from snnrl.learners.base import Batches, Learner, Metrics, check_batch_size
from snnrl.learners.labels import READOUTS, LabelReadout
from snnrl.neurons import DiehlCook
from snnrl.plasticity import WinnerTakeAllSTDP
from snnrl.settings import register
from snnrl.traces import decay_factor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RELEASED = 40
"""Steps of a presentation in which neurons may fire one after the other."""
SHOWN = 20
"""Images in a picture of spikes."""


@dataclass(frozen=True)
class DiehlCookConfig:
    """Recipe of :class:`DiehlCookLearner`; potentials in mV, and a simulation step is 1 ms."""

    n_neurons: int = 400
    """Neurons that compete."""
    batch_size: int = 128
    """Images between two changes of the weights, once the network has seen enough of them."""
    batch_growth: float = 0.01
    """A batch has at most this share of the images seen so far; keeps first batches small."""
    encoding: str = "current"
    """``current``: a constant input current; ``poisson``: random spikes of the same mean."""
    label_readout: str = "likelihood"
    """How spikes become a label: ``all``, ``proportion``, ``likelihood`` or ``ngram``."""
    sim_steps: int = 15
    """Simulation steps of a presentation."""
    input_spikes: float = 1600.0
    """Expected input spikes of a presentation, the same for every image."""
    tau_mem: float = 7.5
    """Time constant of the membranes in ms."""
    excess: float = 10.0
    """How far above its adaptive threshold a neuron must be to fire."""
    inhibition: float = 48.0
    """How far below rest a spike leaves the other neurons."""
    threshold_gain: float = 48.0
    """Growth of a threshold in a whole run, if its neuron fires once for every image that is its fair share."""
    tau_pre: float = 42.0
    """Time constant in ms of the trace of an input spike."""
    learning_rate: float = 0.05
    """Of the first spikes."""
    learning_rate_end: float = 0.005
    """Of the last spikes; it falls exponentially."""
    depression: float = 0.05
    """Trace of an input below which its synapse is weakened."""
    weight_ceiling: float = 2.0
    """Weight that strengthening approaches."""
    weight_sum: float = 78.4
    """Sum of the weights of each neuron."""
    weight_power: float = 16.0
    """First weights are uniform random numbers to this power: the higher, the fewer are strong."""

    def __post_init__(self) -> None:
        check_batch_size(self.batch_size)
        for name in ("n_neurons", "sim_steps"):
            require(getattr(self, name) >= 1, f"learner.{name}", getattr(self, name), "an integer of at least 1")
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float):
                require(math.isfinite(value) and value >= 0, f"learner.{field.name}", value, "finite and at least 0")
        for name in ("input_spikes", "weight_ceiling", "weight_sum", "learning_rate_end", "batch_growth"):
            require(getattr(self, name) > 0, f"learner.{name}", getattr(self, name), "above 0")
        for name in ("learning_rate", "learning_rate_end"):
            require(getattr(self, name) < 1, f"learner.{name}", getattr(self, name), "below 1")
        require(self.encoding in ("current", "poisson"), "learner.encoding", self.encoding, "current or poisson")
        require(
            self.label_readout in READOUTS, "learner.label_readout", self.label_readout, f"one of {', '.join(READOUTS)}"
        )
        decay_factor(self.tau_mem, setting="learner.tau_mem")
        decay_factor(self.tau_pre, setting="learner.tau_pre")


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
        _, gather = self._compete(images, self._learning)
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

    def figures(self, images: Tensor, labels: Tensor) -> Mapping[str, Figure]:
        from snnrl.learners.pictures import assignment_map, receptive_fields, spike_raster

        shown = min(self.config.n_neurons, 400)
        title = f"input weights of {shown} of {self.config.n_neurons} neurons"
        return {
            "receptive_fields": receptive_fields(self.synapses.weight, self.shape, title),
            "assignments": assignment_map(self.readout.assignments(), self.classes),
            "spikes": spike_raster(self._show(images[:SHOWN]).t(), labels[:SHOWN]),
        }

    def _show(self, images: Tensor) -> Tensor:
        """Winners ``[steps, batch]`` where a label is asked for."""
        competition = self._learning if self.config.label_readout == "all" else self._released
        return self._compete(images, competition)[0]

    def _compete(
        self, images: Tensor, competition: WinnerTakeAll
    ) -> tuple[Tensor, Callable[[], tuple[Tensor, Tensor, Tensor]]]:
        """Winners ``[steps, batch]``, and what gathers what they saw; see :func:`gather_wins`."""
        neurons, threshold = self.config.n_neurons, self.neurons.theta.to(torch.float32)
        bright = images.flatten(1).to(torch.float32)
        if self.config.encoding == "current":
            winners = compete(self._current(bright), threshold, competition)
            return winners, lambda: gather_wins(winners, (bright / 255)[None], neurons)
        spikes = self._spikes(bright, competition.steps)
        winners = compete_spikes(spikes, self.synapses.weight, threshold, competition)
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
