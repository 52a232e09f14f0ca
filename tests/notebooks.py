"""Runs the code cells of a notebook in order, without Jupyter. As a program it writes what they gave into the file."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Cell = dict[str, Any]


def run_cells(path: Path) -> Iterator[tuple[Cell, str | None]]:
    """Each code cell after it ran, with the text of its last expression, None where it ends with a statement."""
    names: dict[str, Any] = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, str(path), "exec"), names)
        value = eval(compile(ast.Expression(last.value), str(path), "eval"), names) if isinstance(last, ast.Expr) else None
        yield cell, None if value is None else repr(value)


def write_outputs(path: Path) -> None:
    """Put the outputs of a run into the notebook."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    ran = [text for _, text in run_cells(path)]
    for number, (cell, text) in enumerate(zip([cell for cell in notebook["cells"] if cell["cell_type"] == "code"], ran, strict=True), 1):
        data = {"text/plain": (text or "").splitlines(keepends=True)}
        cell["execution_count"] = number
        cell["outputs"] = [] if text is None else [{"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": data}]
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_outputs(Path(sys.argv[1]))
