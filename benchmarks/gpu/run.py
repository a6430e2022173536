"""Runs the steps of this folder one after the other, each in a process and with a time limit of its own.

Called by ``benchmarks/gpu.sh``. What is found is written to ``gpu.json`` in the folder ``--out`` after each step; one
that fails or hangs leaves the rows that it had printed and its error, and the next goes on. Steps that only compare
results run beside each other where there are cores; those that measure time run alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LIMITS = {
    **{"machine": 40, "kernels": 90, "agents": 90, "learners": 90, "policies": 90, "resume": 150},
    **{"seed": 60, "lif": 60, "mnist": 60, "mstdp": 60, "acting": 150, "tracing": 40},
}
"""Seconds that each step may take, in the order in which they run."""
COMPARING = ("kernels", "agents", "learners", "policies", "resume")
"""Steps that measure no time."""
NEEDED = ("torch", "numba", "scipy", "gymnasium", "ale_py", "hydra", "stable_baselines3", "triton", "torchvision")


def ask(step: str, dry: bool, log: Path) -> dict[str, Any]:
    """The rows of a step, its seconds, and what went wrong under ``error``."""
    began = time.perf_counter()
    command = [sys.executable, str(HERE / f"{step}.py"), *(["--dry"] if dry else [])]
    places = [str(HERE.parent), str(HERE.parent / "peers"), os.environ.get("PYTHONPATH")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    error = None
    with tempfile.TemporaryFile("w+") as output, log.open("a") as errors:
        try:
            limit = LIMITS[step] * (4 if dry else 1)
            done = subprocess.run(command, stdout=output, stderr=errors, timeout=limit, env=env, check=False)
            if done.returncode:
                error = f"exit code {done.returncode}, see {log.name}"
        except subprocess.TimeoutExpired as late:
            error = f"longer than {late.timeout:.0f} s"
        output.seek(0)
        rows = [json.loads(line) for line in output if line.startswith("{") and line.endswith("}\n")]
    found = {"seconds": round(time.perf_counter() - began, 1), "rows": rows}
    return found if error is None else {**found, "error": error}


def results(steps: Sequence[str], dry: bool, log: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each step and what it found, as it is done."""
    jobs = max(1, min(len(COMPARING), (os.cpu_count() or 1) // 3))
    together = [step for step in steps if step in COMPARING]
    waiting = list(steps)
    while waiting:
        if waiting[0] not in together:
            step = waiting.pop(0)
            yield step, ask(step, dry, log)
            continue
        with ThreadPoolExecutor(jobs) as pool:
            asked = {pool.submit(ask, step, dry, log): step for step in together}
            for done in as_completed(asked):
                yield asked[done], done.result()
        waiting = [step for step in waiting if step not in together]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("."), help="folder for gpu.json and gpu.log")
    parser.add_argument("--only", nargs="+", choices=list(LIMITS), default=list(LIMITS))
    parser.add_argument("--dry", action="store_true", help="on the CPU, with tiny sizes")
    arguments = parser.parse_args()
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"missing here: {', '.join(missing)}", flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    path, log = arguments.out / "gpu.json", arguments.out / "gpu.log"
    log.write_text("")
    steps = [step for step in LIMITS if step in arguments.only]
    found: dict[str, Any] = {"date": time.strftime("%F"), "dry": arguments.dry, "missing": missing, "steps": {}}
    for step, result in results(steps, arguments.dry, log):
        found["steps"][step] = result
        path.write_text(json.dumps(found, indent=1))
        wrong = [result["error"]] if "error" in result else []
        wrong += [f"{row['name']}: {row['error']}" for row in result["rows"] if "error" in row]
        print(f"{step}: {result['seconds']} s, {len(result['rows'])} rows", *wrong, sep="\n    ", flush=True)
    return int(any("error" in result for result in found["steps"].values()))


if __name__ == "__main__":
    sys.exit(main())
