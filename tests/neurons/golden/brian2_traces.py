"""Write the golden traces of the neuron models: the same equations and currents, run by Brian2.

    python tests/neurons/golden/brian2_traces.py

needs Brian2 (``pip install brian2``) and no part of snnrl. ``tests/neurons/test_golden.py`` compares.

One step of snnrl is one turn of Brian2's schedule: groups (the membrane goes from t to t + dt under the current of t),
thresholds, resets. What snnrl calls the state after a step is recorded at the slot ``end``. Linear membranes are
integrated exactly by Brian2; what a model defines in discrete time is a ``run_regularly`` at the slot where it belongs.
Brian2 counts the step of the spike itself into the refractory period, snnrl the steps after it.
Brian2 is imported only when it is run, for pytest looks into every module.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

STEPS = 160
SEED = 11
"""Of the uniform numbers of SRM0."""

LEAKY = "dv/dt = (v_rest - v + I(t)) / (tau_mem * ms) : 1 (unless refractory)"
HARD = "v = v_reset"
AT_THRESHOLD = "v >= v_threshold"

# Each case: the model and its settings in snnrl; current as (mean, spread); in Brian2: equations, start values,
# threshold, reset, and pieces of code by slot.
CASES: dict[str, dict[str, Any]] = {
    "McCulloch-Pitts": {
        "model": "McCullochPitts",
        "settings": {"v_threshold": 0.705},
        "current": (0.3, 1.0),
        "equations": "v : 1",
        "reset": "",
        "regularly": {"groups": "v = I(t)"},
    },
    "IF, hard reset": {
        "model": "IF",
        "settings": {"v_threshold": 1.0037, "v_reset": -0.25, "v_rest": 0.0, "reset": "hard"},
        "current": (0.15, 0.4),
        "equations": "dv/dt = I(t) / dt : 1 (unless refractory)",
        "method": "euler",
    },
    "IF, soft reset": {
        "model": "IF",
        "settings": {"v_threshold": 1.5037, "v_reset": 0.5, "v_rest": 0.5, "reset": "soft", "t_refractory": 1.0},
        "current": (0.3, 0.6),
        "equations": "dv/dt = I(t) / dt : 1 (unless refractory)",
        "method": "euler",
        "reset": "v -= v_threshold - v_rest",
    },
    "LIF, refractory": {
        "model": "LIF",
        "settings": {"tau_mem": 8.0, "v_rest": -65.0, "v_threshold": -50.0, "v_reset": -60.0, "t_refractory": 3.0},
        "current": (20.0, 25.0),
        "equations": LEAKY,
    },
    "LIF, soft reset, short step": {
        "model": "LIF",
        "settings": {"tau_mem": 5.0, "v_rest": 0.0, "v_threshold": 1.0, "reset": "soft", "dt": 0.25},
        "current": (1.2, 3.0),
        "equations": LEAKY,
        "reset": "v -= v_threshold - v_rest",
    },
    "current LIF": {
        "model": "CurrentLIF",
        "settings": {"tau_mem": 12.0, "tau_syn": 4.0, "v_rest": 0.0, "v_reset": -0.5, "v_threshold": 1.0}
        | {"t_refractory": 2.0},
        "current": (0.5, 1.0),
        "equations": "dv/dt = (v_rest - v + i_syn) / (tau_mem * ms) : 1 (unless refractory)\ni_syn : 1",
        "regularly": {"before_groups": "i_syn = i_syn * exp(-dt / (tau_syn * ms)) + I(t)"},
        "also": {"i": "i_syn"},
    },
    "adaptive LIF": {
        "model": "AdaptiveLIF",
        "settings": {"tau_mem": 6.0, "tau_adaptation": 25.0, "increment": 0.3, "v_threshold": 1.0, "v_rest": 0.0}
        | {"v_reset": 0.0, "t_refractory": 1.0},
        "current": (1.8, 2.0),
        "equations": f"{LEAKY}\nda/dt = -a / (tau_adaptation * ms) : 1",
        "threshold": "v >= v_threshold + a",
        "reset": "v = v_reset; a += increment",
        "also": {"adaptation": "a"},
    },
    "LSNN": {
        "model": "LSNN",
        "settings": {"tau_mem": 8.0, "tau_adaptation": 40.0, "beta": 1.8, "v_threshold": 0.6, "v_rest": 0.0},
        "current": (1.5, 2.0),
        "equations": f"{LEAKY}\nb : 1",
        "threshold": "v >= v_threshold + beta * b",
        "regularly": {"after_thresholds": "b = b * exp(-dt / (tau_adaptation * ms))"},
        "reset": "v -= v_threshold; b += 1 - exp(-dt / (tau_adaptation * ms))",
        "also": {"adaptation": "b"},
    },
    "Diehl-Cook": {
        "model": "DiehlCook",
        "settings": {"tau_mem": 20.0, "v_rest": -65.0, "v_threshold": -52.0, "v_reset": -60.0, "t_refractory": 5.0}
        | {"theta_plus": 0.8, "tau_theta": 200.0},
        "current": (22.0, 25.0),
        "equations": f"{LEAKY}\ntheta : 1",
        "threshold": "v >= v_threshold + theta",
        "regularly": {"after_thresholds": "theta = theta * exp(-dt / (tau_theta * ms))"},
        "reset": "v = v_reset; theta += theta_plus",
        "also": {"theta": "theta"},
    },
    "Izhikevich, regular spiking": {
        "model": "Izhikevich",
        "settings": {"a": 0.02, "b": 0.2, "c": -65.0, "d": 8.0, "dt": 0.5},
        "current": (12.0, 8.0),
    },
    "Izhikevich, chattering": {
        "model": "Izhikevich",
        "settings": {"a": 0.02, "b": 0.2, "c": -50.0, "d": 2.0, "dt": 0.5},
        "current": (10.0, 3.0),
    },
    "SRM0": {
        "model": "SRM0",
        "settings": {"tau_mem": 6.0, "tau_refractory": 10.0, "eta_reset": 2.5, "v_threshold": 1.0, "width": 0.5}
        | {"rate_threshold": 0.2},
        "current": (0.25, 0.5),
        "equations": "dh/dt = -h / (tau_mem * ms) : 1\ndeta/dt = -eta / (tau_refractory * ms) : 1\nv = h + eta : 1",
        "start": {},
        "threshold": "U(t) < 1 - exp(-rate_threshold * dt / ms * exp((v - v_threshold) / width))",
        "regularly": {"after_groups": "h += I(t)"},
        "reset": "eta = -eta_reset",
        "record": "after_thresholds",
        "also": {"h": "h"},
    },
    "cumulative SRM": {
        "model": "CumulativeSRM",
        "settings": {"tau_mem": 4.0, "tau_refractory": 15.0, "eta_reset": 0.6, "v_threshold": 1.0},
        "current": (0.3, 0.6),
        "equations": "dh/dt = (e * x - h) / (tau_mem * ms) : 1\ndx/dt = -x / (tau_mem * ms) : 1\n"
        "deta/dt = -eta / (tau_refractory * ms) : 1\nv = h + eta : 1",
        "start": {},
        "regularly": {"after_groups": "x += I(t)"},
        "reset": "eta -= eta_reset",
        "record": "after_thresholds",
        "also": {"h": "h"},
    },
    "leaky integrator": {
        "model": "LeakyIntegrator",
        "settings": {"tau_mem": 15.0},
        "current": (0.2, 2.0),
        "equations": "dv/dt = (-v + I(t)) / (tau_mem * ms) : 1",
        "threshold": None,
        "start": {},
    },
}
IZHIKEVICH = {
    "equations": "v : 1\nu : 1",
    "start": {"v": "-65", "u": "-65 * b"},
    "threshold": "v >= 30",
    "reset": "v = c; u += d",
    "regularly": {
        "groups": "v += 0.5 * dt / ms * (0.04 * v * v + 5 * v + 140 - u + I(t))\n"
        "v += 0.5 * dt / ms * (0.04 * v * v + 5 * v + 140 - u + I(t))\n"
        "u += dt / ms * a * (b * v - u)"
    },
    "also": {"u": "u"},
}


def uniform_of_torch(seed: int, count: int) -> list[float]:
    """``torch.rand(count, dtype=float64)`` of a generator on the CPU, a Mersenne twister, without torch."""
    words = np.random.RandomState(seed)._bit_generator.random_raw(2 * count).astype(np.uint64)
    joined = (words[::2] << np.uint64(32)) | words[1::2]
    return ((joined & np.uint64(2**53 - 1)) / 2.0**53).tolist()


def current_of(mean: float, spread: float, seed: int) -> list[float]:
    """Noise, then a plateau, then silence, then noise again."""
    noise = np.random.default_rng(seed).normal(mean, spread, STEPS)
    noise[60:90] = 1.5 * mean
    noise[90:105] = 0.0
    return [round(value, 2) for value in noise.tolist()]


def run(case: dict[str, Any], current: list[float]) -> dict[str, Any]:
    import brian2
    from brian2 import NeuronGroup, SpikeMonitor, StateMonitor, TimedArray, ms

    brian2.prefs.codegen.target = "numpy"
    settings = case["settings"]
    step = settings.get("dt", 1.0) * ms
    brian2.start_scope()
    brian2.defaultclock.dt = step
    names = {key: value for key, value in settings.items() if key not in ("dt", "reset", "t_refractory")}
    names |= {"I": TimedArray(np.array(current), dt=step), "ms": ms}
    if case["model"] == "SRM0":
        names["U"] = TimedArray(np.array(uniform_of_torch(SEED, STEPS)), dt=step)
    threshold = case.get("threshold", AT_THRESHOLD)
    waiting = settings.get("t_refractory", 0.0)
    group = NeuronGroup(
        1,
        case["equations"] if waiting else case["equations"].replace(" (unless refractory)", ""),
        method=case.get("method", "exact") if "/dt =" in case["equations"] else None,
        threshold=threshold,
        reset=case.get("reset", HARD) if threshold else None,
        refractory=waiting * ms + step if waiting else False,
        namespace=names,
    )
    for slot, code in case.get("regularly", {}).items():
        group.run_regularly(code, when=slot)
    for name, value in case.get("start", {"v": "v_rest"} if "v_rest" in settings else {}).items():
        setattr(group, name, value)
    also = case.get("also", {})
    states = StateMonitor(group, ["v", *also.values()], record=True, when=case.get("record", "end"), order=9)
    parts = [group, *group.contained_objects, states]
    if threshold:
        spikes = SpikeMonitor(group)
        parts.append(spikes)
    brian2.Network(parts).run(STEPS * step)
    fired = [round(float(time / step)) for time in spikes.t] if threshold else []
    return {
        "model": case["model"],
        "settings": settings,
        "current": current,
        "spikes": fired,
        "v": [round(value, 8) for value in states.v[0].tolist()],
        "last": {ours: round(float(getattr(states, theirs)[0][-1]), 8) for ours, theirs in also.items()},
    }


def main() -> None:
    import brian2

    traces = {}
    for number, (name, case) in enumerate(CASES.items()):
        filled = {**IZHIKEVICH, **case} if case["model"] == "Izhikevich" else case
        traces[name] = run(filled, current_of(*case["current"], seed=number))
        print(f"{name}: {len(traces[name]['spikes'])} spikes")
    head = {"brian2": brian2.__version__, "seed": SEED, "uniform": uniform_of_torch(SEED, STEPS)}
    text = json.dumps({**head, "traces": traces}, separators=(",", ":"))
    for name in (*traces, "model", "settings", "current", "spikes", "v", "last", "seed", "uniform", "traces"):
        text = text.replace(f'"{name}":', f'\n"{name}":')
    Path(__file__).with_name("traces.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
