"""The network of the R-STDP agent: what a recipe says of it, and how it is made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from snnrl.connections import CONNECTIONS, Projection, Sparse
from snnrl.connections.synapses import random_pairs
from snnrl.encoders import AnyEncoder
from snnrl.errors import ConfigError, shown
from snnrl.networks import ActorCritic, ErrorFeedback, Layer
from snnrl.neurons import NEURONS, AnyNeuron, SaturatingIF
from snnrl.plasticity import RULES, AnyRule, EProp, ThreeFactor, TruncatedThreeFactor
from snnrl.settings import Part, Settings, accepted, build, part, setting
from snnrl.types import Setting

SECTION = "agent.network"
INITIAL_CURRENT = 0.225
"""What all spikes of a simulation step together bring to a neuron through its first weights."""
INITIAL_SPREAD = 0.13
"""Standard deviation of first weights as a share of their mean."""
UNTOLD_MEAN = 0.15
"""Mean of first weights where it is not known how much an encoder fires."""
Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerConfig(Settings):
    """A population of neurons and how it is connected."""

    neuron: Part = part(NEURONS, "lif", "neuron model, a name or name and settings")
    rule: Part | None = part(RULES, "three_factor", "plasticity rule of the connection; null for fixed weights")
    connection: Part = part(CONNECTIONS, "dense", "connection from the population before")


@dataclass(frozen=True)
class ActorConfig(LayerConfig):
    """The actor: a population for each action."""

    per_action: int = setting(10, "neurons for each action", at_least=1)
    neuron: Part = part(NEURONS, {"name": "escape_noise", "v_threshold": 2.0, "width": 0.5}, "neuron model")


@dataclass(frozen=True)
class CriticConfig(LayerConfig):
    """The critic, whose mean rate is the value."""

    size: int = setting(40, "neurons", at_least=1)
    neuron: Part = part(NEURONS, {"name": "saturating_if", "gain": 0.2}, "neuron model")
    graded: bool = setting(
        False, "whether what membranes have gained counts as a part of a spike, for values finer than spikes can tell"
    )


@dataclass(frozen=True)
class HiddenConfig(LayerConfig):
    """A hidden layer."""

    size: int | tuple[int, ...] = setting(100, "neurons, or the shape of their population", at_least=1)
    rule: Part | None = part(RULES, None, "plasticity rule of its connections; null for fixed weights")
    recurrent: Part | None = part(CONNECTIONS, None, "connection of the population with itself; null for none")
    critic: CriticConfig | None = setting(
        None,
        "a population that predicts reward from this layer alone, and from whose TD error the layer learns in place of "
        "the agent's; null for none",
    )


@dataclass(frozen=True)
class NetworkConfig(Settings, section=SECTION):
    """The populations between the encoder and what is decided."""

    hidden: tuple[HiddenConfig, ...] = setting(
        (),
        "list of hidden layers, the first of which reads the encoder: '[{size: 200, neuron: lif, rule: stdp}]'",
    )
    actor: ActorConfig = setting(ActorConfig(), "prefers actions")
    critic: CriticConfig = setting(CriticConfig(), "predicts reward")
    persistent: bool = setting(
        False,
        "whether neurons keep what they know from one decision to the next where the encoder's spikes are synchronous "
        "(objects, frames, patches), as they always do elsewhere",
    )

    def with_fixed_hidden(self) -> NetworkConfig:
        """The same network with hidden layers that do not learn."""
        return replace(self, hidden=tuple(replace(layer, rule=None) for layer in self.hidden))


class Common(NamedTuple):
    """What holds for the whole network, unless a part says otherwise."""

    dt: float
    """ms."""
    tau: float
    """ms, of membranes, synaptic currents and presynaptic traces."""
    decay: float
    """Of eligibility, from one decision to the next."""
    hidden_lr: float
    """Learning rate of three-factor rules in hidden layers; those of actor and critic are the agent's."""
    postsynaptic_floor: float
    weight_mean: float
    weight_std: float
    weight_bound: float
    generator: torch.Generator
    critic_tonic: float
    """Drive of critics without input."""


