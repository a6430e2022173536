"""A game that is kept, as messages that the page plays back."""

from __future__ import annotations

from collections.abc import Iterator

from snnrl.recording import Game
from snnrl.watching import wire
from snnrl.watching.playables import Playable


def game_of(playable: Playable, episodes: int, seconds: float, seed: int, deterministic: bool | None) -> Game:
    """What somebody plays; see :class:`~snnrl.recording.Game`. By default actions are those of evaluations."""
    best = playable.deterministic if deterministic is None else deterministic
    return Game(playable.agent, playable.env, episodes=episodes, seconds=seconds, seed=seed, deterministic=best)


def messages(game: Game, playable: Playable) -> Iterator[bytes]:
    """What the page is told of a game, in order; it is played meanwhile.

    Args:
        game: that ``playable`` plays.
        playable: who plays.
    """
    about = game.about
    line = f"{playable.about}; plays with {about.actions}, seed {about.seed}"
    yield wire.hello(about, line, mode="replay")
    yield wire.weights_message(playable.agent)
    if playable.rows:
        yield wire.curves(playable.rows)
    write = wire.MomentWriter(about, playable.agent.observation_space, playable.agent.action_space)
    yield from map(write, game.moments())
