"""Let an agent act in a loop of your own, as with stable-baselines3's ``predict``."""

import gymnasium as gym

import snnrl

agent = snnrl.make_agent("CartPole", seed=0)
env = gym.make("CartPole-v1")
observation, _ = env.reset(seed=0)
state, total, done = None, 0.0, False
while not done:
    action, state = agent.predict(observation, state, deterministic=True)
    observation, reward, terminated, truncated, _ = env.step(action)
    total += float(reward)
    done = terminated or truncated
print("return", total)