class InitialWeights(NamedTuple):
    """Distribution of first weights."""

    mean: float
    std: float


def initial_weights(mean: float | None, std: float | None, encoder: AnyEncoder) -> InitialWeights:
    """First weights by which a neuron's current is the same whatever the encoder, where a recipe does not say any.

    An actor that is nearly silent, or that always fires, does not learn. Behind synchronous spikes, whose number
    depends on what is seen, weights begin at zero.

    Args:
        mean: of the recipe, or ``None``.
        std: the same.
        encoder: what is read.
    """
    if mean is None:
        usual = 0.0 if encoder.synchronous else UNTOLD_MEAN
        mean = usual if encoder.total_rate is None else INITIAL_CURRENT / encoder.total_rate
    return InitialWeights(mean, INITIAL_SPREAD * abs(mean) if std is None else std)


def make_network(
    config: NetworkConfig,
    common: Common,
    encoder: AnyEncoder,
    *,
    actions: int,
    sim_steps: int,
    fused: bool = True,
    graded: bool = False,
) -> ActorCritic:
    """The network that a recipe describes.

    Args:
        config: what the recipe says of each part.
        common: what holds for all parts.
        encoder: what is read.
        actions: number of populations of the actor.
        sim_steps: of one decision.
        fused: ``False`` goes without the fused implementation of the default readouts.
        graded: whether rates of actor and critic are resolved beyond whole spikes; of a critic its recipe may say so.

    Raises:
        ConfigError: a part that cannot be made or does not fit, under its name in the recipe.
    """
    shape: Shape = (encoder.size,)
    hidden, sections = [], []
    for number, layer in enumerate(config.hidden):
        sections.append(f"{SECTION}.hidden[{number}]")
        own = (layer.size,) if isinstance(layer.size, int) else layer.size
        made = _layer(layer, common, sections[-1], shape, own, layer.recurrent)
        if isinstance(made.rule, EProp):
            made = made._replace(feedback=_feedback(made.rule, common, own, actions))
        if layer.critic is not None:
            critic = _layer(layer.critic, common, f"{sections[-1]}.critic", own, (layer.critic.size,))
            made = made._replace(critic=critic)
        hidden.append(made)
        shape = own
    _require_read(config, sections)
    ends = [("actor", config.actor, actions * config.actor.per_action), ("critic", config.critic, config.critic.size)]
    actor, critic = (_layer(layer, common, f"{SECTION}.{name}", shape, (size,)) for name, layer, size in ends)
    for name, end in (("actor", actor), ("critic", critic)):
        if (graded or (name == "critic" and config.critic.graded)) and not isinstance(end.neurons, SaturatingIF):
            given = type(end.neurons).__name__
            raise ConfigError(f"{SECTION}.{name}.neuron={given}: must be saturating_if, whose membranes keep the rest")
    return ActorCritic(
        encoder,
        hidden,
        actor,
        critic,
        actions=actions,
        sim_steps=sim_steps,
        dt=common.dt,
        persistent=config.persistent,
        fused=fused,
        graded={"actor", "critic"} if graded else {"critic"} if config.critic.graded else (),
    )


def _layer(
    config: LayerConfig, common: Common, section: str, pre: Shape, own: Shape, recurrent: Part | None = None
) -> Layer:
    hidden = isinstance(config, HiddenConfig)
    neurons = _neurons(config, common, f"{section}.neuron", own)
    rules = [_rule(config.rule, common, f"{section}.rule", neurons, hidden=hidden) for _ in range(2)]
    connection = _connection(config.connection, common, f"{section}.connection", pre, own)
    _require_learnable(config.rule, rules[0], connection, neurons, section, pre)
    if recurrent is None:
        return Layer(neurons, connection, rules[0])
    around = _connection(recurrent, common, f"{section}.recurrent", own, own)
    _require_learnable(config.rule, rules[1], around, neurons, section, own)
    return Layer(neurons, connection, rules[0], around, rules[1])


