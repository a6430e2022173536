"""The R-STDP agent before frames, of which it makes out by itself what they show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from snnrl.agents.rstdp import RSTDP, RSTDPConfig
from snnrl.agents.rstdp_state import RSTDPState
from snnrl.encoders import BlobEncoder, LatencyEncoder, ObjectEncoder
from snnrl.errors import RunError
from snnrl.kernels.objects import Avatar
from tests.agents.rstdp_toy import (
    ACTOR,
    OBSERVATIONS,
    TOY,
    begins,
    changed,
    make,
    seen,
    snapshot,
    step,
    to,
    told,
)

ME = 90


class Paddle:
    """Copies of a game whose figure is moved by the action, in episodes of 20 steps; frames share one array."""

    def __init__(self, count: int, start: int = 2, luminance: int = ME) -> None:
        self.count, self.start, self.luminance = count, start, luminance
        self.frames = np.zeros((count, 1, 16, 32), dtype=np.uint8)
        self.place, self.time = np.full(count, 14), np.arange(count)
        self.feedback = begins(count)
        self.shown: list[NDArray[np.uint8]] = []
        self.done: list[NDArray[Any]] = []
        self.began: list[NDArray[np.bool_]] = []
        self._show()

    def step(self, action: NDArray[Any]) -> None:
        self.done.append(np.array(action))
        self.time += 1
        begun = self.time % 21 == 0
        move = 2 * (np.sign(action.reshape(self.count) - self.start).astype(int))
        self.place = np.where(begun, 14, np.clip(self.place + move, 0, 29))
        ended, reward = np.flatnonzero(self.time % 21 == 20), (self.place > 14).astype(float)
        self.feedback = told(reward * ~begun, ended, reset=np.flatnonzero(begun))
        self._show()

    def _show(self) -> None:
        self.frames[:] = 0
        for row, place in enumerate(self.place):
            self.frames[row, 0, 9:12, place : place + 3] = self.luminance
        self.shown.append(self.frames[:, 0].copy())
        self.began.append(self.feedback.reset)


FRAMES = spaces.Box(0, 255, (1, 16, 32), np.uint8)
OBEDIENT = Avatar(ME, 8, 16, 0, 32, False, True)


def newborn(warmup_steps: int, seed: int = 0, action: spaces.Space[Any] | None = None, **config: Any) -> RSTDP:
    """An agent that has not been through its warm-up yet."""
    setting = RSTDPConfig(**{"sim_steps": 4, "warmup_steps": warmup_steps, "weight_std": 0.1, **config})
    return RSTDP(FRAMES, action or spaces.Discrete(3, start=1), setting, TOY, seed)


def calibrated(agent: RSTDP) -> bool:
    assert isinstance(agent.network.encoder, ObjectEncoder)
    return agent.network.encoder.calibrated


def figure(agent: RSTDP) -> Avatar:
    return Avatar(*agent.state_dict()["network.encoder.avatar"].tolist())


def go_on(agent: RSTDP, game: Paddle, state: RSTDPState, steps: int) -> tuple[list[dict[str, float]], RSTDPState]:
    """Play on; what each step told, and the last state."""
    metrics = []
    for _ in range(steps):
        action, state, told_now = step(agent, game.frames, game.feedback, state)
        metrics.append(told_now)
        game.step(action)
    return metrics, state


@pytest.mark.parametrize(("warmup_steps", "count", "steps"), [(40, 4, 10), (41, 4, 11), (7, 1, 7), (6, 3, 2)])
def test_an_agent_looks_around_for_its_decisions_and_learns_nothing_else(
    warmup_steps: int, count: int, steps: int
) -> None:
    agent, game = newborn(warmup_steps, value_range=(-2.0, 2.0)), Paddle(count)
    before = snapshot(agent)
    metrics, state = go_on(agent, game, agent.begin(count), steps - 1)
    assert not changed(agent, before)
    assert not calibrated(agent)
    more, state = go_on(agent, game, state, 1)
    assert calibrated(agent)
    assert not any(metrics + more)
    assert (
        "network.encoder._calibrated"
        in changed(agent, before)
        <= {f"network.encoder.{name}" for name in ("_calibrated", "background", "table", "avatar")}
    )
    assert state.glimpses == ()
    more, state = go_on(agent, game, state, 3)
    assert [bool(told_now) for told_now in more] == [False, True, True]
    assert changed(agent, before) >= {ACTOR, "network.encoder.adaptation.rate"}


def test_returns_are_measured_while_looking_around() -> None:
    agent, game = newborn(60, value_range=None), Paddle(4)
    assert agent.returns is not None
    go_on(agent, game, agent.begin(4), 10)
    assert agent.returns.unit > 1, "several rewards of 1 on the way"


def test_actions_are_even_while_looking_around_and_the_agents_own_afterwards() -> None:
    agent, game = newborn(1200, actor_lr=0.0, critic_lr=0.0), Paddle(4)
    to(agent, "actor").weight[10:20] = 2.0
    _, state = go_on(agent, game, agent.begin(4), 300)
    taken = np.bincount(np.concatenate(game.done), minlength=4)
    assert taken[0] == 0
    assert abs(taken[1:] - 400).max() < 5 * (1200 * 2 / 9) ** 0.5
    together = np.corrcoef(np.stack(game.done).T.astype(float)) - np.eye(4)
    assert abs(together).max() < 5 / 300**0.5, "each environment has draws of its own"
    go_on(agent, game, state, 50)
    own = np.bincount(np.concatenate(game.done[300:]), minlength=4)
    assert own[2] > 110


def test_what_is_looked_at_are_frames_what_was_done_between_them_and_where_episodes_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[tuple[NDArray[Any], ...]] = []
    look = ObjectEncoder.calibrate

    def remembering(self: ObjectEncoder, *arguments: Any) -> Any:
        looked.append(arguments)
        return look(self, *arguments)

    monkeypatch.setattr(ObjectEncoder, "calibrate", remembering)
    agent, game = newborn(160), Paddle(4)
    go_on(agent, game, agent.begin(4), 45)
    ((frames, actions, joined),) = looked
    assert np.array_equal(frames[:, :, 0], np.stack(game.shown[:40]))
    assert np.array_equal(actions, np.stack(game.done[:39]) - agent.action_space.start)
    assert np.array_equal(joined, ~np.stack(game.began[1:40]))
    assert (~joined).any(0).all()


def test_an_agent_that_has_looked_around_knows_its_figure() -> None:
    agent, game = newborn(800), Paddle(4)
    go_on(agent, game, agent.begin(4), 200)
    assert figure(agent) == OBEDIENT
    assert agent.state_dict()["network.encoder.table"][ME] == 0


def test_looking_around_starts_over_when_episodes_begin_anew() -> None:
    agent = newborn(800)
    go_on(agent, Paddle(4, luminance=150), agent.begin(4), 150)
    game = Paddle(4)
    _, state = go_on(agent, game, agent.begin(4), 199)
    assert not calibrated(agent)
    go_on(agent, game, state, 1)
    assert calibrated(agent)
    assert figure(agent) == OBEDIENT
    scene = snapshot(agent)
    go_on(agent, Paddle(4, luminance=150), agent.begin(4), 250)
    assert not changed(agent, scene) & {f"network.encoder.{name}" for name in ("background", "table", "figure")}, (
        "once is enough"
    )


def test_a_loaded_agent_need_not_look_around_again() -> None:
    old, new, game = newborn(800), newborn(800, seed=9), Paddle(4)
    go_on(old, game, old.begin(4), 230)
    new.load_state_dict(old.state_dict())
    new.generator.set_state(old.generator.get_state())
    assert calibrated(new)
    assert figure(new) == OBEDIENT
    one, other = Paddle(4), Paddle(4)
    go_on(old, one, old.begin(4), 20)
    metrics, _ = go_on(new, other, new.begin(4), 20)
    assert all(metrics[1:])
    assert np.array_equal(one.done, other.done)
    assert not changed(new, snapshot(old))


def test_equal_seeds_look_around_and_learn_alike_bit_for_bit() -> None:
    agents, games = [newborn(400, seed) for seed in (3, 3, 4)], [Paddle(4) for _ in range(3)]
    for agent, game in zip(agents, games, strict=True):
        go_on(agent, game, agent.begin(4), 130)
    assert np.array_equal(games[0].done, games[1].done)
    assert not changed(agents[0], snapshot(agents[1]))
    assert torch.equal(agents[0].generator.get_state(), agents[1].generator.get_state())
    assert not np.array_equal(games[0].done[:100], games[2].done[:100])


def test_predictions_while_looking_around_neither_help_nor_disturb() -> None:
    plain, asked = newborn(80), newborn(80)
    games = Paddle(4), Paddle(4)
    states = [plain.begin(4), asked.begin(4)]
    for _ in range(30):
        asked.predict(games[1].frames, deterministic=True)
        for number, agent in enumerate((plain, asked)):
            _, states[number] = go_on(agent, games[number], states[number], 1)
        assert calibrated(plain) == calibrated(asked)
    assert calibrated(asked)
    assert np.array_equal(games[0].done, games[1].done)
    assert not changed(plain, snapshot(asked))


@pytest.mark.parametrize("kind", ["discrete", "vector", "unbounded"])
def test_who_sees_no_frames_does_not_look_around(kind: str) -> None:
    agent = make(OBSERVATIONS[kind], warmup_steps=1000)
    _, state, _ = step(agent, seen(OBSERVATIONS[kind], 2, 0), begins(2), agent.begin(2))
    assert state.decision is not None
    assert state.glimpses == ()


def test_an_agent_with_continuous_actions_looks_around() -> None:
    agent, game = newborn(800, action=spaces.Box(-1.0, 1.0, (1,)), action_bins=3), Paddle(4, start=0)
    go_on(agent, game, agent.begin(4), 200)
    assert figure(agent) == OBEDIENT


def test_an_agent_that_sees_blobs_learns_its_background_first_and_then_to_play() -> None:
    agent, game = newborn(40, encoder="blobs", actor_lr=0.5, critic_lr=0.1), Paddle(4)
    _, state = go_on(agent, game, agent.begin(4), 10)
    encoder = agent.network.encoder
    assert isinstance(encoder, BlobEncoder)
    assert encoder.calibrated
    before = snapshot(agent)
    go_on(agent, game, state, 5)
    assert {ACTOR, "network.encoder.adaptation.rate"} <= changed(agent, before)


@pytest.mark.parametrize("warmup_steps", [1, 4])
def test_a_single_glimpse_is_enough_if_so_it_is_set(warmup_steps: int) -> None:
    agent, game = newborn(warmup_steps), Paddle(4)
    go_on(agent, game, agent.begin(4), 5)
    assert calibrated(agent)


class Extremes(LatencyEncoder):
    """An encoder of somebody's own, which learns from random play between what values it has to tell apart."""

    def __init__(self, values: int, *, sim_steps: int) -> None:
        super().__init__(values, sim_steps=sim_steps)
        self.register_buffer("extremes", torch.full((2,), torch.nan))
        self.told: list[Any] = []

    @property
    def calibrated(self) -> bool:
        return bool(self.get_buffer("extremes").isfinite().all())

    def calibrate(self, observations: NDArray[Any], actions: NDArray[np.int64], joined: NDArray[np.bool_]) -> None:
        self.told.append((observations, actions, joined))
        self.get_buffer("extremes").copy_(torch.tensor([observations.min(), observations.max()]))


