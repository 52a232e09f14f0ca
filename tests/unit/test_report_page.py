"""The page of incidents: everything in it stands escaped, in a real browser nothing of it runs, and it says what it leaves out."""

from __future__ import annotations

import base64
import re
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from engine.errors import SinkError
from engine.incidents.kernel import incidents
from engine.model import (
    Alert,
    Blast,
    CloudAccount,
    Containment,
    Entity,
    Factor,
    Incident,
    Join,
    Level,
    NextHunt,
    Principal,
    Reject,
    RuleRef,
    RunReport,
    Skip,
    Strength,
    TacticStep,
)
from engine.pipeline import ScanResult
from engine.report.page.graph import graph
from engine.report.page.timeline import timeline
from engine.report.page.view import LAID_OPEN, RECORD, page
from engine.report.page.write import render, write_page
from tests.alert_samples import NOON, SECRET, alert
from tests.browser import page_after

HOSTILE = (
    "</script></style></title></svg><script>document.documentElement.dataset.ran=1</script>"
    '"\'><img src=x onerror="document.documentElement.dataset.ran=2"><svg onload="document.documentElement.dataset.ran=3">'
    '<a href="javascript:document.documentElement.dataset.ran=4">x</a>{{ 7*7 }}{% raw %}<!--\u202e\x00\x1b[31m'
)


def incident(members: list[Alert], **changes: Any) -> Incident:
    """An incident of ``members``, with ``changes``."""
    first, last = members[0], members[-1]
    values: dict[str, Any] = {
        "uid": "1" * 32,
        "level": Level.CRITICAL,
        "score": 93.5,
        "title": "Trail deleted, with 1 more alert in AWS",
        "first_time": first.first_time,
        "last_time": max(member.last_time for member in members),
        "confidence": Strength.STRONG,
        "principals": (Principal("aws.user:arn:aws:iam::111122223333:user/eve", Strength.STRONG, ("e-1|111122223333",)),),
        "clouds": (CloudAccount("AWS", "111122223333"),),
        "sources": ("aws.cloudtrail",),
        "tactics": (TacticStep("initial-access", first.first_time, first.uid), TacticStep("impact", last.first_time, last.uid)),
        "alert_uids": tuple(member.uid for member in members),
        "event_uids": ("e-1|111122223333",),
        "events": 4,
        "joins": (Join(first.uid, last.uid, "sameActor", Strength.STRONG, "aws.key:AKIAIOSFODNN7EXAMPLE", ("e-1|111122223333",)),),
        "joins_total": 3,
        "factors": (Factor("alert", 70.0, 70.0, "70 x 1", first.uid), Factor("cap", 93.5, 93.5, "at most 100")),
        "blast": Blast(read=("resource:trail",), accounts=("AWS 111122223333",), left_out=2),
        "responsibility": ("paas",),
        "next_hunts": (NextHunt("key-use", (("key", "AKIA'; rm -rf /"),), "all that the key did"),),
        "containment": (Containment("AWS", "switch the key off", "aws iam update-access-key --status Inactive"),),
        "notes": ("203.0.113.7 joined nothing: it is shared by many",),
    }
    return Incident(**{**values, **changes})


def two() -> list[Alert]:
    later = timedelta(hours=3)
    other = alert(uid="f" * 32, rule=RuleRef("r-2", "Key created", "medium"), level=Level.MEDIUM, first_time=NOON + later, last_time=NOON + later)
    return [alert(), other]


def poisoned(value: Any) -> Any:
    """``value`` with a hostile text for every text in it that is no uid: those tie the parts together."""
    if is_dataclass(value) and not isinstance(value, type):
        keep = {"uid", "a", "b", "about", "alert", "alert_uids", "level", "state", "kind", "status"}
        return replace(value, **{f.name: poisoned(getattr(value, f.name)) for f in fields(value) if f.name not in keep})
    if isinstance(value, str) and type(value) is str:
        return HOSTILE
    if isinstance(value, tuple):
        return tuple(poisoned(item) for item in value)
    if isinstance(value, dict):
        return {HOSTILE + name if name != "raw_data" else name: poisoned(item) for name, item in value.items()}
    return value