def _require_read(config: NetworkConfig, sections: Sequence[str]) -> None:
    """Raise :class:`ConfigError` for feedback that follows readouts which do not read the layer, or not one by one."""
    for layer, section in zip(config.hidden, sections, strict=True):
        kind = None if layer.rule is None else layer.rule.settings.get("feedback")
        own = None if layer.critic is None else layer.critic.connection.name
        if layer.rule is not None and layer.rule.name == "e_prop" and own not in (None, "dense"):
            raise ConfigError(f"{section}.critic.connection={own}: must be dense where the layer learns by e_prop")
        if kind not in ("symmetric", "adaptive"):
            continue
        if section != sections[-1]:
            raise ConfigError(f"{section}.rule.feedback={kind}: must be random, the readouts read the last layer alone")
        for name, readout in (("actor", config.actor), ("critic", config.critic)):
            if readout.connection.name != "dense":
                raise ConfigError(
                    f"{section}.rule.feedback={kind}: must be random where {SECTION}.{name}.connection is not dense"
                )
            if kind == "adaptive" and readout.rule is None:
                raise ConfigError(
                    f"{section}.rule.feedback=adaptive: must be random or symmetric where {SECTION}.{name}.rule is "
                    "null, as it follows what the readouts learn"
                )


def _feedback(rule: EProp, common: Common, shape: Shape, actions: int) -> ErrorFeedback:
    return ErrorFeedback(
        shape,
        actions,
        kind=rule.feedback,
        std=rule.feedback_std,
        value=rule.value_feedback,
        generator=common.generator,
    )


def _neurons(config: LayerConfig, common: Common, section: str, shape: Shape) -> AnyNeuron:
    part, usual = config.neuron, {"tau_mem": common.tau, "tau_syn": common.tau}
    if isinstance(config, CriticConfig):
        usual["tonic"] = common.critic_tonic
    usual["decay_input"] = False  # as in the default actor's membrane, for which the usual weights are made
    part = _with_usual(NEURONS.find(part.name, section), part, usual)
    size: int | Shape = shape[0] if len(shape) == 1 else shape
    neurons = build(NEURONS, part, section, shape=size, dt=common.dt, generator=common.generator)
    if not isinstance(config, HiddenConfig) and not neurons.FIRES:
        raise ConfigError(f"{section}={part.name}: must be a model that fires, its spikes are counted")
    return neurons


def _rule(part: Part | None, common: Common, section: str, neurons: AnyNeuron, *, hidden: bool) -> AnyRule | None:
    if part is None:
        return None
    kind = RULES.find(part.name, section)
    usual: dict[str, Setting] = {"tau_pre": common.tau, "tau_mem": getattr(neurons, "tau_mem", common.tau)}
    usual |= {"decay": common.decay, "postsynaptic_floor": common.postsynaptic_floor, "tau_readout": common.tau}
    usual |= {name: getattr(neurons, name) for name in ("tau_adaptation", "threshold_rise") if hasattr(neurons, name)}
    if issubclass(kind, EProp):
        _require_alike(part, neurons, section.removesuffix(".rule"))
    if hidden and kind in (ThreeFactor, TruncatedThreeFactor, EProp):
        usual["learning_rate"] = common.hidden_lr
    return build(RULES, _with_usual(kind, part, usual), section, dt=common.dt)


def _require_alike(part: Part, neurons: AnyNeuron, section: str) -> None:
    """Raise :class:`ConfigError` for neurons that differ in what the rule must know of them."""
    for name in ("tau_mem", "tau_adaptation", "increment", "beta"):
        value = getattr(neurons, name, 0.0)
        if isinstance(value, Tensor) and value.dim():
            raise ConfigError(
                f"{section}.neuron.{name}={list(value.shape)}: must be one number, the same for all neurons that "
                f"learn by {part.name}"
            )


