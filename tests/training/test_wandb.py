"""Weights & Biases for real: its client, its service process and its files; the server is a small one of our own."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from wandb.proto import wandb_internal_pb2

from snnrl.errors import __file__ as errors_file

ROOT = Path(errors_file).parents[1]
KEY = "0" * 40
UNREACHABLE = "http://127.0.0.1:9"

OPEN = """
from snnrl.training.loggers import WandbLogger
logger = WandbLogger("run", {"agent": {"learning_rate": 0.125}, "seed": 3}, name="a name", resume_id=RESUME)
logger.log({"rollout/return_mean": 21.5}, step=1000)
logger.log({"rollout/return_mean": float("nan")}, step=2000)
print(logger.id)
"""
CLOSE = """logger.close({"eval/return_mean": 7.5})"""


def environment(home: Path, **settings: str) -> dict[str, str]:
    """An environment without anybody's keys and settings."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | settings


def run(home: Path, script: str, resume_id: str | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"RESUME = {resume_id!r}\n{script}"],
        cwd=home,
        env=environment(home, **settings),
        capture_output=True,
        text=True,
        timeout=100,
    )


def synced_folder(line: str) -> Path:
    """Where the line says that ``wandb sync`` will find the run."""
    found = re.search(r"wandb sync (\S+)$", line)
    assert found, line
    return Path(found[1])


def records(folder: Path) -> list[wandb_internal_pb2.Record]:
    """The records in a ``.wandb`` file: LevelDB's log format, blocks of 32 KiB, after a header of 7 bytes."""
    (path,) = folder.glob("run-*.wandb")
    content, at, part, found = path.read_bytes(), 7, b"", []
    assert content[:4] == b":W&B"
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        length, kind = struct.unpack_from("<HB", content, at + 4)
        part += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            found.append(wandb_internal_pb2.Record.FromString(part))
            part = b""
    return found


def written_run(folder: Path) -> wandb_internal_pb2.RunRecord:
    """What is said of the run itself."""
    (found,) = [record.run for record in records(folder) if record.HasField("run")]
    return found


def check_offline_run(folder: Path) -> None:
    """The run holds the config, the metrics with their steps, and the summary."""
    read = records(folder)
    (config,) = [
        {item.key: json.loads(item.value_json) for item in record.run.config.update}
        for record in read
        if record.HasField("run")
    ]
    assert config["agent"] == {"learning_rate": 0.125}
    assert config["seed"] == 3
    history = [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for record in read
        if record.HasField("history")
    ]
    assert [row["_step"] for row in history] == [1000, 2000]
    assert history[0]["rollout/return_mean"] == 21.5
    summary = {
        item.key or "/".join(item.nested_key): json.loads(item.value_json)
        for record in read
        for item in record.summary.update
    }
    assert summary["eval/return_mean"] == 7.5


def test_without_a_key_it_is_offline_and_asks_nothing_even_on_a_terminal(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", f"RESUME = None\n{OPEN}{CLOSE}"],
        cwd=tmp_path,
        env=environment(tmp_path, TERM="xterm-256color", WANDB_BASE_URL=UNREACHABLE),
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
    )
    os.close(slave)
    try:
        printed = process.communicate(timeout=60)[0]
        shown = os.read(master, 65536).decode()
    finally:
        process.kill()
        os.close(master)
    assert process.returncode == 0, shown
    (line,) = shown.splitlines()
    assert line.startswith("wandb: this run is kept offline (no API key is configured")
    folder = synced_folder(line)
    assert folder.is_relative_to(tmp_path / "run" / "wandb")
    assert folder.name.endswith(printed.strip())
    check_offline_run(folder)


def test_without_a_network_it_is_offline_within_seconds_and_keeps_its_id(tmp_path: Path) -> None:
    began = time.monotonic()
    settings = {"WANDB_API_KEY": KEY, "WANDB_BASE_URL": UNREACHABLE, "WANDB_HTTP_TIMEOUT": "1"}
    done = run(tmp_path, OPEN + CLOSE, resume_id="abcd1234", **settings)
    assert time.monotonic() - began < 20
    (line,) = done.stderr.splitlines()
    assert line.startswith("wandb: this run is kept offline (no run could be started at W&B: ")
    assert done.stdout == "abcd1234\n"
    check_offline_run(synced_folder(line))