class Reader(HTMLParser):
    """Collects the elements of a page and its texts outside scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def hostile_page(folder: Path) -> Path:
    members = [poisoned(each) for each in two()]
    report = RunReport(skips=(Skip(HOSTILE, HOSTILE),), rejects=(Reject(HOSTILE, HOSTILE),), failures=(HOSTILE,), notes=(HOSTILE,))
    path = folder / "report.html"
    write_page([poisoned(incident(members))], members, report, NOON, path)
    return path


@pytest.mark.xdist_group("browser")
def test_hostile_values_run_nothing_in_a_real_browser(tmp_path: Path) -> None:
    after = page_after(hostile_page(tmp_path))
    assert "data-ran" not in after
    assert 'class="tools"' in after, "the page arrived"
    assert '<div class="tools" hidden' not in after, "our own script ran, so scripts were allowed to"


@pytest.mark.xdist_group("browser")
def test_the_same_values_would_run_were_they_not_escaped_and_the_policy_not_there(tmp_path: Path) -> None:
    path = tmp_path / "bare.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><title>{HOSTILE}</title>", encoding="utf-8")
    assert "data-ran" in page_after(path)


def test_hostile_values_make_no_element_and_no_address(tmp_path: Path) -> None:
    plain, hostile = read(render(page([incident(two())], two(), RunReport(), NOON))), read(hostile_page(tmp_path).read_text(encoding="utf-8"))
    assert {tag for tag, _ in hostile.elements} <= {tag for tag, _ in plain.elements}
    assert [tag for tag, _ in hostile.elements].count("script") == 1
    for _, attributes in hostile.elements:
        assert not any(name.startswith("on") or name in ("src", "style", "srcdoc", "action") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert "\u202e" not in hostile.text
    assert "\\u202e" in hostile.text
    assert "{{ 7*7 }}" in hostile.text


def test_the_policy_names_the_digests_of_the_one_style_and_the_one_script() -> None:
    text = render(page([incident(two())], two(), RunReport(), NOON))
    policy = next(attributes["content"] or "" for tag, attributes in read(text).elements if tag == "meta" and "http-equiv" in attributes)
    assert policy.startswith("default-src 'none'; ")
    for part, directive in (("style", "style-src"), ("script", "script-src")):
        [inside] = re.findall(f"<{part}>(.*?)</{part}>", text, re.DOTALL)
        digest = base64.b64encode(sha256(inside.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert "http://" not in text
    assert "https://" not in text


def test_the_page_tells_the_whole_incident() -> None:
    text = " ".join(read(render(page([incident(two())], two(), RunReport(records=7, events=7), NOON))).text.split())
    for told in (
        "1. Trail deleted, with 1 more alert in AWS",
        "aws.user:arn:aws:iam::111122223333:user/eve",
        "sameActor",
        "aws.key:AKIAIOSFODNN7EXAMPLE",
        "and 2 more",
        "Must act: paas",
        "crosswind hunt run key-use --param 'key=AKIA'\"'\"'; rm -rf /'",
        "aws iam update-access-key --status Inactive",
        "203.0.113.7 joined nothing: it is shared by many",
        '"eventName": "DeleteTrail"',
        "93.50",
    ):
        assert told in text, told


def test_content_is_redacted_unless_asked_for() -> None:
    told = [alert(evidence={"x.source": "aws.cloudtrail", "raw_data": f'{{"secretAccessKey":"{SECRET}"}}'}, reason=f"used {SECRET}")]
    hidden, shown = (render(page([incident(told)], told, RunReport(), NOON, show_content=each)) for each in (False, True))
    assert SECRET not in hidden
    assert SECRET in shown
    assert "made with --show-content" in shown


def test_nothing_about_an_incident_shows_a_credential() -> None:
    members = [replace(each, entities=(*each.entities, Entity("resource", SECRET))) for each in two()]
    found = incident(
        members,
        principals=(Principal(f"ai.key:{SECRET}", Strength.STRONG),),
        clouds=(CloudAccount("AWS", SECRET),),
        joins=(Join(members[0].uid, members[1].uid, "sameActor", Strength.STRONG, f"ai.key:{SECRET}", (SECRET,)),),
        factors=(Factor("alert", 70.0, 70.0, SECRET, members[0].uid),),
        blast=Blast(read=(SECRET,)),
        next_hunts=(NextHunt("key-use", (("key", SECRET),), "all that the key did"),),
        containment=(Containment("AWS", "switch the key off", f"aws iam update-access-key --access-key-id {SECRET}"),),
        notes=(f"{SECRET} joined nothing",),
    )
    hidden, whole = (render(page([found], members, RunReport(), NOON, show_content=each)) for each in (False, True))
    assert SECRET[:12] not in hidden
    assert SECRET[-8:] not in hidden
    assert whole.count(SECRET) > 8


def test_no_incident_is_said_with_what_was_looked_at() -> None:
    report = RunReport(objects=3, records=12, events=12, notes=("one source was silent",))
    text = " ".join(read(render(page([], [], report, NOON))).text.split())
    assert "No incidents" in text
    assert "12 records = 12 events" in text
    assert "one source was silent" in text


def test_what_is_too_much_is_left_out_and_counted() -> None:
    members = two()
    long = replace(members[0], evidence={"x.source": "aws.cloudtrail", "raw_data": '{"a":"' + "x" * (RECORD + 500) + '"}'})
    many = [incident([long, members[1]], uid=f"{number:032}") for number in range(LAID_OPEN + 5)]
    text = " ".join(read(render(page(many, [long, members[1]], RunReport(), NOON))).text.split())
    assert f"The first {LAID_OPEN} are laid open below; the other 5 stand in the table alone." in text
    assert re.search(r"5\d\d more characters are not shown", text)


def test_the_time_line_places_alerts_in_proportion() -> None:
    members = two()
    drawn = timeline(incident(members), members)
    first, last = drawn.bars
    assert first.x == drawn.left
    assert first.x < last.x < drawn.width
    assert [mark.text for mark in drawn.tactics] == ["initial access", "impact"]
    assert [tick.text for tick in drawn.ticks] == ["Mar 01 12:30", "13:00", "13:30", "14:00", "14:30", "15:00"]


def test_one_moment_is_drawn_as_well() -> None:
    single = replace(alert(), last_time=alert().first_time)
    assert timeline(incident([single]), [single]).bars


def test_the_graph_leads_from_who_through_the_key_to_what_was_touched() -> None:
    members = [replace(each, entities=(*each.entities, Entity("resource", "bucket"))) for each in two()]
    drawn = graph(incident(members), members)
    assert [name for _, name in drawn.heads] == ["who", "through", "what was seen", "what was touched"]
    assert {box.kind for box in drawn.boxes} == {"principal", "key", "alert", "target"}
    assert len(drawn.lines) == 5  # eve to the key, the key to two rules, these to the bucket


def test_boxes_that_have_no_room_are_counted() -> None:
    members = [replace(alert(), uid=f"{number:032}", rule=RuleRef(f"r-{number}", f"rule {number}", "high")) for number in range(20)]
    drawn = graph(incident(members), members)
    assert [box.text for box in drawn.boxes if box.kind == "more"] == [("and 8 more",)]


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot write .*missing"):
        write_page([], [], RunReport(), NOON, tmp_path / "missing" / "report.html")


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    path.chmod(0o644)
    write_page([], [], RunReport(), NOON, path)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.xdist_group("browser")
def test_the_sample_logs_make_a_page_that_a_browser_shows(sample_scan: ScanResult, tmp_path: Path) -> None:
    found = incidents(sample_scan.alerts)
    path = tmp_path / "report.html"
    write_page(found, sample_scan.alerts, sample_scan.report, NOON, path)
    after = page_after(path, dark=True)
    assert after.count('<article class="incident"') == min(len(found), LAID_OPEN)
    assert "AKIA" in after
