"""Networks: populations and connections composed."""

from snnrl.networks.actor_critic import Activity, ActorCritic, ActorCriticState

__all__ = ["Activity", "ActorCritic", "ActorCriticState"]
