"""Direct feedback alignment: the error reaches the hidden layer through fixed random synapses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from snnrl.learners.base import Learner, Metrics, as_array
from snnrl.learners.modulated import ErrorReadout, ErrorTrained, error_probability, unit_current
from snnrl.neurons import LIF
from snnrl.settings import Settings, register, setting
from snnrl.surrogate import FastSigmoid
from snnrl.traces import decay_factor, decay_kernel

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class DirectFeedbackConfig(Settings, section="learner"):
    """Recipe of :class:`DirectFeedbackLearner`; a simulation step is 1 ms."""

    n_hidden: int = setting(1000, "hidden neurons", at_least=1)
    batch_size: int = setting(32, "images between two changes of the weights", at_least=1)
    sim_steps: int = setting(16, "simulation steps of a presentation", at_least=1)
    tau_mem: float = setting(
        9.5, "time constant in ms of the hidden membranes, which is that of the presynaptic traces", at_least=1
    )
    window: float = setting(
        10.0,
        "how fast the rule loses hold of a neuron as its potential leaves the threshold, in 1 / potential",
        above=0,
    )
    gain: float = setting(1.0, "steepness of the competition of the output neurons, in 1 / potential", above=0)
    hidden_lr: float = setting(
        1.5, "learning rate of the hidden layer; it falls linearly to 0, as that of the output", above=0
    )
    output_lr: float = setting(0.1, "learning rate of the output", above=0)
    momentum: float = setting(0.9, "what is left of the eligibility after a batch", at_least=0, below=1)
    weight_std: float = setting(0.3, "of the first hidden weights", above=0)
    feedback_std: float = setting(1.0, "of the synapses that carry the error, which never change", above=0)


@register("direct_feedback")
class DirectFeedbackLearner(Learner):
    """Hidden LIF neurons and an output, both taught by the output's error: direct feedback alignment.

    The image is a constant current. A hidden synapse gathers ``psi(u) x`` over the presentation, ``x`` being the
    presynaptic trace and ``psi(u) = 1 / (1 + window |u - threshold|)^2`` the nearness of a spike (the pseudo-derivative
    of Zenke & Ganguli 2018, Neural Comput. 30:1514). At its end the error ``E`` of the output arrives through fixed
    random synapses ``B``:

        dw_hidden = hidden_lr (B E) sum_t psi(u[t]) x[t],    dw_output = output_lr E spikes / steps

    (Lillicrap, Cownden, Tweed & Akerman 2016, Nat. Commun. 7:13276; straight to the layer as in Nøkland 2016, NeurIPS;
    Samadi, Lillicrap & Tweed 2017, Neural Comput. 29:578 for spikes). No error goes back through forward weights.

    Args:
        shape: of one image, ``(channels, height, width)``.
        classes: how many labels there are.
        config: the settings.
        seed: of first weights and feedback.
    """

    Config = DirectFeedbackConfig
    shares_rows = True
    config: DirectFeedbackConfig
    feedback: Tensor

    def __init__(self, shape: tuple[int, int, int], classes: int, config: DirectFeedbackConfig, seed: int) -> None:
        super().__init__(shape, classes, config, seed)
        hidden = config.n_hidden
        self.synapses = ErrorTrained(self.inputs, hidden, config.weight_std, config.momentum, self.generator)
        self.neurons = LIF(hidden, tau_mem=config.tau_mem, reset="soft", decay_input=False)
        self.output = ErrorReadout(hidden, classes, config.gain, config.momentum, self.generator)
        feedback = config.feedback_std * torch.randn(classes, hidden, generator=self.generator)
        self.register_buffer("feedback", feedback)
        self._psi = FastSigmoid(slope=config.window)
        rise = 1 - decay_factor(config.tau_mem) * decay_kernel(
            config.sim_steps, decay_factor(config.tau_mem), torch.empty(0)
        )
        self._rise = (rise / rise[-1]).tolist()
        self._remaining = 1.0

    def anneal(self, progress: float) -> None:
        self._remaining = 1 - progress

    def learn(self, images: Tensor, labels: Tensor) -> Metrics:
        constant = unit_current(images)
        nearness, spikes = self.ranks.by_rows(lambda own: self._present(constant[own]), len(images))
        rate = spikes / self.config.sim_steps
        error = self.output.error(rate, labels)
        gate = (error @ self.feedback).unsqueeze(0)
        hidden_lr, output_lr = self._remaining * self.config.hidden_lr, self._remaining * self.config.output_lr
        self.synapses.learn(constant.unsqueeze(0), nearness.unsqueeze(0), hidden_lr, gate)
        self.output.learn(rate, error, output_lr)
        return {"train/error": error_probability(error), "train/hidden_rate": rate.mean()}

    def _present(self, constant: Tensor) -> tuple[Tensor, Tensor]:
        """The nearness of spikes and the spikes of a presentation, ``[batch, neurons]`` each."""
        current = self.synapses(constant)
        state, nearness, spikes = self.neurons.init_state(len(constant)), torch.zeros_like(current), 0 * current
        for rise in self._rise:
            state = self.neurons.charge(current, state)
            excess = self.neurons.excess(state)
            fired = self.neurons.fire(excess)
            nearness.add_(self._psi.derivative(excess), alpha=rise / self.config.sim_steps)
            spikes += fired
            state = self.neurons.reset(state, fired)
        return nearness, spikes

    def predict(self, images: Tensor) -> Tensor:
        return self.output(self._hidden(images).mean(0))

    def read(self, images: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        spikes = self._hidden(images)
        return self.output(spikes.mean(0)), {"hidden": spikes}

    def _hidden(self, images: Tensor) -> Tensor:
        """Spikes ``[time, batch, neurons]``."""
        current = self.synapses(unit_current(images)).expand(self.config.sim_steps, -1, -1)
        return self.neurons.scan(current, self.neurons.init_state(len(images)))[0]

    def figures(self, images: Tensor, labels: Tensor) -> Mapping[str, Figure]:
        from snnrl.plot import signed_fields

        title = "input weights of the first neurons"
        return {"receptive_fields": signed_fields(as_array(self.synapses.dense.weight), self.shape, title)}
