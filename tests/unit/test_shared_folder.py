"""Files that a worker wrote elsewhere are an error, never a missing result."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import StateError
from engine.pipeline.far.shared_folder import check_shared, one_of_each_folder
from engine.store.lake_files import Part


def test_files_that_are_not_there_are_an_error_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    check_shared(tmp_path, ["here"])
    with pytest.raises(StateError, match=r"cannot be seen here: .* set TMPDIR to a directory that all share"):
        check_shared(tmp_path, ["here", "elsewhere"])


def test_every_folder_is_looked_at_once() -> None:
    parts = [Part(path, (), 1, 1, "", 1) for path in ("a=1/x", "a=1/y", "a=2/z", "w")]
    assert one_of_each_folder(parts) == ["a=1/x", "a=2/z", "w"]
