"""The rules of the house, checked from the files themselves."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENGINE_ORDER = (
    *("errors", "version", "jsontext", "model", "schema", "bundled", "config"),
    *("sigma", "identity", "posture", "detect", "analytics", "correlate", "incidents", "store", "documents", "sinks"),
    *("runners", "schedule", "hunt", "report", "simulate", "pipeline", "cli"),
)
"""A file imports from files above it in this list, or from its own package."""
CONNECTORS_MAY_IMPORT = {"engine.errors", "engine.jsontext", "engine.model", "engine.schema"}


def python_files(folder: str) -> Iterator[Path]:
    yield from sorted((ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports of ours, those inside functions included, those for type checking alone left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            module = ROOT / Path(*node.module.split("."))
            for alias in node.names:
                inner = module / alias.name
                yield f"{node.module}.{alias.name}" if inner.is_dir() or inner.with_suffix(".py").exists() else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_connectors_know_nothing_of_the_engine_but_its_vocabulary() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in python_files("connectors")
        for name in imports(path)
        if name.split(".")[0] == "engine" and name not in CONNECTORS_MAY_IMPORT
    ]
    assert wrong == []


def test_only_the_pipeline_sees_connectors_from_the_engine() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in python_files("engine")
        for name in imports(path)
        if name.split(".")[0] == "connectors" and not module_name(path).startswith("engine.pipeline")
    ]
    assert wrong == []


def test_engine_files_import_only_from_above() -> None:
    wrong: list[str] = []
    for path in python_files("engine"):
        own = module_name(path).split(".")
        if len(own) < 2:
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "engine" or len(parts) < 2 or parts[1] == own[1]:
                continue
            if ENGINE_ORDER.index(parts[1]) > ENGINE_ORDER.index(own[1]):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_every_engine_part_has_a_place_in_the_order() -> None:
    found = {module_name(path).split(".")[1] for path in python_files("engine") if module_name(path).count(".")}
    assert found <= set(ENGINE_ORDER)


def test_sources_are_registered_under_their_file_names() -> None:
    from connectors.sources import SOURCES, file_stem

    assert {path.stem for path in (ROOT / "connectors/sources").glob("*.yml")} == {file_stem(source) for source in SOURCES}


def test_transports_are_registered_under_their_file_names() -> None:
    from connectors.transports import TRANSPORTS

    assert {path.stem for path in (ROOT / "connectors/transports").glob("*.py")} - {"__init__", "base"} == set(TRANSPORTS)


def test_public_names_are_those_announced() -> None:
    import engine

    assert sorted(engine.__all__) == engine.__all__
    assert all(getattr(engine, name) is not None for name in engine.__all__)


def test_every_command_has_help_and_is_documented() -> None:
    import typer

    from engine.cli.app import COMMANDS, app

    group = typer.main.get_command(app)
    commands = {name: group.get_command(None, name) for name in COMMANDS}  # type: ignore[attr-defined]
    documents = (ROOT / "README.md").read_text(encoding="utf-8") + (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    shared = {"__init__", "__main__", "app", "opened", "options", "times", "verbs"}
    assert set(commands) == {path.stem for path in (ROOT / "engine/cli").glob("*.py")} - shared
    below = {f"{name} {inner}": command for name, group in commands.items() for inner, command in getattr(group, "commands", {}).items()}
    for name, command in (commands | below).items():
        assert command.help, name
        assert f"crosswind {name}" in documents, name
        assert all(
            getattr(parameter, "help", None) for parameter in command.params if parameter.param_type_name == "option" and parameter.name != "help"
        ), name


@pytest.mark.parametrize("folder", ["engine", "connectors"])
def test_no_print_and_no_unfinished_business(folder: str) -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX)\b|raise NotImplementedError")
    wrong = [
        f"{path.relative_to(ROOT)}:{n}"
        for path in python_files(folder)
        for n, line in enumerate(path.read_text().splitlines(), 1)
        if marks.search(line)
    ]
    assert wrong == []


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return [ROOT / name for name in listed.split("\0") if name]


def test_no_file_names_a_machine_or_a_registry() -> None:
    files = tracked_files()
    if not files:
        pytest.skip("not a git checkout")
    bad = re.compile(rb"(?<![\w.])/(?:home|root|Users)/\w|index-url|extra-index-url|find-links")
    wrong = [str(path.relative_to(ROOT)) for path in files if path.name != "test_house.py" and path.is_file() and bad.search(path.read_bytes())]
    assert [name for name in wrong if not name.startswith("sample_logs/")] == []
