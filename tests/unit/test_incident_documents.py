"""Incidents as documents: complete, valid, redacted, and harmless whatever logs say."""

from __future__ import annotations

import io
import json
import re
import shlex
from pathlib import Path

import pytest

from engine.documents.incident import hunt_command, incident_document
from engine.documents.incident_ocsf import incident_to_ocsf
from engine.documents.incident_output import write_incidents, write_packets
from engine.documents.incident_packet import code, escaped, packet_markdown
from engine.documents.tactics import family, tactics
from engine.errors import SinkError
from engine.incidents.kernel import Given, incidents
from engine.incidents.rules import RANK
from engine.model import Alert, CloudAccount, Incident, NextHunt
from engine.report.incident_list import print_incidents
from tests.alert_samples import SECRET
from tests.incident_samples import EVE, KEY, RULES, alert
from tests.ocsf_checker import problems

HOSTILE = "</td><script>alert(1)</script>`$(reboot)`\x1b[2J\u202e[x](http://evil)\n# owned"


def found() -> tuple[Incident, list[Alert]]:
    entities = (("credential", KEY), ("user", EVE), ("resource", f"arn:aws:s3:::{HOSTILE}"), ("resource", f"arn:aws:s3:::b/password={SECRET}"))
    alerts = [
        alert("a", 0, "looks", 0, entities, evidence={"x.read_only": False, "message_context.prompt_text": "my private plan"}),
        alert("b", 1, "takes", 1, (("credential", KEY),), cloud=(CloudAccount("GCP", HOSTILE),), event_uids=("e-1", "e-2")),
    ]
    return incidents(alerts, Given(RULES))[0], alerts


def test_the_document_has_what_is_promised_and_is_json() -> None:
    incident, _ = found()
    document = json.loads(json.dumps(incident_document(incident)))
    promised = {
        "uid",
        "level",
        "score",
        "title",
        "first_time",
        "last_time",
        "principals",
        "clouds",
        "tactics",
        "alert_uids",
        "event_uids",
        "joins",
        "factors",
    }
    assert document.keys() >= promised
    assert document["alert_uids"] == ["a", "b"]
    assert document["event_uids"] == ["e-a", "e-1", "e-2"]
    assert document["joins"][0].keys() == {"a", "b", "reason", "strength", "key", "evidence"}
    assert [each["tactic"] for each in document["tactics"]] == ["discovery", "credential-access"]
    assert document["responsibility"] == ["iaas", "paas"]
    assert any(each.startswith("resource:arn:aws:s3:::") for each in document["blast"]["written"])


def test_credentials_and_prompts_are_in_no_output() -> None:
    incident, alerts = found()
    by_uid = {each.uid: each for each in alerts}
    stream = io.StringIO()
    print_incidents([incident], stream)
    texts = [
        json.dumps(incident_document(incident)),
        json.dumps(incident_to_ocsf(incident, by_uid)),
        packet_markdown(incident, by_uid),
        stream.getvalue(),
    ]
    assert all(SECRET not in text and "private plan" not in text for text in texts)
    assert SECRET in json.dumps(incident_document(incident, show_content=True))


def test_the_finding_is_valid_ocsf() -> None:
    incident, alerts = found()
    for members in ({each.uid: each for each in alerts}, {}):
        document = json.loads(json.dumps(incident_to_ocsf(incident, members)))
        assert problems(document) == []
        assert (document["class_uid"], document["activity_id"], document["metadata"]["uid"]) == (2005, 1, incident.uid)
        assert [each["uid"] for each in document["finding_info_list"]] == ["a", "b"]
        assert document["assignee_group"] == {"name": "unassigned"}


def test_what_logs_say_makes_no_markup() -> None:
    incident, alerts = found()
    text = packet_markdown(incident, {each.uid: each for each in alerts})
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\n# owned" not in text
    outside = re.sub(r"(`+)(?:(?!\1).)*\1", "", text)
    assert "<script>" not in outside.replace("\\<", "")
    assert "](http" not in outside.replace("\\]", "")


@pytest.mark.parametrize("text", ["a`b", "``", "`" * 5 + "x", "plain", HOSTILE])
def test_code_holds_whatever_it_is_given(text: str) -> None:
    made = code(text)
    fence = re.match(r"`+", made)
    assert fence is not None
    assert fence[0] not in made[len(fence[0]) : -len(fence[0])]
    assert made.endswith(fence[0])
    assert "\n" not in made


def test_markup_is_escaped_character_by_character() -> None:
    assert escaped("a*b_[c](d)<e>|`f`") == r"a\*b\_\[c\]\(d\)\<e\>\|\`f\`"


def test_commands_are_quoted_for_a_shell() -> None:
    made = hunt_command(NextHunt("ip-trail", (("ip", "'; rm -rf / #"),), "why"))
    assert shlex.split(made) == ["crosswind", "hunt", "run", "ip-trail", "--param", "ip='; rm -rf / #"]


def test_files_are_written_whole_and_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    incident, alerts = found()
    write_incidents([incident], alerts, tmp_path / "i.ndjson")
    lines = (tmp_path / "i.ndjson").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["uid"] for line in lines] == [incident.uid]
    write_packets([incident], alerts, tmp_path / "new" / "packets")
    packet = json.loads((tmp_path / "new" / "packets" / f"{incident.uid}.json").read_text(encoding="utf-8"))
    assert [each["uid"] for each in packet["alerts"]] == ["a", "b"]
    assert (tmp_path / "new" / "packets" / f"{incident.uid}.md").read_text(encoding="utf-8").startswith("# ")
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "new" / "packets", *(tmp_path / "new" / "packets").iterdir()))
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SinkError, match="--packets"):
        write_packets([incident], alerts, tmp_path / "file" / "x")


def test_the_list_shows_the_worst_and_counts_the_others() -> None:
    many = incidents([alert(f"{n:02d}", n * 100, "looks", 0, (("user", f"{EVE}{n}"),)) for n in range(12)], Given(RULES))
    stream = io.StringIO()
    print_incidents(many, stream, more="--incidents FILE has all")
    assert stream.getvalue().startswith("incidents 12 of 12 alerts: 12 medium\n")
    assert "2 more incidents; --incidents FILE has all" in stream.getvalue()


@pytest.mark.parametrize(
    ("tags", "shown", "kind"),
    [
        (("attack.discovery", "attack.t1526"), ("discovery",), "T1526"),
        (("attack.t1078.004",), ("initial-access",), "T1078"),
        (("atlas.aml.t0051.000",), ("execution",), "AML.T0051"),
        (("attack.defense-evasion", "attack.t1562.008"), ("defense-impairment",), "T1685"),
        (("tlp.red",), (), None),
    ],
)
def test_tags_give_tactics_and_a_family(tags: tuple[str, ...], shown: tuple[str, ...], kind: str | None) -> None:
    assert (tactics(tags), family(tags)) == (shown, kind)
    assert set(tactics(tags)) <= RANK.keys()
