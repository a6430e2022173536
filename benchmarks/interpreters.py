"""Runs the scripts in `peers/`, each by the interpreter that has its simulator, and reads the line that it prints."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "benchmarks" / "peers"


def add_interpreters(parser: argparse.ArgumentParser, peers: list[str]) -> None:
    """The option that says where a peer is installed."""
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="PEER=PATH",
        help=f"interpreter of an environment that has a peer; this one unless given. Peers: {', '.join(peers)}",
    )


def interpreters(arguments: argparse.Namespace, peers: list[str]) -> dict[str, str]:
    """The interpreter of each peer."""
    given = dict(pair.partition("=")[::2] for pair in arguments.python)
    strangers = set(given) - set(peers)
    if strangers:
        raise SystemExit(f"--python {', '.join(sorted(strangers))}: must be one of {', '.join(peers)}")
    return {peer: given.get(peer, sys.executable) for peer in peers}


def installed(python: str, module: str) -> bool:
    """Whether an interpreter can find a module."""
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


def ask(python: str, script: str, options: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The JSON line of a script, or what went wrong under ``"error"``.

    OpenMP threads wait without spinning: where another process has a core, spinning ones slow each other down by far.
    """
    command = [python, str(PEERS / script)]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    env = {**os.environ, "OMP_WAIT_POLICY": "passive", "PYTHONPATH": path}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, env=env)
    except subprocess.TimeoutExpired:
        return {"error": f"longer than {seconds:.0f} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        return {"error": (done.stderr.strip().splitlines() or ["no result"])[-1][:160]}
    found: dict[str, Any] = json.loads(lines[-1])
    return found