def _connection(part: Part, common: Common, section: str, pre: Shape, post: Shape) -> Projection:
    kind = CONNECTIONS.find(part.name, section)
    mean, std = common.weight_mean, common.weight_std
    usual = {"weight_mean": mean, "weight_std": std, "bounds": (-common.weight_bound, common.weight_bound)}
    try:
        given = kind.between(pre, post)
    except IndexError:
        raise ConfigError(
            f"{section}={part.name}: must be a connection of flat populations; the shapes are {list(pre)}, {list(post)}"
        ) from None
    if issubclass(kind, Sparse):
        part, given["index"] = _drawn_synapses(part, common, section, given)
    part = _with_usual(kind, part, usual)
    if ".hidden[" in section and part.settings.get("weight_mean") == 0 == part.settings.get("weight_std"):
        raise ConfigError(
            f"{section}.weight_std=0: with weight_mean=0 no spike would ever pass; must be above 0, such as "
            f"{section}={{name: {part.name}, weight_std: 0.1}}"
        )
    connection = build(CONNECTIONS, part, section, **given, generator=common.generator)
    spikes = torch.zeros((1, *((given["pre"],) if "pre" in given else pre)))
    try:
        current = connection(spikes)
    except ConfigError as error:
        raise ConfigError(
            f"{section}={part.name}: must take spikes of the population before, of shape {list(pre)}; {error}"
        ) from error
    if current[0].numel() != torch.Size(post).numel():
        found = list(current.shape[1:])
        raise ConfigError(f"{section}={part.name}: reaches neurons of shape {found}; must be as many as {list(post)}")
    return connection


def _drawn_synapses(part: Part, common: Common, section: str, sizes: Mapping[str, int]) -> tuple[Part, Tensor]:
    """A sparse connection's synapses, each there with the probability ``density``."""
    if "density" not in part.settings:
        raise ConfigError(f"{section}.density is missing: the probability that two neurons are connected, in (0, 1]")
    density = part.settings["density"]
    if isinstance(density, bool) or not isinstance(density, float | int) or not 0 < density <= 1:
        raise ConfigError(f"{section}.density={shown(density)}: must be in (0, 1]")
    pre = sizes["pre"]
    place = random_pairs(pre * sizes["post"], density, common.generator)
    rest = {name: value for name, value in part.settings.items() if name != "density"}
    return Part(part.name, rest), torch.stack([place // pre, place % pre])


def _with_usual(kind: type, part: Part, usual: Mapping[str, Setting]) -> Part:
    """A part with what holds for the whole network, where it takes such a setting and does not say otherwise."""
    names = accepted(kind)
    return Part(part.name, {name: value for name, value in usual.items() if name in names} | dict(part.settings))


def _require_learnable(
    part: Part | None, rule: AnyRule | None, connection: Projection, neurons: AnyNeuron, section: str, pre: Shape
) -> None:
    """Raise :class:`ConfigError` for a rule that does not fit what it shall change."""
    if part is None or rule is None:
        return
    if not hasattr(connection, "hebbian"):
        raise ConfigError(f"{section}.rule={part.name}: must be null, {type(connection).__name__} has no weights")
    if rule.uses_score and not hasattr(neurons, "score"):
        raise ConfigError(
            f"{section}.rule={part.name}: needs the score of stochastic neurons; {section}.neuron must have one, as "
            "escape_noise and srm0 do"
        )
    if rule.uses_excess and not hasattr(neurons, "above_threshold"):
        raise ConfigError(
            f"{section}.rule={part.name}: needs leaky membranes with a threshold; {section}.neuron must be one, as "
            "lif, adaptive_lif and lsnn are"
        )
    with _said_of(f"{section}.rule", part.name):
        shape = (math.prod(pre),) if connection.TAKES_FLAT else pre
        post = tuple(connection(torch.zeros((1, *shape))).shape[1:])
        rule.init_state(connection, shape, post, 1)  # type: ignore[arg-type]


@contextmanager
def _said_of(section: str, name: str) -> Iterator[None]:
    """Whatever is wrong is said of a setting of the recipe."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{section}={name}: {error}") from error
