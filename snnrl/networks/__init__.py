"""Networks: populations and connections composed."""

from snnrl.networks.actor_critic import Activity, ActorCritic, ActorCriticState
from snnrl.networks.network import Network
from snnrl.networks.recording import Recording
from snnrl.networks.structure import NetworkState, Structure

__all__ = ["Activity", "ActorCritic", "ActorCriticState", "Network", "NetworkState", "Recording", "Structure"]
