"""Environments: recipes, vectors of them, and what a learner is told. Knows nothing of spikes."""

from snnrl.envs.atari import AtariEnv, VectorAtari
from snnrl.envs.config import AtariConfig, EnvConfig, RewardConfig
from snnrl.envs.factory import make_env, make_envs
from snnrl.envs.feedback import Episode, EpisodeStats, Feedback, FeedbackBuilder, action_mask
from snnrl.envs.mnist import MNISTEnv, VectorMNIST
from snnrl.envs.seeding import env_seeds

__all__ = [
    "AtariConfig",
    "AtariEnv",
    "EnvConfig",
    "Episode",
    "EpisodeStats",
    "Feedback",
    "FeedbackBuilder",
    "MNISTEnv",
    "RewardConfig",
    "VectorAtari",
    "VectorMNIST",
    "action_mask",
    "env_seeds",
    "make_env",
    "make_envs",
]
