"""The tables of ``docs/benchmarks.md`` from what ``benchmarks/gpu.sh`` wrote.

    python benchmarks/gpu_report.py results/gpu.json [more.json ...]

Of a step that is in several files the last counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Rows = Mapping[str, Mapping[str, Any]]
"""What a step found, by name."""


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def number(found: Mapping[str, Any] | None, key: str, form: str = "{:,.0f}", scale: float = 1.0) -> str:
    """A cell; – where nothing was measured."""
    if found is None or found.get(key) is None:
        return "–" if found is None or "error" not in found else "failed"
    return form.format(scale * found[key])


def split(rows: Rows, *last: str) -> list[str]:
    """Names without the word after their last comma, each once."""
    return list(dict.fromkeys(name.rpartition(", ")[0] for name in rows if name.rpartition(", ")[2] in last))


def yes(found: Mapping[str, Any], key: str) -> str:
    return "failed" if "error" in found else "yes" if found[key] else "no"


def machine(rows: Rows) -> str:
    found = rows["versions"]
    named = [f"{name} {found[name]}" for name in ("torch", "triton", "numba", "numpy", "gymnasium", "ale-py")]
    speeds = [
        f"device memory {number(rows.get('copy on the card'), 'gb_per_s')} GB/s read and written",
        f"products {number(rows.get('product, torch.float32'), 'tflops')} TFLOP/s in float32 and "
        f"{number(rows.get('product, torch.bfloat16'), 'tflops')} in bfloat16",
        f"a launch {number(rows.get('launch'), 'us', '{:.1f}')} µs, a small copy to the card "
        f"{number(rows.get('copy to the card'), 'us', '{:.1f}')} µs, a value read by the host "
        f"{number(rows.get('read by the host'), 'us', '{:.1f}')} µs",
    ]
    where = f"{found.get('card', 'no card')}, driver {found.get('driver', '–')}, CUDA {found.get('cuda', '–')}"
    return f"{where}; {found['cores']} cores of {found['cpu']}; Python {found['python']}, {', '.join(named)}. " + (
        "; ".join(speeds) + "."
    )


def kernels(rows: Rows) -> str:
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for name, found in rows.items():
        kinds.setdefault(", ".join(name.split(", ")[:2]) if "backward" in name else "forward", []).append(found)
    lines = []
    for kind, group in kinds.items():
        bits = [str(sum(bool(f.get(key)) for f in group)) for key in ("equal_loop", "equal_cpu")]
        off = max((f.get("off_cpu", f.get("v_off_cpu", 0.0)) for f in group), default=0.0)
        lines.append([kind, str(len(group)), *bits, "0" if off == 0 else f"{off:.0e}"])
    return table(["kernel", "cases", "equal to torch's loop on the card", "to the CPU", "largest difference"], lines)


def stepwise(unit: str) -> Callable[[Rows], str]:
    def shown(rows: Rows) -> str:
        lines = []
        for name, f in rows.items():
            same = f.get("same_actions", f.get("same_labels"))
            cells = [number(f, unit), number(f, f"equal_{unit}"), number(f, "first_difference", "{:.0e}")]
            lines.append([name, *cells, number(f, "apart", "{:.0e}"), number({"v": same}, "v", "{:.1%}")])
        heads = ["", unit, "equal bit for bit", "then off by", "weights at the end, of what they moved", "same choices"]
        return table(heads, lines)

    return shown


def policies(rows: Rows) -> str:
    lines = []
    for name, f in rows.items():
        if not name.endswith("training"):
            trained = rows.get(f"{name}, training", {})
            ran = "–" if not trained else "failed" if "error" in trained else f"{trained['steps']} steps"
            lines.append([name, number(f, "off", "{:.0e}"), number(f, "gradients_off", "{:.0e}"), ran])
    return table(["policy", "outputs off by", "gradients off by", "trained on the card"], lines)


def resume(rows: Rows) -> str:
    lines = [[name, number(f, "steps"), yes(f, "repeats"), yes(f, "resumes")] for name, f in rows.items()]
    return table(["run", "steps or images", "twice the same bits", "killed and resumed, the same bits"], lines)


def seed(rows: Rows) -> str:
    sizes = list(dict.fromkeys(name.split(", f")[0].split(", b")[0] for name in rows))
    lines = []
    for dtype, device in (("float32", "cuda"), ("bfloat16", "cuda"), ("float32", "cpu"), ("bfloat16", "cpu")):
        found = [rows.get(f"{size}, {dtype}, {device}") for size in sizes]
        lines.append([f"{device}, {dtype}", *(number(f, "seconds", "{:.2f}", 1e3) for f in found)])
        if device == "cuda":
            lines.append([f"its product alone, {dtype}", *(number(f, "product_seconds", "{:.2f}", 1e3) for f in found)])
    return table(["ms for a simulated second", *sizes], lines)


def lif(rows: Rows) -> str:
    lines = []
    for name, f in rows.items():
        times = (number(f, f"{way}_seconds", "{:.2f}", 1e3) for way in ("forward", "backward"))
        lines.append([name, *times, number(f, "peak_gb", "{:.1f}")])
    return table(["", "forward, ms", "backward, ms", "GB at most"], lines)


def beside(key: str, last: Sequence[str], heads: Sequence[str]) -> Callable[[Rows], str]:
    """A line for each name, a column for each of the words ``last``."""

    def shown(rows: Rows) -> str:
        names = split(rows, *last)
        lines = [[name, *(number(rows.get(f"{name}, {word}"), key) for word in last)] for name in names]
        return table(["", *heads], lines)

    return shown


def mnist(rows: Rows) -> str:
    shown = beside("images_per_second", ["cuda", "cpu"], ["card, images/s", "CPU, images/s"])(rows)
    passes = [f"{name}: {100 * f['accuracy']:.2f} %" for name, f in rows.items() if "accuracy" in f]
    return f"{shown}\n\nTest accuracy after one pass: {'; '.join(passes)}."


def tracing(rows: Rows) -> str:
    heads = ["a step of", "ms", "ms of work on the card", "launches", "copies to the card", "to the host", "waits"]
    keys = [("wall_ms", "{:.1f}"), ("card_ms", "{:.2f}"), *((k, "{:.0f}") for k in ("launches", "to_card", "to_host"))]
    lines = [[name, *(number(f, *key) for key in [*keys, ("waits", "{:.0f}")])] for name, f in rows.items()]
    return table(heads, lines)


ACTING = beside("steps_per_second", ["environments alone", "cuda", "cpu"], ["environments alone", "card", "CPU"])
TABLES: dict[str, tuple[str, Callable[[Rows], str]]] = {
    "machine": ("Machine", machine),
    "kernels": ("Kernels of the LIF", kernels),
    "agents": ("Agents", stepwise("steps")),
    "learners": ("Learners", stepwise("batches")),
    "policies": ("Policies of stable-baselines3", policies),
    "resume": ("Runs twice, and killed and resumed", resume),
    "acting": ("Environment steps per second", ACTING),
    "seed": ("The seed network", seed),
    "lif": ("Training by gradient", lif),
    "mnist": ("MNIST", mnist),
    "mstdp": (
        "Reward-modulated STDP, steps of 64 rows per second",
        beside("sim_steps_per_second", ["cuda", "cpu"], ["card", "CPU"]),
    ),
    "tracing": ("Where the time goes", tracing),
}


def main(paths: Sequence[str]) -> None:
    steps: dict[str, Any] = {}
    for path in paths:
        steps |= json.loads(Path(path).read_text())["steps"]
    for step, (title, shown) in TABLES.items():
        if step in steps:
            rows = {found["name"]: found for found in steps[step]["rows"]}
            print(f"### {title}\n\n{shown(rows)}\n")
            if "error" in steps[step]:
                print(f"Not to its end: {steps[step]['error']}.\n")


if __name__ == "__main__":
    main(sys.argv[1:])