def test_wandb_mode_is_respected(tmp_path: Path) -> None:
    offline = run(tmp_path, OPEN + CLOSE, WANDB_API_KEY=KEY, WANDB_BASE_URL=UNREACHABLE, WANDB_MODE="offline")
    (line,) = offline.stderr.splitlines()
    assert line.startswith("wandb: this run is kept offline (as WANDB_MODE=offline asks)")
    check_offline_run(synced_folder(line))
    disabled = run(tmp_path / "run", OPEN + CLOSE, WANDB_MODE="disabled")
    assert (disabled.returncode, disabled.stderr) == (0, "")
    assert not list((tmp_path / "run" / "run").iterdir())


def test_its_own_environment_variables_are_obeyed(tmp_path: Path) -> None:
    settings = {"WANDB_PROJECT": "mine", "WANDB_NAME": "my run", "WANDB_ENTITY": "me", "WANDB_RUN_GROUP": "a group"}
    settings |= {"WANDB_TAGS": "a,b", "WANDB_NOTES": "a note", "WANDB_DIR": str(tmp_path / "elsewhere")}
    (tmp_path / "elsewhere").mkdir()
    done = run(tmp_path, OPEN + CLOSE, WANDB_MODE="offline", WANDB_RUN_ID="id12", **settings)
    folder = synced_folder(done.stderr.splitlines()[-1])
    assert folder.is_relative_to(tmp_path / "elsewhere")
    (written,) = [record.run for record in records(folder) if record.HasField("run")]
    assert (written.project, written.display_name, written.run_id) == ("mine", "my run", "id12")
    assert (written.entity, written.run_group, written.notes, list(written.tags)) == (
        "me",
        "a group",
        "a note",
        ["a", "b"],
    )
    resumed = run(tmp_path, OPEN + CLOSE, resume_id="abcd1234", WANDB_MODE="offline", WANDB_RUN_ID="id12")
    assert resumed.stdout == "abcd1234\n", "the run that goes on is the one that was begun"


def test_without_them_project_and_name_are_the_runs_own_and_a_group_has_a_short_name_too(tmp_path: Path) -> None:
    done = run(tmp_path, OPEN + CLOSE, WANDB_MODE="offline", WANDB_GROUP="a group")
    (written,) = [
        record.run for record in records(synced_folder(done.stderr.splitlines()[-1])) if record.HasField("run")
    ]
    assert (written.project, written.display_name, written.run_group) == ("snnrl", "a name", "a group")


def test_wrong_wandb_settings_are_a_config_error(tmp_path: Path) -> None:
    done = run(tmp_path, OPEN, WANDB_MODE="offlien")
    assert re.search(r"ConfigError: logger=wandb: wandb's own settings are wrong: .*offlien", done.stderr)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the service process through /proc")
def test_training_goes_on_when_the_service_dies(tmp_path: Path) -> None:
    kill = """
import os, pathlib, signal, time
for children in pathlib.Path("/proc/self/task").glob("*/children"):
    for child in children.read_text().split():
        os.kill(int(child), signal.SIGKILL)
        print("killed")
time.sleep(0.5)
for step in (3000, 4000):
    logger.log({"rollout/return_mean": 1.0}, step=step)
"""
    done = run(tmp_path, OPEN + kill + CLOSE + "\nprint('went on')", WANDB_MODE="offline")
    assert done.stdout.split()[1:] == ["killed", "went", "on"]
    ours = [line for line in done.stderr.splitlines() if line.startswith("wandb:")]
    assert len(ours) == 2, done.stderr
    assert ours[1].startswith("wandb: logging has stopped (")
    assert synced_folder(ours[1]) == synced_folder(ours[0])


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the service process through /proc")
def test_service_that_does_not_go_is_left_behind(tmp_path: Path) -> None:
    stop = """
import os, pathlib, signal
from snnrl.training import loggers
stopped = [int(c) for t in pathlib.Path("/proc/self/task").glob("*/children") for c in t.read_text().split()]
for child in stopped:
    os.kill(child, signal.SIGSTOP)
loggers._WANDB_TEARDOWN_SECONDS = 0.5
loggers._renew_session()
"""
    end = "\nfor child in stopped:\n    os.kill(child, signal.SIGKILL)\n    print('stopped')"
    done = run(tmp_path, OPEN + CLOSE + stop + OPEN + CLOSE + end, resume_id="abcd1234", WANDB_MODE="offline")
    assert done.stdout.split() == ["abcd1234", "abcd1234", "stopped"], done.stderr
    check_offline_run(synced_folder(done.stderr.splitlines()[-1]))


