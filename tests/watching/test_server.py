"""Who gets the page, and what each of them gets."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="needs the extra watch")

from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from snnrl.errors import ConfigError
from snnrl.watching.readers import AHEAD
from snnrl.watching.server import Server, listen
from tests.watching.pages import served


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as server:
        yield server


def join(server: Server, origin: str | None = None, address: str | None = None) -> ClientConnection:
    page, _, query = (address or server.address).partition("?")
    return connect(f"{page.replace('http', 'ws')}watch?{query}", origin=origin or page.rstrip("/"))


def header(message: str | bytes) -> dict[str, Any]:
    assert isinstance(message, bytes)
    return dict(json.loads(message[4 : 4 + int.from_bytes(message[:4], "little")]))


def moment(socket: ClientConnection) -> dict[str, Any]:
    """The next one."""
    while (found := header(socket.recv(timeout=10)))["kind"] != "moment":
        pass
    return found


def status(address: str, host: str | None = None) -> int:
    request = urllib.request.Request(address, headers={} if host is None else {"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_two_readers_see_the_same_game(server: Server) -> None:
    with join(server) as one, join(server) as other:
        seen = []
        for socket in (one, other):
            kinds = [header(socket.recv(timeout=10))["kind"] for _ in range(4)]
            assert kinds == ["hello", "state", "weights", "curves"]
            first = moment(socket)
            seen.append({(each["episode"], each["decision"]) for each in (first, moment(socket), moment(socket))})
        assert seen[0] & seen[1] or max(seen[0]) < min(seen[1])


def test_a_slow_reader_gets_fewer_moments_and_then_the_newest(server: Server) -> None:
    with join(server) as slow, join(server) as quick:
        slow.send('{"do": "play"}')
        numbers = [moment(slow)["decision"] for _ in range(AHEAD)]
        with pytest.raises(TimeoutError):
            slow.recv(timeout=0.5)
        last = (0, 0)
        for _ in range(20):
            quick.send('{"do": "seen"}')
            found = moment(quick)
            last = found["episode"], found["decision"]
        for _ in range(AHEAD):
            slow.send('{"do": "seen"}')
        found = moment(slow)
        assert (found["episode"], found["decision"]) > (1, numbers[-1] + 1)
        assert (found["episode"], found["decision"] + AHEAD + 5) > last


@pytest.mark.parametrize(
    "order",
    ["", "[]", "{", "null", '{"do": 1}', '{"do": "speed", "speed": "fast"}', '{"do": "speed", "speed": 1e9}',
     '{"do": "new", "which": "/etc", "deterministic": false, "seed": 1}',
     '{"do": "new", "which": "one", "deterministic": false, "seed": -1}'],
)  # fmt: skip
def test_what_cannot_be_done_is_passed_over(server: Server, order: str) -> None:
    with join(server) as socket:
        moment(socket)
        socket.send(order)
        socket.send('{"do": "seen"}')
        assert moment(socket)["kind"] == "moment"


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null"])
def test_a_strangers_page_gets_no_connection(server: Server, origin: str) -> None:
    with pytest.raises(InvalidStatus, match="403"), join(server, origin):
        pass


def test_a_strangers_name_for_this_machine_gets_nothing(server: Server) -> None:
    assert status(server.address) == 200
    assert status(server.address, host="evil.example") == 403
    assert status(server.address + "nothing") == 404
    assert status(server.address + "../page_files.py") == 404


def test_others_need_the_token() -> None:
    with served(host="0.0.0.0") as server:
        address = server.address.replace("0.0.0.0", "127.0.0.1")
        page, _, token = address.partition("?token=")
        assert len(token) > 20
        assert status(address) == 200
        assert status(page) == status(page + "?token=") == status(address + "x") == 403
        assert status(page + "style.css") == 200
        with join(server, address=address) as socket:
            assert moment(socket)
        for wrong in (page, page + "?token=x"):
            with pytest.raises(InvalidStatus, match="403"), join(server, address=wrong):
                pass


def test_a_port_that_is_taken_is_said_or_another_is_found(server: Server) -> None:
    port = int(server.address.rstrip("/").rpartition(":")[2])
    with pytest.raises(ConfigError, match=f"port={port}: cannot be listened at"):
        listen("127.0.0.1", port)
    with listen("127.0.0.1", None) as free:
        assert free.getsockname()[1] != port


@pytest.mark.parametrize("host", ["nowhere.invalid", "1.2.3.4", "a b", "ü" * 80, ""])
def test_an_address_that_is_not_this_machines_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="host="):
        listen(host, None)
