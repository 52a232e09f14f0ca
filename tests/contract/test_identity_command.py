"""`crosswind identity show`: what it says where an identifier names many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Ran
from tests.logs import event, lines

USERS = 23


def test_a_name_of_many_identities_is_shown_in_part_and_that_is_said(cli: Callable[..., Ran], tmp_path: Path) -> None:
    def made(number: int) -> dict[str, object]:
        account = f"{number:012d}"
        who = {"type": "IAMUser", "arn": f"arn:aws:iam::{account}:user/deploy", "accountId": account, "accessKeyId": f"AKIAEXAMPLE{number:09d}"}
        return event(number, userIdentity=who)

    (tmp_path / "a.json").write_bytes(lines(*(made(number) for number in range(USERS))))
    ran = cli("identity", "show", "deploy", "--input", tmp_path, "--format", "json")
    assert (ran.code, len(ran.out.splitlines())) == (0, 20)
    assert f"20 of {USERS} identities shown; `--limit {USERS}` shows all" in ran.err
    whole = cli("identity", "show", "deploy", "--input", tmp_path, "--format", "json", "--limit", USERS)
    assert len(whole.out.splitlines()) == USERS
    assert "identities shown" not in whole.err
