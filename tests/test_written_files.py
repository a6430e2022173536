"""What the package writes replaces a file and never follows a link there; read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

from snnrl.errors import __file__ as errors_file

PACKAGE = Path(errors_file).parent


def test_text_is_written_in_one_place() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute):
                assert called.attr not in ("write_text", "write_bytes"), f"{path}, line {called.lineno}"
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("open", "os.open"):
                assert "'w" not in ast.unparse(node), f"{path}, line {node.lineno}"
