"""The part of a spiking policy that acts."""

from __future__ import annotations

from typing import Any

from snnrl.networks.layered import LayeredNetwork


def acting_part(policy: Any) -> tuple[list[LayeredNetwork], Any]:
    """The spiking layers between an observation and an action, and the linear layer that reads the last.

    Args:
        policy: of PPO, A2C, DQN, SAC or TD3; one that does not spike has no such layers.
    """
    if hasattr(policy, "mlp_extractor"):
        way, readout = [policy.features_extractor, policy.mlp_extractor.policy_net], policy.action_net
    elif hasattr(policy, "q_net"):
        way, readout = [policy.q_net.features_extractor, policy.q_net.q_net], policy.q_net.q_net[-1]
    else:
        actor = policy.actor
        sac = hasattr(actor, "latent_pi")
        way = [actor.features_extractor, actor.latent_pi if sac else actor.mu]
        readout = actor.mu if sac else actor.mu[1]
    return [module for part in way for module in part.modules() if isinstance(module, LayeredNetwork)], readout
