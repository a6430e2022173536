"""Environments: recipes, vectors of them, and what a learner is told. Knows nothing of spikes."""

from snnrl.envs.atari import AtariEnv, VectorAtari
from snnrl.envs.checked import Checked, numbered
from snnrl.envs.config import AtariConfig, EnvConfig, RewardConfig
from snnrl.envs.factory import check_registered, make_env, make_envs, registered_ids, spaces_of
from snnrl.envs.feedback import Episode, EpisodeStats, Feedback, FeedbackBuilder, action_mask, as_one_row
from snnrl.envs.limits import LONGEST, for_evaluation, has_limit
from snnrl.envs.mnist import MNISTEnv, VectorMNIST
from snnrl.envs.own import OwnEnv, OwnSource, StandIn, is_registered, name_of
from snnrl.envs.seeding import env_seeds
from snnrl.envs.small_tasks import XOR, TMaze, cart_pole_partial
from snnrl.envs.types import Env, VectorEnv

__all__ = [
    "LONGEST",
    "XOR",
    "AtariConfig",
    "AtariEnv",
    "Checked",
    "Env",
    "EnvConfig",
    "Episode",
    "EpisodeStats",
    "Feedback",
    "FeedbackBuilder",
    "MNISTEnv",
    "OwnEnv",
    "OwnSource",
    "RewardConfig",
    "StandIn",
    "TMaze",
    "VectorAtari",
    "VectorEnv",
    "VectorMNIST",
    "action_mask",
    "as_one_row",
    "cart_pole_partial",
    "check_registered",
    "env_seeds",
    "for_evaluation",
    "has_limit",
    "is_registered",
    "make_env",
    "make_envs",
    "name_of",
    "numbered",
    "registered_ids",
    "spaces_of",
]
