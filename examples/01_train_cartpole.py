"""Train an agent on CartPole, evaluate it, keep it in a file and read it again."""

import os

import snnrl

SHORT = "SNNRL_SHORT" in os.environ

agent = snnrl.make_agent("CartPole", seed=0)
agent.learn(500 if SHORT else 40_000)
print(snnrl.evaluate(agent, episodes=2 if SHORT else 20))

agent.save("cartpole.pt")
print(snnrl.load("cartpole.pt"))
