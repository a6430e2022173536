"""``python -m snnrl.replay run=<dir> out=play.html``: a game of an agent, with its spikes, as one file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snnrl.cli import PlayOptions, read_options, run_command, usage
from snnrl.run_settings import DeviceSettings
from snnrl.settings import setting

_EXPECTED = "a file named .html, .gif or .mp4"


def _is_known(out: Path) -> bool:
    return out.suffix in (".html", ".gif", ".mp4")


@dataclass(frozen=True, kw_only=True)
class Options(PlayOptions, DeviceSettings):
    """Options of the command."""

    out: Path = setting(
        Path("play.html"), "file to write: .html, a page; .gif or .mp4, a video", check=_is_known, expected=_EXPECTED
    )
    episodes: int = setting(1, "how many are played", at_least=1)
    seconds: float = setting(60.0, "of the game's own time after which the replay ends", above=0, at_most=3600)
    spikes: bool = setting(False, "whether a video shows the spikes under the game; a page always has them")
    seed: int = setting(0, "of the environment", at_least=0, at_most=2**31 - 1)
    deterministic: bool | None = setting(
        None, "best actions rather than drawn ones", default_text="as the run's own evaluations"
    )


USAGE = usage(
    "python -m snnrl.replay run=RUN_DIR [out=FILE] [key=value ...]",
    Options,
    """
A page opens in any browser, without a server and without a network: the game, its spikes, preferences, values and
weights, to be played, stopped and looked through. A video shows the game, in colour, and with spikes=true its spikes.
""",
)


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(write_replay, USAGE, words)


def write_replay(words: Sequence[str]) -> int:
    """Write the file that the command line asks for.

    Raises:
        ConfigError: a wrong setting, or a run that cannot be read.
    """
    options = read_options(Options, words)

    from snnrl.config import folder, read_run

    read_run(options.run, trust=options.trust)

    from snnrl.recording.video import check_drawing, check_spikes, write_video
    from snnrl.recording.video_file import require_encoder
    from snnrl.textfiles import replacing
    from snnrl.training.device import leave_cores_to_environments
    from snnrl.training.writable import keeping, require_writable
    from snnrl.watching.game import game_of, messages
    from snnrl.watching.page_files import one_file
    from snnrl.watching.playables import open_run

    out = folder("out", options.out)
    require_encoder(out.suffix, f"out={out}")
    require_writable(out.parent, "out")
    leave_cores_to_environments()
    playable = open_run(options.run, options.checkpoint, options.device, trust=options.trust)
    page = out.suffix == ".html"
    if not page:
        check_drawing(playable.env, f"out={out}", "a file named .html, which shows what there is")
    if options.spikes and not page:
        check_spikes(playable.agent, "spikes=true")
    game = game_of(playable, options.episodes, options.seconds, options.seed, options.deterministic)
    with keeping(out.parent):
        if page:
            with replacing(out) as file:
                file.write(one_file(messages(game, playable)).encode())
        else:
            write_video(game, out, spikes=options.spikes)
    print(f"{game.summary}; written to {out}, {out.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
