"""Who plays while others look: it does what they ask for, and no more than they look at."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from snnrl.errors import ConfigError, RunError
from snnrl.recording import Moment, Moments
from snnrl.types import Setting, Settings
from snnrl.watching import wire
from snnrl.watching.playables import Playable
from snnrl.watching.readers import Readers

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 0.0)
"""As multiples of the game's own; 0 is as fast as it goes."""
MOST_SEED = 2**31 - 1


class Player:
    """Plays for :class:`~snnrl.watching.readers.Readers`, in the thread that calls :meth:`turn`.

    Args:
        readers: who is looking, and asks for things.
        games: what can be played, by name.
        load: makes one of them ready.
        seed: of the environment.
        mode: ``play``, or ``training`` where the agent learns between two turns.
        deterministic: best actions rather than drawn ones; ``None`` is as each run's own evaluations.
    """

    _playable: Playable
    _write: wire.MomentWriter
    _ahead: Moment
    """Played, but not shown yet."""
    _rate: float
    """Decisions in a second of the game's own time."""

    def __init__(
        self,
        readers: Readers,
        games: Sequence[str],
        load: Callable[[str], Playable],
        *,
        seed: int = 0,
        mode: str = "play",
        deterministic: bool | None = None,
    ) -> None:
        self._readers, self._games, self._load, self._mode = readers, list(games), load, mode
        self._state: dict[str, Setting] = {
            "kind": "state",
            "playing": True,
            "speed": 1.0,
            "seed": seed,
            "deterministic": False,
            "which": self._games[0],
        }
        self._best = deterministic
        self._moments: Moments | None = None
        self._due, self._steps = 0.0, 0
        self._choose(self._games[0])

    def close(self) -> None:
        """Close the environment."""
        if self._moments is not None:
            self._moments.close()

    def turn(self) -> float | None:
        """Do what was asked for, and show a decision if one is due.

        Returns:
            Seconds until the next one is due; ``None`` where nothing is before somebody asks for something.
        """
        while self._readers.orders:
            self._obey(self._readers.orders.popleft())
        if not self._readers.any or not (self._state["playing"] or self._steps):
            return None
        now = time.perf_counter()
        if self._steps:
            self._steps -= 1
        elif now < self._due:
            return self._due - now
        each = 1 / (self._rate * self._state["speed"]) if self._state["speed"] else 0.0
        self._due = max(self._due + each, now - each)
        self._show()
        return 0.0 if self._steps else max(self._due - time.perf_counter(), 0.0)

    def _show(self) -> None:
        """Show the decision that lies ready, and make the next one."""
        assert self._moments is not None
        self._readers.give("moment", self._write(self._ahead))
        self._ahead = next(self._moments)

    def weights(self) -> None:
        """Show the weights as they are now."""
        self._readers.give("weights", wire.weights_message(self._playable.agent))

    def curves(self) -> None:
        """Show the metrics of training as far as it is."""
        self._readers.give("curves", wire.curves(self._playable.rows))

    def _choose(self, name: str, best: bool | None = None) -> None:
        """Take another game; where no kind of actions is chosen, by that of the player or of the run's evaluations."""
        self._playable = self._load(name)
        chosen = self._best if best is None else best
        best = self._playable.deterministic if chosen is None else chosen
        self._state |= {"which": name, "deterministic": best}
        self._start()
        self.weights()
        self.curves()

    def _start(self) -> None:
        """Begin with the first episode of the seed."""
        self.close()
        playable, state = self._playable, self._state
        self._moments = Moments(
            playable.agent, playable.env, episodes=10**9, deterministic=state["deterministic"], seed=state["seed"]
        )
        about, self._ahead = self._moments.about, next(self._moments)
        self._rate = about.frames_per_second
        self._write = wire.MomentWriter(about, playable.agent.observation_space, playable.agent.action_space)
        self._due = time.perf_counter()
        self._readers.give("hello", wire.hello(about, playable.about, mode=self._mode, games=self._games))
        self._tell()

    def _tell(self) -> None:
        self._readers.give("state", wire.pack(self._state))

    def _obey(self, order: Settings) -> None:
        """Do what a reader asks for; what cannot be done is passed over."""
        match order:
            case {"do": "play" | "pause" as wish}:
                self._state["playing"], self._due = wish == "play", time.perf_counter()
            case {"do": "step"} if not self._state["playing"]:
                self._steps += 1
            case {"do": "speed", "speed": float() | int() as speed} if speed in SPEEDS:
                self._state["speed"], self._due = float(speed), time.perf_counter()
            case {"do": "new", "which": str(which), "deterministic": bool(best), "seed": int(seed)}:
                if which in self._games and not isinstance(seed, bool) and 0 <= seed <= MOST_SEED:
                    self._renew(which, best, seed)
            case _:
                return
        self._tell()

    def _renew(self, which: str, best: bool, seed: int) -> None:
        """Begin anew, as a reader has chosen; another game has actions of its own kind unless that was chosen too."""
        self._state |= {"seed": seed}
        if which != self._state["which"]:
            try:
                self._choose(which, best if best != self._state["deterministic"] else None)
            except (ConfigError, RunError) as error:
                self._readers.give("trouble", wire.pack({"kind": "trouble", "text": f"{which}: {error}"}))
            return
        self._state["deterministic"] = best
        self._start()
