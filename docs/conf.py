"""How the site is built: ``sphinx-build -W docs site``. Tutorials run while it is; an error in one ends the build.

``SNNRL_SHORT=1`` shrinks what the tutorials train, for a check that takes minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sphinx.application import Sphinx

import snnrl

ROOT = Path(__file__).resolve().parent.parent
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
sys.path.insert(0, str(ROOT))

project, author, release = "snnrl", "the snnrl authors", snnrl.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["figures.py"]
html_theme = "furo"
html_title = f"snnrl {release}"

nb_execution_mode = "force"
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True
nb_output_stderr = "remove"  # progress

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = [
    "myst.xref_missing",  # links to pages of the repository that the site does not have
    "misc.highlighting_failure",
]

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring, napoleon_numpy_docstring = True, False
napoleon_use_ivar = True


def write_replay(app: Sphinx) -> None:
    """Put a game of a trained agent beside the pages, which the first of them shows."""
    seconds = 2 if os.environ.get("SNNRL_SHORT") else 30
    words = ["run=trained/SpaceInvaders", f"out={Path(app.outdir) / 'play.html'}", f"seconds={seconds}"]
    (Path(app.outdir) / "play.html").unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "snnrl.replay", *words], cwd=ROOT, check=True)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", write_replay)
