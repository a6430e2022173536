"""e-prop: eligibility beside autograd's gradient, learning signals, and what the rule refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.connections import Conv2d, Dense
from snnrl.errors import ConfigError
from snnrl.networks import ErrorFeedback, Network
from snnrl.neurons import LIF, LSNN, AdaptiveLIF, Izhikevich
from snnrl.plasticity import EProp, ThirdFactor
from snnrl.spikes import SparseSpikes

STEPS, LENGTH, BATCH, PRE, POST = 3, 6, 2, 6, 5
TAU_READOUT = 4.0
SETTINGS: dict[str, Any] = {"tau_mem": 8.0, "reset": "soft", "decay_input": False, "surrogate": "triangle"}
NEURONS: dict[str, Any] = {"lif": LIF(POST, **SETTINGS), "lsnn": LSNN(POST, tau_adaptation=30.0, **SETTINGS)}


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def train(seed: int = 1) -> Tensor:
    return (draw(STEPS * LENGTH, BATCH, PRE, seed=seed) > 0.3).double()


def rule(neurons: Any, decay: float = 1.0, **settings: Any) -> EProp:
    """With the time constants and the surrogate of the neurons."""
    rise, tau = getattr(neurons, "threshold_rise", 0.0), getattr(neurons, "tau_adaptation", 100.0)
    times = {"tau_mem": neurons.tau_mem, "tau_readout": TAU_READOUT, "tau_adaptation": tau, "threshold_rise": rise}
    return EProp(decay, surrogate="triangle", slope=neurons.surrogate.slope, **times, **settings)


class Gradient:
    """Autograd's gradient of errors times filtered spikes, and what the layer's synapses saw meanwhile."""

    def __init__(self, name: str, *, recurrent: bool) -> None:
        self.neurons = NEURONS[name].double()
        self.pre = train()
        self.signal = draw(STEPS, BATCH, POST, seed=2)
        weight = draw(POST, PRE, seed=3).requires_grad_()
        around = (draw(POST, POST, seed=4) if recurrent else torch.zeros(POST, POST).double()).requires_grad_()
        state = self.neurons.init_state(BATCH)
        spikes, output = torch.zeros(BATCH, POST).double(), torch.zeros(BATCH, POST).double()
        excess, heard, loss = [], [], torch.zeros(()).double()
        for step in range(STEPS * LENGTH):
            heard.append(spikes.detach())  # the paths through other neurons end here, as in e-prop
            current = self.pre[step] @ weight.t() + heard[-1] @ around.t()
            excess.append(self.neurons.above_threshold(current, state).detach())
            spikes, state = self.neurons(current, state)
            output = math.exp(-1 / TAU_READOUT) * output + spikes
            loss = loss + (self.signal[step // LENGTH] * output).sum()
        loss.backward()
        self.excess, self.heard = torch.stack(excess), torch.stack(heard)
        assert weight.grad is not None
        assert around.grad is not None
        self.of_input, self.of_itself = weight.grad, around.grad


def change(learns: EProp, pre: Tensor, excess: Tensor, third: ThirdFactor) -> Tensor:
    connection = Dense(pre.shape[-1], POST).double()
    state = learns.init_state(connection, (pre.shape[-1],), (POST,), BATCH)
    return learns(connection, pre, excess, state, third)[0]


def at_the_end(signal: Tensor) -> ThirdFactor:
    """A modulator that comes once, so that the change is the eligibility of all steps."""
    modulator = torch.zeros(STEPS, BATCH, dtype=torch.float64)
    modulator[-1] = 1
    return ThirdFactor(modulator, gate=signal)


@pytest.mark.parametrize("name", NEURONS)
def test_the_eligibility_of_a_feed_forward_layer_is_autograds_gradient(name: str) -> None:
    truth = Gradient(name, recurrent=False)
    found = change(rule(truth.neurons), truth.pre, truth.excess, at_the_end(truth.signal))
    assert truth.of_input.abs().max() > 1
    torch.testing.assert_close(found, truth.of_input)


@pytest.mark.parametrize("name", NEURONS)
def test_the_eligibility_of_a_recurrent_layer_is_that_gradient_without_paths_through_other_neurons(name: str) -> None:
    truth = Gradient(name, recurrent=True)
    third = at_the_end(truth.signal)
    torch.testing.assert_close(change(rule(truth.neurons), truth.pre, truth.excess, third), truth.of_input)
    torch.testing.assert_close(change(rule(truth.neurons), truth.heard, truth.excess, third), truth.of_itself)


def test_the_modulator_of_a_decision_acts_on_what_came_before_it_as_far_as_it_has_not_decayed() -> None:
    truth, decay = Gradient("lif", recurrent=False), 0.7
    modulator = draw(STEPS, BATCH, seed=5)
    found = change(rule(truth.neurons, decay), truth.pre, truth.excess, ThirdFactor(modulator, gate=truth.signal))
    expected = torch.zeros(POST, PRE).double()
    for step in range(STEPS):
        only = torch.zeros_like(truth.signal)
        only[step] = truth.signal[step]
        for later in range(step, STEPS):
            reward = torch.zeros_like(modulator)
            reward[-1] = modulator[later] * decay ** (later - step)
            expected += change(rule(truth.neurons), truth.pre, truth.excess, ThirdFactor(reward, gate=only))
    torch.testing.assert_close(found, expected)


def test_nothing_is_learned_across_the_end_of_an_episode() -> None:
    truth = Gradient("lsnn", recurrent=False)
    pre = truth.pre.clone()
    pre[LENGTH:] = 0
    third = at_the_end(truth.signal)
    continuing = torch.ones(STEPS, BATCH).double()
    assert change(rule(truth.neurons), pre, truth.excess, third).any()
    continuing[0] = 0
    assert not change(rule(truth.neurons), pre, truth.excess, third._replace(continuing=continuing)).any()


def test_neurons_that_begin_anew_keep_eligibility_and_nothing_else() -> None:
    """After the first step; what the second one adds is what it would add alone."""
    truth = Gradient("lsnn", recurrent=False)
    anew = torch.ones(STEPS, BATCH).double()
    anew[0] = 0
    found = change(
        rule(truth.neurons), truth.pre, truth.excess, at_the_end(truth.signal)._replace(activity_continuing=anew)
    )
    parts = []
    for steps in (slice(0, 1), slice(1, STEPS)):
        pre, signal = torch.zeros_like(truth.pre), torch.zeros_like(truth.signal)
        within = slice(steps.start * LENGTH, steps.stop * LENGTH)
        pre[within], signal[steps] = truth.pre[within], truth.signal[steps]
        parts.append(change(rule(truth.neurons), pre, truth.excess, at_the_end(signal)))
    torch.testing.assert_close(found, parts[0] + parts[1])


def test_an_instant_modulator_acts_on_its_own_step_alone() -> None:
    truth = Gradient("lif", recurrent=False)
    zeros, instant = torch.zeros(STEPS, BATCH).double(), draw(STEPS, BATCH, seed=6)
    found = change(rule(truth.neurons), truth.pre, truth.excess, ThirdFactor(zeros, instant=instant, gate=truth.signal))
    scaled = at_the_end(truth.signal * instant[:, :, None])
    torch.testing.assert_close(found, change(rule(truth.neurons), truth.pre, truth.excess, scaled))


def test_neurons_are_drawn_to_the_rate_that_is_wanted() -> None:
    truth, nothing = Gradient("lif", recurrent=False), ThirdFactor(torch.zeros(STEPS, BATCH).double())
    silent = torch.full_like(truth.excess, -0.2)
    assert (change(rule(truth.neurons, rate_cost=0.1), truth.pre, silent, nothing) > 0).all()
    assert (change(rule(truth.neurons, rate_cost=0.1), truth.pre, -silent, nothing) < 0).all()
    assert not change(rule(truth.neurons), truth.pre, silent, nothing).any()


def test_spikes_of_one_instant_are_learned_from_as_the_same_train() -> None:
    learns = EProp(tau_mem=8.0)
    connection = Dense(PRE, POST).double()
    first = SparseSpikes.from_dense((draw(STEPS, BATCH, PRE) > 0).double())
    dense = torch.zeros(STEPS, LENGTH, BATCH, PRE).double()
    dense[:, 0] = first.dense()
    excess, third = draw(STEPS * LENGTH, BATCH, POST, seed=1), ThirdFactor(torch.ones(STEPS, BATCH))
    apart = third._replace(continuing=torch.zeros(STEPS, BATCH))
    state = learns.init_state(connection, (PRE,), (POST,), BATCH)
    expected, _ = learns(connection, dense.flatten(0, 1), excess, state, apart)
    state = learns.init_state(connection, (PRE,), (POST,), BATCH)
    torch.testing.assert_close(learns(connection, first, excess, state, apart)[0], expected)


@pytest.mark.parametrize("neurons", [LIF(POST, t_refractory=3.0), AdaptiveLIF(POST)], ids=["refractory", "adaptive"])
def test_a_network_tells_the_rule_how_far_neurons_were_above_threshold(neurons: Any) -> None:
    network = Network()
    network.add("input", PRE)
    network.add("hidden", neurons)
    connection = Dense(PRE, POST, weight_mean=1.0, weight_std=1.0)
    network.connect("input", "hidden", connection, rule=EProp())
    network.connect("hidden", "hidden", Dense(POST, POST, weight_std=0.5), rule=EProp())
    told: list[Tensor] = []
    network.rules["input to hidden"].register_forward_pre_hook(lambda _, given: told.append(given[2]))
    before = connection.weight.clone()
    recording, _ = network.run({"input": train().float()}, modulator=torch.ones(BATCH), window=LENGTH)
    spikes = recording["hidden"]["spikes"]
    assert 0 < spikes.mean() < 1
    assert torch.equal((torch.cat(told) >= 0).float(), spikes)
    assert not torch.equal(connection.weight, before)


def test_learning_signals_are_errors_times_feedback_weights() -> None:
    feedback = ErrorFeedback((2, 2), 3, std=1.0, value=0.5, generator=torch.Generator().manual_seed(0))
    credit = draw(4, BATCH, 3).float()
    expected = credit @ feedback.weight[:, :3].t() + 0.5 * feedback.weight[:, 3]
    torch.testing.assert_close(feedback(credit), expected.view(4, BATCH, 2, 2))


def test_feedback_stays_or_is_that_of_the_readouts_or_makes_their_changes() -> None:
    actor, critic = torch.arange(24.0).view(6, 4), torch.arange(8.0).view(2, 4)
    mean = torch.stack([actor[:3].mean(0), actor[3:].mean(0), critic.mean(0)]).t()
    for kind in ("random", "symmetric", "adaptive"):
        feedback = ErrorFeedback((4,), 2, kind=kind, generator=torch.Generator().manual_seed(0))
        first = feedback.weight.clone()
        if kind == "symmetric":
            feedback.read_actions(actor)
            feedback.read_value(critic)
        feedback.change(actor, critic)
        feedback.change(None, critic)
        expected = {"random": first, "symmetric": mean, "adaptive": first + mean}[kind]
        torch.testing.assert_close(feedback.weight, expected)


def test_what_the_rule_cannot_do_is_said() -> None:
    with pytest.raises(ConfigError, match=r"^feedback=none: must be one of random, symmetric, adaptive$"):
        EProp(feedback="none")
    with pytest.raises(ConfigError, match=r"^surrogate=triangel: .*triangle"):
        EProp(surrogate="triangel")
    with pytest.raises(ConfigError, match=r"^slope=0.0: must be a positive number$"):
        EProp(slope=0.0)
    with pytest.raises(ConfigError, match=r"^rate_target=-2.0: must be at least 0 Hz$"):
        EProp(rate_target=-2.0)
    with pytest.raises(ConfigError, match=r"^connection=Conv2d: must be one in which each weight is that of one"):
        EProp().init_state(Conv2d(1, 1, 2), (1, 3, 3), (1, 2, 2), 1)
    network = Network()
    network.add("input", PRE)
    network.add("hidden", Izhikevich(POST))
    with pytest.raises(ConfigError, match=r"^rule=EProp: must be another, the neurons in hidden are no leaky"):
        network.connect("input", "hidden", Dense(PRE, POST), rule=EProp())
