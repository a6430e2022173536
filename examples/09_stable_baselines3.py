"""A spiking policy in stable-baselines3: one line is another."""

import os

from stable_baselines3 import PPO

from snnrl.integrations.sb3 import SpikingActorCriticPolicy

settings = dict(sim_steps=4, neuron="lif")
model = PPO(SpikingActorCriticPolicy, "CartPole-v1", policy_kwargs=settings, n_steps=256, device="cpu", seed=0)
model.learn(256 if "SNNRL_SHORT" in os.environ else 20_000)
model.save("ppo.zip")
print(PPO.load("ppo.zip", device="cpu").policy)
