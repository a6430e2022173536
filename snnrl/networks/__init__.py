"""Networks: populations and connections composed."""

from snnrl.networks.actor_critic import Activity, ActorCritic, ActorCriticState, Layer
from snnrl.networks.feedback import ErrorFeedback
from snnrl.networks.network import Network
from snnrl.networks.recording import Recording
from snnrl.networks.structure import NetworkState, Structure
from snnrl.networks.window_run import Seen

__all__ = [
    "Activity",
    "ActorCritic",
    "ActorCriticState",
    "ErrorFeedback",
    "Layer",
    "Network",
    "NetworkState",
    "Recording",
    "Seen",
    "Structure",
]
