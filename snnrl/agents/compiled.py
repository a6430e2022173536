"""Which agents decide, and learn, in compiled passes: the one place that says so."""

from __future__ import annotations

from snnrl.agents.compiled_events import CompiledEvents
from snnrl.agents.compiled_step import CompiledStep, Parts
from snnrl.agents.compiled_vectors import CompiledVectors
from snnrl.encoders import PopulationEncoder
from snnrl.encoders.normalise import Normaliser


def compiled_step(agent: Parts) -> CompiledStep | None:
    """What serves an agent with the default readouts on the CPU, else ``None``."""
    network, fused = agent.network, agent.network.fused
    if fused is None or network.persistent or agent.rate_scale().device.type != "cpu":
        return None
    encoder = network.encoder
    if encoder.synchronous:
        return CompiledEvents(agent, encoder, fused)
    if type(encoder) is PopulationEncoder and type(encoder.normaliser) is Normaliser:
        return CompiledVectors(agent, encoder, fused)
    return None
