"""Keep every decision of a game, and draw spikes, preferences and value."""

import os

import snnrl
from snnrl import plot

agent = snnrl.make_agent("CartPole", seed=0)
agent.learn(500 if "SNNRL_SHORT" in os.environ else 20_000)
trace = agent.record(episodes=1)
trace.save("game.npz")
trace = snnrl.Trace.load("game.npz")
plot.raster(trace, ["actor", "critic"], decisions=slice(0, 10)).savefig("spikes.png")
plot.preferences(trace).savefig("preferences.png")
print(trace)