class Forgetful(Extremes):
    def calibrate(self, observations: NDArray[Any], actions: NDArray[np.int64], joined: NDArray[np.bool_]) -> None:
        pass


def test_any_encoder_that_is_not_calibrated_has_a_warm_up() -> None:
    agent = make(OBSERVATIONS["vector"], warmup_steps=6, encoder=f"{__name__}:Extremes", calibrate=False)
    encoder = agent.network.encoder
    assert isinstance(encoder, Extremes)
    shown = [seen(OBSERVATIONS["vector"], 2, number) for number in range(5)]
    state, feedback, before = agent.begin(2), begins(2), snapshot(agent)
    for number, observation in enumerate(shown):
        assert agent.can_checkpoint == encoder.calibrated == (number > 2)
        _, state, _ = step(agent, observation, feedback, state)
        feedback = told([1.0, 1.0], reset=[1] if number == 1 else [])
    ((observations, actions, joined),) = encoder.told
    places = agent.view([np.stack(shown[:3]).reshape(6, 3)]).reshape(3, 2, 3)
    assert np.array_equal(observations, places)
    assert actions.shape == (2, 2)
    assert joined.tolist() == [[True, True], [True, False]]
    assert changed(agent, before) >= {ACTOR, "network.encoder.extremes"}
    again = make(OBSERVATIONS["vector"], encoder=f"{__name__}:Extremes", calibrate=False)
    again.load_state_dict(agent.state_dict())
    assert again.can_checkpoint


def test_an_encoder_that_calibrate_does_not_calibrate_is_named() -> None:
    agent = make(OBSERVATIONS["vector"], warmup_steps=2, encoder=f"{__name__}:Forgetful", calibrate=False)
    _, state, _ = step(agent, seen(OBSERVATIONS["vector"], 2, 0), begins(2), agent.begin(2))
    with pytest.raises(RunError, match=r"^Forgetful\.calibrated is still false after calibrate: must be true$"):
        step(agent, seen(OBSERVATIONS["vector"], 2, 1), told([0.0, 0.0]), state)
