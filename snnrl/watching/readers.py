"""Those who look at the page: each gets what it can take, and a slow one gets fewer pictures, never old ones."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque

from starlette.websockets import WebSocket, WebSocketDisconnect

from snnrl.types import Settings

AHEAD = 3
"""Moments that may be under way to a reader who has not said yet that it has them."""
LAST = ("hello", "state", "weights", "curves")
"""Kinds of messages of which the last one counts, in the order in which a new reader gets them."""


class Reader:
    """One connection. What is given to it waits here until the connection takes it.

    Args:
        socket: the connection.
    """

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._last: dict[str, bytes] = {}
        self._moments: deque[bytes] = deque(maxlen=AHEAD)
        self._under_way = 0
        self._news = asyncio.Event()

    def give(self, kind: str, message: bytes) -> None:
        """Something to send: moments that it has no time for are dropped, the oldest first."""
        if kind == "moment":
            self._moments.append(message)
        else:
            self._last[kind] = message
        self._news.set()

    def seen(self) -> None:
        """It has drawn a moment."""
        self._under_way = max(self._under_way - 1, 0)
        self._news.set()

    async def send(self) -> None:
        """Send what there is, for as long as the connection lasts."""
        while True:
            await self._news.wait()
            self._news.clear()
            for kind in [kind for kind in (*LAST, "trouble") if kind in self._last]:
                await self._socket.send_bytes(self._last.pop(kind))
            while self._moments and self._under_way < AHEAD:
                self._under_way += 1
                await self._socket.send_bytes(self._moments.popleft())


class Readers:
    """All connections, between the thread that serves them and the one that plays.

    Attributes:
        orders: what readers have asked for, oldest first; to be taken by the thread that plays.
    """

    def __init__(self) -> None:
        self.orders: deque[Settings] = deque()
        self._readers: set[Reader] = set()
        self._last: dict[str, bytes] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = threading.Event()

    @property
    def any(self) -> bool:
        """Whether somebody is looking."""
        return bool(self._readers)

    def wait(self, seconds: float | None) -> None:
        """For the thread that plays: until somebody comes or asks for something, at most so long."""
        if not self.orders:
            self._news.wait(seconds)
        self._news.clear()

    def give(self, kind: str, message: bytes) -> None:
        """Give a message to all, from the thread that plays; those who come later get the last of each kind."""
        if kind in LAST:
            self._last[kind] = message
        if self._loop is not None and self._readers:
            self._loop.call_soon_threadsafe(self._give, kind, message)

    def _give(self, kind: str, message: bytes) -> None:
        for reader in self._readers:
            reader.give(kind, message)

    async def serve(self, socket: WebSocket) -> None:
        """Serve a connection until it ends."""
        self._loop = asyncio.get_running_loop()
        await socket.accept()
        reader = Reader(socket)
        for kind, message in list(self._last.items()):
            reader.give(kind, message)
        self._readers.add(reader)
        self._news.set()
        tasks = [asyncio.create_task(reader.send()), asyncio.create_task(self._hear(socket, reader))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._readers.discard(reader)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self, socket: WebSocket, reader: Reader) -> None:
        """Take a reader's orders; what is none is passed over."""
        while True:
            try:
                order = json.loads(await socket.receive_text())
            except (WebSocketDisconnect, RuntimeError):
                return
            except ValueError:
                continue
            if not isinstance(order, dict):
                continue
            if order.get("do") == "seen":
                reader.seen()
            elif len(self.orders) < 100:
                self.orders.append(order)
                self._news.set()