class Server(ThreadingHTTPServer):
    """As much of a W&B server as a run needs; keeps the history lines that it is sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.history: list[dict[str, Any]] = []
        self.refuses_runs = False

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        query, variables = request.get("query", ""), request.get("variables") or {}
        for file in request.get("files", {}).items():
            if file[0] == "wandb-history.jsonl":
                self.history += [json.loads(line) for line in file[1]["content"]]
        if "upsertBucket" in query:
            project = {"id": "p", "name": variables["project"], "entity": {"id": "e", "name": "someone"}}
            bucket = {"id": "b", "name": variables["name"], "displayName": "d", "config": "{}", "project": project}
            return {"upsertBucket": {"bucket": bucket | {"historyLineCount": 0}, "inserted": True}}
        if "createRunFiles" in query:
            files = [{"name": name, "uploadUrl": f"{self.url}/{name}"} for name in variables["files"]]
            return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": files}}
        if "viewer" in query:
            return {"viewer": {"id": "u", "entity": "someone", "username": "someone", "teams": {"edges": []}}}
        return {}


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        is_json = self.command == "POST" and body.startswith(b"{")
        answer = json.dumps({"data": self.server.answer(json.loads(body) if is_json else {})}).encode()
        self.send_response(403 if self.server.refuses_runs and b"upsertBucket" in body else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_PUT = do_POST  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_online_run_reaches_the_server_and_says_where_it_is(tmp_path: Path, server: Server) -> None:
    done = run(tmp_path, OPEN + CLOSE, WANDB_API_KEY=KEY, WANDB_BASE_URL=server.url)
    assert done.stderr == f"wandb: this run is at {server.url}/someone/snnrl/runs/{done.stdout.strip()}\n"
    assert [row["_step"] for row in server.history] == [1000, 2000]
    assert server.history[0]["rollout/return_mean"] == 21.5


def test_run_that_the_server_refuses_is_offline_under_the_same_id(tmp_path: Path, server: Server) -> None:
    server.refuses_runs = True
    done = run(tmp_path, OPEN + CLOSE, resume_id="abcd1234", WANDB_API_KEY=KEY, WANDB_BASE_URL=server.url)
    (line,) = done.stderr.splitlines()
    assert line.startswith("wandb: this run is kept offline (no run could be started at W&B: ")
    assert done.stdout == "abcd1234\n"
    check_offline_run(synced_folder(line))


def test_upload_that_does_not_end_is_left_for_sync(tmp_path: Path, server: Server) -> None:
    """The server goes before the run closes; the two minutes of waiting are one second here."""
    shorter = "import snnrl.training.loggers\nsnnrl.training.loggers._WANDB_FINISH_SECONDS = 1.0\n"
    process = subprocess.Popen(
        [sys.executable, "-uc", f"RESUME = None\n{shorter}{OPEN}input()\n{CLOSE}"],
        cwd=tmp_path,
        env=environment(tmp_path, WANDB_API_KEY=KEY, WANDB_BASE_URL=server.url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        name = process.stdout.readline().strip()
        server.shutdown()
        server.server_close()
        shown = process.communicate("go on\n", timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 0
    where, unfinished = shown.splitlines()
    assert where.endswith(name)
    assert unfinished.startswith("wandb: the upload did not end in 1 s; finish it with: ")
    check_offline_run(synced_folder(unfinished))
