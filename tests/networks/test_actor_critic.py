from __future__ import annotations

import math
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from snnrl.connections import Connection, Dense
from snnrl.encoders import Encoder
from snnrl.errors import ConfigError
from snnrl.networks import Activity, ActorCritic, ActorCriticState, Layer
from snnrl.neurons import EscapeNoise, Neuron, SaturatingIF
from snnrl.plasticity import ThirdFactor, ThreeFactor
from snnrl.spikes import SparseSpikes
from snnrl.state import reset_rows

STEPS, SIZE, ACTIONS, ACTOR, CRITIC = 6, 5, 2, 6, 4
TAU_PRE, TAU_MEM, TAU_SYN = 4.0, 3.0, 5.0


class Counter(NamedTuple):
    windows: Tensor


class TrainEncoder(Encoder[Counter]):
    """The observation ``[batch, time, size]`` is the spike train."""

    size = SIZE

    def init_state(self, batch: int) -> Counter:
        return Counter(torch.zeros(batch))

    def forward(self, observation: Tensor, state: Counter) -> tuple[Tensor, Counter]:
        return observation.transpose(0, 1), Counter(state.windows + 1)


class VolleyEncoder(TrainEncoder):
    """The observation ``[batch, size]`` is the synchronous spikes."""

    synchronous = True

    def forward(self, observation: Tensor, state: Counter) -> tuple[Any, Counter]:
        return SparseSpikes.from_dense(observation), Counter(state.windows + 1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def spikes(*shape: int, seed: int = 0, density: float = 0.4) -> Tensor:
    return (torch.rand(shape, generator=seeded(seed)) < density).double()


def network(
    encoder: Encoder[Any] | None = None,
    *,
    seed: int = 0,
    sim_steps: int = STEPS,
    tau_pre: float = TAU_PRE,
    weight_std: float = 0.5,
    weight_bound: float = 2.0,
    fused: bool = True,
) -> ActorCritic:
    draw = seeded(seed)

    def layer(neurons: Neuron[Any]) -> Layer:
        bounds = (-weight_bound, weight_bound)
        weights = {"weight_mean": 0.5, "weight_std": weight_std, "bounds": bounds, "generator": draw}
        rule = ThreeFactor(0.9, tau_pre=tau_pre, postsynaptic_floor=0.1)
        return Layer(neurons, Dense(SIZE, neurons.size, **weights), rule)

    actor = layer(EscapeNoise(ACTOR, tau_mem=TAU_MEM, v_threshold=1.0, rate_max=0.8, generator=seeded(seed + 1)))
    critic = layer(SaturatingIF(CRITIC, tau_syn=TAU_SYN, gain=0.2, tonic=0.3))
    return ActorCritic(
        TrainEncoder() if encoder is None else encoder,
        [],
        actor,
        critic,
        actions=ACTIONS,
        sim_steps=sim_steps,
        fused=fused,
    ).double()


def to(net: ActorCritic, name: str) -> Connection:
    return net.connection(next(edge for edge in net.edges if edge.post == name))


def assert_equal(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-11)


def pre(activity: Activity) -> Tensor:
    """The presynaptic factor of the Hebbian products."""
    found = activity.seen["input to actor"].pre
    return found if isinstance(found, Tensor) else found.dense()


def post(activity: Activity, name: str) -> Tensor:
    """The postsynaptic factor."""
    return activity.seen[f"input to {name}"].post


def test_a_window_of_a_spike_train_follows_a_plain_loop() -> None:
    net, batch = network(), 3
    observation = spikes(batch, STEPS, SIZE)
    activity, after = net(observation, net.begin(batch), expected=True)

    u_actor, u_critic = torch.zeros(batch, ACTOR).double(), torch.zeros(batch, CRITIC).double()
    v = ((torch.arange(CRITIC).double() + 0.5) / CRITIC).expand(batch, -1)
    trace = torch.zeros(batch, SIZE).double()
    fired, counted = torch.zeros_like(u_actor), torch.zeros_like(u_critic)
    for step in range(STEPS):
        now = observation[:, step]
        u_actor = math.exp(-1 / TAU_MEM) * u_actor + now @ to(net, "actor").weight.T
        probability = 0.8 / (1 + torch.exp(-(u_actor - 1.0) / 0.5))
        u_critic = math.exp(-1 / TAU_SYN) * u_critic + now @ to(net, "critic").weight.T
        v = v + 0.5 * (0.3 + 0.2 * u_critic).clamp(0, 1)
        crossed = (v >= 1).double()
        v = v - crossed
        trace = math.exp(-1 / TAU_PRE) * trace + now
        fired, counted = fired + probability, counted + crossed
        assert_equal(pre(activity)[step], trace)
        assert_equal(post(activity, "actor")[step], probability + 0.1)
        assert_equal(post(activity, "critic")[step], crossed + 0.1)

    assert_equal(activity.preference, torch.stack([fired[:, :3].mean(1), fired[:, 3:].mean(1)], dim=1))
    assert_equal(activity.level, counted.sum(1) / (CRITIC * STEPS * 0.5))
    assert_equal(after.trace, trace)
    assert_equal(after.network.neurons[0].u, u_actor)
    assert_equal(after.network.neurons[1].u, u_critic)
    assert_equal(after.network.neurons[1].v, v)
    assert after.encoder[0].tolist() == [1.0] * batch


@pytest.mark.parametrize("expected", [False, True])
def test_a_volley_is_a_train_that_spikes_at_the_first_step_only(expected: bool) -> None:
    batch = 3
    instant = spikes(batch, SIZE) * (normal(batch, SIZE).abs() + 0.5)
    train = torch.zeros(batch, STEPS, SIZE).double()
    train[:, 0] = instant
    by_instant, by_train = network(VolleyEncoder()), network()
    short, after = by_instant(instant, by_instant.begin(batch), expected=expected)
    long, _ = by_train(train, by_train.begin(batch), expected=expected)
    together = short.seen["input to actor"].pre
    assert isinstance(together, SparseSpikes)
    assert together.shape == (1, batch, SIZE)
    assert_equal(short.preference, long.preference)
    assert_equal(short.level, long.level)
    for name in ("actor", "critic"):
        connection = to(by_train, name)
        product = connection.hebbian(post(long, name), pre(long))
        assert_equal(connection.hebbian(post(short, name), together), product)
    assert after.encoder[0].tolist() == [1.0] * batch


def test_windows_of_volleys_forget_each_other() -> None:
    net = network(VolleyEncoder())
    first, second = spikes(2, SIZE), spikes(2, SIZE, seed=1)
    fresh = net.begin(2)
    _, carried = net(first, fresh, expected=True)
    after, _ = net(second, carried, expected=True)
    alone, _ = net(second, fresh, expected=True)
    assert torch.equal(after.preference, alone.preference)
    assert torch.equal(after.level, alone.level)
    assert torch.equal(post(after, "actor"), post(alone, "actor"))
    assert fresh.trace.shape == (2, 0)
    assert all(torch.equal(leaf, was) for leaf, was in zip(leaves(carried), leaves(fresh), strict=True))


def test_windows_of_a_train_go_on_where_the_last_one_ended() -> None:
    """Two windows of 3 steps, state carried over, are one window of 6."""
    whole, halves = network(), network(sim_steps=STEPS // 2)
    observation = spikes(2, STEPS, SIZE)
    long, end = whole(observation, whole.begin(2), expected=True)
    first, middle = halves(observation[:, :3], halves.begin(2), expected=True)
    second, other_end = halves(observation[:, 3:], middle, expected=True)
    assert_equal(torch.cat([pre(first), pre(second)]), pre(long))
    assert_equal(torch.cat([post(first, "actor"), post(second, "actor")]), post(long, "actor"))
    assert_equal(torch.cat([post(first, "critic"), post(second, "critic")]), post(long, "critic"))
    assert_equal(first.preference + second.preference, long.preference)
    assert_equal((first.level + second.level) / 2, long.level)
    assert_equal(other_end.trace, end.trace)


@pytest.mark.parametrize("encoder", [TrainEncoder, VolleyEncoder])
def test_rows_of_a_batch_are_independent(encoder: type[TrainEncoder]) -> None:
    net = network(encoder())
    observation = spikes(3, SIZE) if encoder.synchronous else spikes(3, STEPS, SIZE)
    together, _ = net(observation, net.begin(3), expected=True)
    for row in range(3):
        alone, _ = net(observation[row : row + 1], net.begin(1), expected=True)
        assert_equal(alone.preference[0], together.preference[row])
        assert_equal(alone.level[0], together.level[row])
        assert_equal(post(alone, "actor")[:, 0], post(together, "actor")[:, row])
        assert_equal(post(alone, "critic")[:, 0], post(together, "critic")[:, row])
        assert_equal(pre(alone)[:, 0], pre(together)[:, row])


@pytest.mark.parametrize("encoder", [TrainEncoder, VolleyEncoder])
def test_a_reset_row_starts_over_and_the_other_goes_on(encoder: type[TrainEncoder]) -> None:
    net = network(encoder())
    observation = spikes(2, SIZE) if encoder.synchronous else spikes(2, STEPS, SIZE)
    fresh = net.begin(2)
    _, state = net(observation, fresh)
    after = reset_rows(state, fresh, torch.tensor([True, False]))
    assert isinstance(after, ActorCriticState)
    assert after.encoder[0].tolist() == [0.0, 1.0]
    pairs = zip(leaves(after), leaves(fresh), leaves(state), strict=True)
    for now, new, old in pairs:
        assert torch.equal(now[0], new[0])
        assert torch.equal(now[1], old[1])


def leaves(state: ActorCriticState) -> tuple[Tensor, ...]:
    actor, critic = state.network.neurons
    return actor.u, critic.u, critic.v, state.trace


@pytest.mark.parametrize(("tonic", "level"), [(-5.0, 0.0), (0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (5.0, 1.0)])
def test_the_level_goes_from_silence_to_the_highest_rate(tonic: float, level: float) -> None:
    """At the drive ``d`` of every step the level is ``d``, here exact: 6 steps, phases of 1/4."""
    net = network()
    net.neuron("critic").tonic = tonic
    activity, _ = net(torch.zeros(1, STEPS, SIZE).double(), net.begin(1))
    assert activity.level.item() == pytest.approx(level)


def test_the_mean_of_drawn_preferences_is_the_expected_preference() -> None:
    """Within 5 standard deviations: the draws of steps, neurons and rows are independent given the input."""
    net, rows = network(), 4000
    observation = spikes(1, STEPS, SIZE)
    exact, _ = net(observation, net.begin(1), expected=True)
    drawn, _ = net(observation.expand(rows, -1, -1), net.begin(rows))
    p = (post(exact, "actor") - 0.1)[:, 0]
    neurons = ACTOR // ACTIONS
    variance = (p * (1 - p)).sum(0).view(ACTIONS, neurons).sum(1) / neurons**2
    distance = (drawn.preference.mean(0) - exact.preference[0]).abs()
    assert (distance < 5 * torch.sqrt(variance / rows)).all()
    assert set(post(drawn, "actor").unique().tolist()) == {0.1, 1.1}, "spikes plus the floor"


def test_one_seed_gives_the_same_weights_and_spikes_and_another_gives_others() -> None:
    observation = spikes(2, STEPS, SIZE)

    def run(seed: int) -> Activity:
        net = network(seed=seed)
        return net(observation, net.begin(2))[0]

    assert torch.equal(post(run(1), "actor"), post(run(1), "actor"))
    assert torch.equal(run(1).level, run(1).level)
    assert not torch.equal(post(run(1), "actor"), post(run(2), "actor"))


def test_weights_begin_within_their_bound_and_differ_between_actor_and_critic() -> None:
    net = network(weight_std=5.0, weight_bound=0.25)
    for connection in (to(net, "actor"), to(net, "critic")):
        assert connection.weight.abs().max() == 0.25
        assert connection.bounds == (-0.25, 0.25)
    assert to(net, "actor").weight.shape == (ACTOR, SIZE)
    assert to(net, "critic").weight.shape == (CRITIC, SIZE)
    assert not torch.equal(to(net, "actor").weight[:CRITIC], to(net, "critic").weight)


def test_a_window_changes_no_weight_and_not_the_state_it_was_given() -> None:
    net = network()
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    state = net.begin(2)
    before = [leaf.clone() for leaf in leaves(state)]
    net(spikes(2, STEPS, SIZE), state)
    assert all(torch.equal(value, weights[name]) for name, value in net.state_dict().items())
    assert all(torch.equal(leaf, was) for leaf, was in zip(leaves(state), before, strict=True))
    assert sorted(weights) == [f"connections.input to {name}.weight" for name in ("actor", "critic")]


@pytest.mark.parametrize("encoder", [TrainEncoder, VolleyEncoder])
def test_no_tensor_asks_for_a_gradient_after_a_learning_step(encoder: type[TrainEncoder]) -> None:
    net = network(encoder())
    observation = spikes(2, SIZE) if encoder.synchronous else spikes(2, STEPS, SIZE)
    activity, state = net(observation, net.begin(2))
    third = dict.fromkeys(activity.seen, ThirdFactor(torch.ones(1, 2).double()))
    changes, rules = net.changes(net.joined([activity.seen]), third, net.init_rules(2))
    before, connection = to(net, "actor").weight.clone(), to(net, "actor")
    connection.apply_(0.01 * changes["input to actor"])
    assert not torch.equal(connection.weight, before)
    learned = (*changes.values(), rules[0].eligibility, activity.preference, activity.level, *leaves(state))
    learned = (*learned, *net.parameters())
    assert not any(tensor.requires_grad for tensor in learned)


def test_a_presynaptic_time_constant_below_the_step_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^tau_pre=0.5: must be a number of ms that is at least dt \(1.0\)$"):
        network(tau_pre=0.5)


@pytest.mark.parametrize("encoder", [TrainEncoder, VolleyEncoder])
@pytest.mark.parametrize("windows", [1, 3])
def test_fused_readouts_are_the_composed_network_in_what_they_fire_and_what_they_learn(
    encoder: type[TrainEncoder], windows: int
) -> None:
    """Three times as many windows as are learned from at once, with ends of episodes and gates of the actor."""
    found: list[list[Tensor]] = []
    for fused in (True, False):
        net, batch, told = network(encoder(), fused=fused), 2, seeded(7)
        assert (net.fused is not None) == fused
        state, rules, kept = net.begin(batch), net.init_rules(batch), []
        for turn in range(3):
            seen = []
            for number in range(windows):
                shape = (batch, SIZE) if encoder.synchronous else (batch, STEPS, SIZE)
                activity, state = net(spikes(*shape, seed=10 * turn + number), state)
                seen.append(activity.seen)
                kept += [activity.preference, activity.level]
            continuing = torch.ones(windows, batch).double()
            continuing[-1, 1] = turn != 1
            critic = ThirdFactor(torch.randn(windows, batch, generator=told).double(), continuing)
            gate, instant = torch.randn(windows, batch, ACTOR, generator=told).double(), critic.modulator
            third = {"input to actor": critic._replace(instant=instant, gate=gate), "input to critic": critic}
            if turn == 1:
                state = reset_rows(state, net.begin(batch), torch.tensor([False, True]))
            joined = net.joined(seen)
            powers = net.input_powers(joined, third, rules)
            changes, rules = net.changes(joined, third, rules)
            for key, change in changes.items():
                net.connections[key].apply_(0.01 * change)  # type: ignore[union-attr, operator]
            kept += [*changes.values(), *(rule.eligibility for rule in rules), *powers.values()]
        found.append(kept)
    assert len(found[0]) == len(found[1])
    for one, other in zip(*found, strict=True):
        assert_equal(one, other)


def test_in_evaluation_mode_nothing_is_noted_for_rules() -> None:
    for fused in (True, False):
        net = network(fused=fused).eval()
        activity, _ = net(spikes(2, STEPS, SIZE), net.begin(2))
        assert not activity.seen
        assert set(activity.fired) >= {"actor", "critic"}
