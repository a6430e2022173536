"""The page in a browser: served while an agent plays, and as a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from snnrl.watching.game import game_of, messages
from snnrl.watching.page_files import one_file
from snnrl.watching.server import Server
from snnrl.watching.wire import packed
from tests.watching.pages import CHROMIUM, cart_pole, needs_browser, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    yield from opened(browser)


@pytest.fixture
def other(browser: Browser) -> Iterator[Page]:
    yield from opened(browser)


def opened(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(20_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served(games=("one", "two")) as server:
        yield server


def until(page: Page, expression: str) -> None:
    """Wait until this holds on the page."""
    page.wait_for_function(f"() => {expression}")


@contextmanager
def moving(page: Page) -> Iterator[None]:
    """Around what lets something be played, which is waited for."""
    before = [page.inner_text("#episode"), page.inner_text("#decision")]
    yield
    page.wait_for_function(
        "before => $('episode').textContent !== before[0] || $('decision').textContent !== before[1]", arg=before
    )


def visit(page: Page, server: Server) -> None:
    """Open the page and let it play as at first."""
    page.goto(server.address)
    until(page, "$('status').textContent === 'live'")
    with moving(page):
        page.evaluate("source.send({do: 'play'}); pace(1)")


def stands(page: Page) -> bool:
    """Whether nothing is played for half a second, on a busy machine after a while."""
    for _ in range(5):
        page.wait_for_timeout(200)
        before = page.inner_text("#decision")
        page.wait_for_timeout(500)
        if page.inner_text("#decision") == before:
            return True
    return False


def coloured(page: Page, canvas: str) -> int:
    """How many colours a canvas shows."""
    found = page.evaluate(
        """id => {
            const canvas = document.getElementById(id);
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size;
        }""",
        canvas,
    )
    return int(found)


def test_the_page_shows_the_game_its_spikes_preferences_values_weights_and_curves(server: Server, page: Page) -> None:
    visit(page, server)
    for canvas in ("game", "raster", "preferences", "signal", "weights", "curves"):
        for _ in range(40):
            if coloured(page, canvas) > 2:
                break
            page.wait_for_timeout(250)
        assert coloured(page, canvas) > 2, canvas
    assert page.inner_text("h1") == "Cart Pole"
    assert page.inner_text("#status") == "live"
    assert page.inner_text("#action") in ("push left", "push right")


def test_buttons_and_keys_play_pause_and_step(server: Server, page: Page) -> None:
    visit(page, server)
    page.get_by_role("button", name="Pause").click()
    assert stands(page)
    with moving(page):
        page.get_by_role("button", name="Step").click()
    assert stands(page)
    page.evaluate("document.activeElement.blur()")
    with moving(page):
        page.keyboard.press("ArrowRight")
    assert stands(page)
    with moving(page):
        page.keyboard.press("Space")
    assert page.get_by_role("button", name="Pause").is_visible()


def test_the_speed_is_changed_and_all_readers_are_told(server: Server, page: Page, other: Page) -> None:
    for each in (page, other):
        visit(each, server)
    page.get_by_label("Speed").select_option("0.25")
    until(other, "$('speed').value === '0.25'")
    other.wait_for_timeout(500)  # what was on its way comes first
    assert 0 < pace(other) <= 0.25 * 50 + 4  # on a busy machine there are fewer
    page.get_by_label("Speed").select_option("2")
    until(other, "$('speed').value === '2'")
    assert pace(other) > 0


def pace(page: Page) -> float:
    """Decisions that are heard in a second."""
    page.evaluate(
        """() => {
            const hear = source.hear;
            window.heard = 0;
            source.hear = (message) => { heard += message.kind === 'moment'; hear(message); };
        }"""
    )
    page.wait_for_timeout(1000)
    return float(page.evaluate("() => heard"))


def test_another_game_seed_and_kind_of_actions_are_chosen(server: Server, page: Page) -> None:
    visit(page, server)
    page.locator("#which").select_option("two")
    page.get_by_role("button", name="New game").click()
    until(page, "$('about').textContent === 'agent of two'")
    page.get_by_label("Actions").select_option("best")
    page.get_by_label("Seed").fill("7")
    page.get_by_role("button", name="New game").click()
    with moving(page):
        until(page, "state.seed === 7 && state.deterministic === true")


def test_another_game_is_played_by_the_actions_that_are_chosen_with_it(server: Server, page: Page) -> None:
    visit(page, server)
    page.evaluate("source.send({do: 'new', which: 'one', deterministic: false, seed: 1})")
    until(page, "state.seed === 1 && $('seed').value === '1'")
    page.get_by_label("Seed").fill("2")
    page.locator("#which").select_option("two")
    page.get_by_label("Actions").select_option("best")
    page.get_by_role("button", name="New game").click()
    until(page, "state.seed === 2 && state.which === 'two' && state.deterministic === true")


def test_what_is_chosen_stays_chosen_while_others_change_the_speed(server: Server, page: Page, other: Page) -> None:
    for each in (page, other):
        visit(each, server)
    page.locator("#which").select_option("two")
    page.get_by_label("Seed").fill("11")
    page.evaluate("document.activeElement.blur()")
    for speed in ("4", "1"):
        other.get_by_label("Speed").select_option(speed)
        until(page, f"state.speed === {speed}")
    assert page.locator("#which").input_value() == "two"
    assert page.get_by_label("Seed").input_value() == "11"


def test_a_page_finds_its_server_again(page: Page) -> None:
    with served() as server:
        visit(page, server)
        port = int(re.findall(r":(\d+)", server.address)[0])
    until(page, "$('status').textContent.startsWith('connection lost')")
    with moving(page), served(port=port):
        until(page, "$('status').textContent === 'live'")
        until(page, "Number($('decision').textContent) > 1")


def test_what_the_page_takes_for_spikes_is_what_was_sent(server: Server, page: Page) -> None:
    page.goto(server.address)
    draws = np.random.default_rng(0)
    for share in (0.001, 0.5):
        spikes = draws.random((10, 77)) < share
        form, content = packed(spikes)
        found = page.evaluate(
            "([form, bytes]) => [...fired({form, part: 0}, [new Uint8Array(bytes)])]", [form, list(content)]
        )
        assert form == ("events" if share < 0.1 else "bits")
        assert found == np.flatnonzero(spikes).tolist()


def test_a_page_is_as_wide_as_a_phone_and_its_controls_have_names(server: Server, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, server)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.evaluate("() => { $('learning').hidden = true; }")
    edges = page.locator("section:visible").evaluate_all("all => all.map(each => each.getBoundingClientRect().left)")
    assert len(edges) == 5
    assert len(set(edges)) == 1
    controls = page.locator("button, select, input").all()
    assert all(control.evaluate("each => each.labels.length + each.textContent.length") for control in controls)
    assert page.locator("#said[aria-live=polite]").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system(server: Server, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(server.address)
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]")
    assert (shade < 100) == (scheme == "dark")


def test_a_replay_opens_from_a_file_and_is_played_stopped_and_looked_through(page: Page, tmp_path: Path) -> None:
    playable = cart_pole()
    game = game_of(playable, episodes=2, seconds=60, seed=0, deterministic=None)
    path = tmp_path / "play.html"
    path.write_text(one_file(messages(game, playable)), encoding="utf-8")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.emulate_media(reduced_motion="reduce")  # it then waits for somebody to start it
    page.goto(path.as_uri())
    until(page, "$('status').textContent === 'replay'")
    assert "plays with drawn actions" in page.inner_text("#about")
    assert stands(page)
    page.get_by_label("Speed").select_option("0.25")
    with moving(page):
        page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").click()
    assert stands(page)
    page.get_by_label("Place").fill(str(game.decisions - 2))
    until(page, "$('episode').textContent === '2'")
    for canvas in ("game", "raster", "signal"):
        assert coloured(page, canvas) > 2, canvas
    with moving(page):
        page.get_by_role("button", name="Play").click()
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
