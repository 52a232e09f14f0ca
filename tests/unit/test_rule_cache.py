"""Cached rules: the same result, from nothing but data, and never an older one."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.errors import RuleError, UsageError
from engine.sigma import cache, stored, tree
from engine.sigma.cache import load_cached
from engine.sigma.load import load
from engine.sigma.ruleset import RuleSet

RULE = """
title: Root
id: 11111111-1111-4111-8111-111111111111
logsource: {product: aws, service: cloudtrail}
detection:
  a: {eventName: [ConsoleLogin, 'Get*'], sourceIPAddress|cidr: [10.0.0.0/8, '2001:db8::/32'], n|gt: 1.5, when|hour: 3, k|exists: true, z: null}
  b: {user|fieldref: other, big: 123456789012345678901234567890, flag: true, x|re: 'a+', who|expand: '%who%'}
  c: [needle, 'other*one']
  condition: a and not b or c
seen: 2026-01-02
nested: {list: [1, 2.5, {deep: null}]}
tests: [{events: [], alerts: 0}]
"""
BROKEN = "title: Broken\nlogsource: {product: aws}\ndetection: {a: {b|nosuch: 1}, condition: a}\n"
FILTER = """
title: No robots
logsource: {product: aws, service: cloudtrail}
filter: {rules: [11111111-1111-4111-8111-111111111111], s: {userAgent|contains: robot}, condition: not s}
"""
IDLE = FILTER.replace("11111111-1111-4111-8111-111111111111", "nobody").replace("No robots", "Idle")
ANALYTIC = "title: Counting\nanalytic: {type: new_term}\n"
WHO = {"who": ["alice", "bob"]}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CROSSWIND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    below = tmp_path / "rules"
    below.mkdir()
    for at, text in enumerate((RULE, BROKEN, FILTER, IDLE, ANALYTIC)):
        (below / f"{at}.yml").write_text(text)
    return below


def no_load(*_: object, **__: object) -> RuleSet:
    raise AssertionError("loaded again")


def plain(value: Any) -> Any:
    """``value`` as something that compares types too, and errors by what they say."""
    if isinstance(value, RuleError):
        return (type(value), value.message, value.rule, value.path, value.line)
    if is_dataclass(value):
        return (type(value), [plain(getattr(value, field.name)) for field in fields(value)])
    if isinstance(value, (tuple, list)):
        return (type(value), [plain(each) for each in value])
    if isinstance(value, dict):
        return [(plain(key), plain(each)) for key, each in value.items()]
    return (type(value), value)


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.rules"))


def test_the_second_time_gives_the_same_without_loading(rules: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load([rules], placeholders=WHO)
    assert (len(expected.rules), len(expected.errors), len(expected.others), len(expected.notes)) == (1, 1, 1, 1)
    assert plain(load_cached([rules], placeholders=WHO)) == plain(expected)
    monkeypatch.setattr(cache, "_load", no_load)
    assert plain(load_cached([rules], placeholders=WHO)) == plain(expected)
    (entry,) = entries(folder)
    assert list(folder.iterdir()) == [entry]
    now = datetime(2030, 1, 1, tzinfo=UTC)
    assert plain(load_cached([rules], placeholders=WHO, now=now)) == plain(load([rules], placeholders=WHO, now=now))
    if os.name == "posix":
        assert entry.stat().st_mode & 0o777 == 0o600


def test_correlations_come_back_equal(rules: Path) -> None:
    correlation = tree.Correlation(
        *("uid", "title", "high", tree.CorrelationType.TEMPORAL, ("a", "b"), timedelta(minutes=5, microseconds=1), "hash"),
        bounds=(tree.Bound(tree.BoundOperator.GTE, 2.0), tree.Bound(tree.BoundOperator.LT, 10**30)),
        terms=(tree.Term(("a",), ("b",)),),
        aliases=(("user", (("a", "x"), ("b", "y"))),),
        extra=(("seen", date(2026, 1, 2)),),
    )
    whole = replace(load([rules], placeholders=WHO), correlations=(correlation,))
    assert plain(stored.decode(stored.encode(whole))) == plain(whole)


def test_every_type_of_the_tree_can_be_stored() -> None:
    known = {name for name, each in vars(tree).items() if isinstance(each, type) and each.__module__ == tree.__name__}
    assert known <= set(stored._READ)


@pytest.mark.parametrize(
    "change",
    [
        lambda rules: (rules / "0.yml").write_text(RULE.replace("ConsoleLogin", "AssumeRole")),
        lambda rules: (rules / "9.yml").write_text(RULE.replace("1111111", "2222222")),
        lambda rules: (rules / "2.yml").unlink(),
        lambda rules: (rules / "0.yml").rename(rules / "00.yml"),
    ],
)
def test_changed_rules_are_loaded_again(rules: Path, change: Any) -> None:
    before = load_cached([rules], placeholders=WHO)
    change(rules)
    after = load_cached([rules], placeholders=WHO)
    assert plain(after) == plain(load([rules], placeholders=WHO)) != plain(before)


def test_changed_options_and_sources_are_loaded_again(rules: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_cached([rules], placeholders=WHO)
    assert plain(load_cached([rules], placeholders={"who": ["carol"]})) == plain(load([rules], placeholders={"who": ["carol"]}))
    assert plain(load_cached([RULE], placeholders=WHO)) == plain(load([RULE], placeholders=WHO))
    monkeypatch.chdir(rules)
    assert load_cached(["0.yml"], placeholders=WHO).rules[0].path == "0.yml"
    assert len(entries(folder)) == 4
    monkeypatch.setattr(cache, "VERSION", "0.0.0")
    cache._surroundings.cache_clear()
    load_cached([rules], placeholders=WHO)
    cache._surroundings.cache_clear()
    assert len(entries(folder)) == 5


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-40],
        lambda data: data[:200] + b"X" + data[201:],
        lambda data: b"\x80\x04K\x01." + data,
        lambda data: signed(b"[" * 100_000),
        lambda data: signed(b"{}"),
        lambda data: signed(json.dumps(["RuleSet", 1]).encode()),
        lambda data: signed(json.dumps(["()", ["network", 5]]).encode()),
        lambda data: signed(json.dumps(["Comparison", "nosuch"]).encode()),
    ],
)
def test_damaged_entries_are_replaced(rules: Path, folder: Path, damage: Any) -> None:
    expected = load_cached([rules], placeholders=WHO)
    (entry,) = entries(folder)
    good = entry.read_bytes()
    entry.write_bytes(damage(good))
    assert plain(load_cached([rules], placeholders=WHO)) == plain(expected)
    assert entry.read_bytes() == good


def signed(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode() + body


@pytest.mark.parametrize("name", ["os.system", "system", "Path", "__class__", "CrosswindError", "UsageError", "subprocess.Popen", "eval"])
def test_a_hostile_entry_can_name_nothing_but_rules(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no stored rules"):
        stored.decode(json.dumps([name, f"touch {tmp_path / 'hit'}"]).encode())
    assert not (tmp_path / "hit").exists()


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_an_entry_that_others_could_have_written_is_not_read(rules: Path, folder: Path) -> None:
    expected = load_cached([rules], placeholders=WHO)
    (entry,) = entries(folder)
    entry.write_bytes(signed(stored.encode(RuleSet((), ()))))
    assert load_cached([rules], placeholders=WHO).rules == ()
    entry.chmod(0o666)
    assert plain(load_cached([rules], placeholders=WHO)) == plain(expected)


def test_without_a_usable_directory_rules_are_loaded(rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = plain(load([rules], placeholders=WHO))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CROSSWIND_CACHE", str(tmp_path / "file" / "below"))
    assert plain(load_cached([rules], placeholders=WHO)) == expected
    monkeypatch.setattr(cache, "directory", lambda: tmp_path / "gone")
    assert plain(load_cached([rules], placeholders=WHO)) == expected


def test_the_directory_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.directory() == tmp_path / "cache"
    monkeypatch.delenv("CROSSWIND_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.directory() == tmp_path / "xdg/crosswind"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.directory() == tmp_path / "home/.cache/crosswind"


def test_a_path_that_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such rule file"):
        load_cached([tmp_path / "gone"])


@pytest.mark.skipif(os.name != "posix", reason="named pipes")
def test_a_pipe_is_read_once(tmp_path: Path, folder: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen([sys.executable, "-c", f"open({str(pipe)!r}, 'w').write({RULE!r})"]):
        assert load_cached([pipe], placeholders=WHO).rules[0].title == "Root"
    assert not folder.exists()


def test_old_entries_make_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_ENTRIES", 3)
    texts: Sequence[str] = [RULE.replace("ConsoleLogin", f"Login{n}") for n in range(5)]
    for at, text in enumerate(texts):
        load_cached([text], placeholders=WHO)
        for entry in entries(folder):
            about = entry.stat()
            os.utime(entry, ns=(about.st_atime_ns, about.st_mtime_ns - (at + 1) * 10**9))
    assert len(entries(folder)) == 3
    monkeypatch.setattr(cache, "_load", no_load)
    load_cached([texts[-1]], placeholders=WHO)


def test_rules_that_change_while_they_are_read_are_not_kept(rules: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*arguments: Any) -> RuleSet:
        (rules / "0.yml").write_text(RULE.replace("ConsoleLogin", "AssumeRole"))
        return load([rules], placeholders=WHO)

    monkeypatch.setattr(cache, "_load", slow)
    load_cached([rules], placeholders=WHO)
    assert entries(folder) == []


def test_a_hit_imports_no_parser(rules: Path, folder: Path) -> None:
    load_cached([rules])
    code = "import sys; from engine.sigma.cache import load_cached; load_cached([sys.argv[1]]); print({'sigma', 'polars'} & sys.modules.keys())"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code, str(rules)], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
