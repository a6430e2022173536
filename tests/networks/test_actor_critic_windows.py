"""Behind an encoder of synchronous spikes each window of an actor-critic begins anew; its eligibility lasts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.connections import Dense
from snnrl.networks import ActorCritic, Layer
from snnrl.neurons import LIF, EscapeNoise, SaturatingIF
from snnrl.plasticity import MSTDP, MSTDPET, STDP, AnyRule, Homeostasis, ThirdFactor, ThreeFactor, TripletSTDP
from snnrl.state import leaves
from tests.networks.test_actor_critic import SIZE, STEPS, TrainEncoder, VolleyEncoder, seeded, spikes

BATCH, HIDDEN = 2, 7
RULES: dict[str, Any] = {
    "three_factor": lambda: ThreeFactor(0.9, tau_pre=8.0, postsynaptic_floor=0.1),
    "mstdpet": lambda: MSTDPET(tau_eligibility=50.0, a_plus=0.3, a_minus=0.2),
    "mstdp": lambda: MSTDP(a_plus=0.3, a_minus=0.2),
    "stdp": lambda: STDP(a_plus=0.3, a_minus=0.2),
    "triplet_stdp": TripletSTDP,
}


def network(rule: Any, encoder: TrainEncoder) -> ActorCritic:
    draw = seeded()

    def layer(neurons: Any, pre: int, recurrent: bool = False) -> Layer:
        def dense(size: int) -> Dense:
            return Dense(size, neurons.size, weight_mean=0.6, weight_std=0.2, generator=draw)

        around: tuple[Dense, AnyRule] | tuple[()] = (dense(neurons.size), rule()) if recurrent else ()
        return Layer(neurons, dense(pre), rule(), *around)

    hidden = layer(LIF(HIDDEN, tau_mem=5.0, decay_input=False), SIZE, recurrent=True)
    actor = layer(EscapeNoise(4, v_threshold=0.5, generator=seeded(1)), HIDDEN)
    critic = layer(SaturatingIF(3, gain=0.3), HIDDEN)
    settings: dict[str, Any] = {"actions": 2, "sim_steps": STEPS}
    return ActorCritic(encoder, [hidden], actor, critic, **settings).double()


def learn(net: ActorCritic, observations: list[Tensor], start: Any = None) -> tuple[dict[str, Tensor], Any]:
    """The changes of one update from as many windows, and the rules' states after it."""
    state, windows = net.begin(BATCH), []
    for observation in observations:
        activity, state = net(observation, state, expected=True)
        windows.append(activity.seen)
    modulator = torch.linspace(0.5, 1.0, len(observations) * BATCH).view(-1, BATCH).double()
    third = dict.fromkeys(windows[0], ThirdFactor(modulator, torch.ones_like(modulator)))
    return net.changes(net.joined(windows), third, net.init_rules(BATCH) if start is None else start)


@pytest.mark.parametrize("name", RULES)
def test_what_a_window_leaves_behind_synchronous_spikes_is_eligibility_alone(name: str) -> None:
    net = network(RULES[name], VolleyEncoder())
    _, rules = learn(net, [spikes(BATCH, SIZE, density=0.8)])
    fresh = net.init_rules(BATCH)
    assert len(rules) == 4
    for after, rest in zip(rules, fresh, strict=True):
        for now, begun in zip(leaves(after), leaves(rest), strict=True):
            eligibility = hasattr(after, "eligibility") and now is after.eligibility
            assert now.any() if eligibility else torch.equal(now, begun)


@pytest.mark.parametrize("name", RULES)
def test_several_windows_of_synchronous_spikes_in_one_update_do_not_meet(name: str) -> None:
    """Where no eligibility lasts, the change is the sum of what each window alone changes."""
    net = network(RULES[name], VolleyEncoder())
    for edge in net.plastic():
        if isinstance(net.rule(edge), ThreeFactor):
            net.rule(edge).decay = 0.0 if name == "three_factor" else 1e-30
    shown = [spikes(BATCH, SIZE, density=0.8, seed=seed) for seed in range(3)]
    changes, _ = learn(net, shown)
    modulator = torch.linspace(0.5, 1.0, 3 * BATCH).view(-1, BATCH).double()
    for key, change in changes.items():
        alone = torch.zeros_like(change)
        for number, observation in enumerate(shown):
            activity, _ = net(observation, net.begin(BATCH), expected=True)
            third = dict.fromkeys(activity.seen, ThirdFactor(modulator[number : number + 1]))
            alone += net.changes(activity.seen, third, net.init_rules(BATCH))[0][key]
        torch.testing.assert_close(change, alone, rtol=1e-9, atol=1e-12)
        assert change.any()


def test_traces_of_spike_trains_go_on_from_window_to_window() -> None:
    net = network(RULES["stdp"], TrainEncoder())
    _, rules = learn(net, [spikes(BATCH, STEPS, SIZE, density=0.8)])
    assert all(leaf.any() for rule in rules for leaf in leaves(rule))


def test_a_running_rate_lasts_as_long_as_the_episode_behind_any_encoder() -> None:
    net = network(lambda: Homeostasis(rate_target=50.0, learning_rate=0.01, tau_rate=20.0), VolleyEncoder())
    _, rules = learn(net, [spikes(BATCH, SIZE, density=0.8)])
    assert all((rule.rate != 50.0).any() for rule in rules)
