"""What changes of facts mean, and what facts make of alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from engine.incidents.circumstances import circumstances
from engine.incidents.kernel import Given, incidents
from engine.incidents.score import Circumstance
from engine.model import Alert, Entity
from engine.posture.facts import FACTS, LONGEST_VALUE, described, together
from engine.posture.gaps import gaps
from engine.posture.history import at, history
from tests.incident_samples import START, alert
from tests.posture_samples import AZURE, OID, PROJECT, REGION, facts, sample

GUARDRAIL = "aws.arn:arn:aws:bedrock:eu-west-1:111122223333:guardrail/gr1"
OTHER_GUARDRAIL = "aws.arn:arn:aws:bedrock:eu-west-1:111122223333:guardrail/gr2"
BUCKET = "arn:aws:s3:::example-data"
DAY = 24 * 9
"""Hours from the first moment of facts to `START` of alerts."""


@pytest.mark.parametrize(
    ("fact", "before", "after", "change"),
    [
        ("ai.logging", {"on": True, "text": True}, {"on": True, "text": False}, "weaker"),
        ("ai.logging", {"on": False}, {"on": True}, "stronger"),
        ("ai.logging", {"on": True, "to": ["s3"]}, {"on": True, "to": ["cloudwatch"]}, "other"),
        ("ai.logging", {"on": True}, {"on": True}, "same"),
        ("ai.guardrail", {"present": True, "filters": {"HATE": "HIGH/HIGH"}}, {"present": True, "filters": {"HATE": "HIGH/LOW"}}, "weaker"),
        ("ai.guardrail", {"present": True, "filters": {"HATE": "LOW/LOW"}}, {"present": True, "filters": {"HATE": "HIGH/LOW"}}, "stronger"),
        # one filter up, another down: something protects less than before
        (
            "ai.guardrail",
            {"present": True, "filters": {"A": "LOW/LOW", "B": "HIGH/HIGH"}},
            {"present": True, "filters": {"A": "HIGH/HIGH"}},
            "weaker",
        ),
        ("ai.guardrail", {"present": True, "topics": 2}, {"present": False}, "weaker"),
        ("ai.guardrail", {"enforced": True, "guardrail": "a"}, {"enforced": False}, "weaker"),
        ("bucket.policy", {"public": False, "foreign": []}, {"public": False, "foreign": ["444455556666"]}, "weaker"),
        ("bucket.policy", {"public": True, "foreign": []}, {"public": False, "foreign": []}, "stronger"),
        ("bucket.public_access_block", {"block_policy": True}, {"block_policy": False}, "weaker"),
        ("bucket.use", {"in_use": True, "by": "a"}, {"in_use": True, "by": "b"}, "other"),
        ("ai.key", {"active": False}, {"active": True}, "weaker"),
        ("ai.endpoint", {"present": True, "capture": True}, {"present": True, "capture": False}, "weaker"),
        ("ai.endpoint", {"present": True, "config": "a"}, {"present": True, "config": "b"}, "other"),
        ("ai.content_filter", {"present": True, "filters": {"hate": "blocks low"}}, {"present": True, "filters": {"hate": "blocks high"}}, "weaker"),
        ("ai.content_filter", {"present": True, "filters": {"hate": "lets pass"}}, {"present": True, "filters": {"hate": "blocks"}}, "stronger"),
        ("log.diagnostics", {"on": ["Audit", "RequestResponse"]}, {"on": ["Audit"]}, "weaker"),
        ("log.data_access", {"on": {"s": ["DATA_READ"]}}, {"on": {"s": ["DATA_READ", "DATA_WRITE"]}}, "stronger"),
        ("ai.model_armor", {"filters": {"prompt injection": "LOW_AND_ABOVE"}}, {"filters": {"prompt injection": "HIGH"}}, "weaker"),
        ("identity.trust", {"federated": ["a"]}, {"federated": ["a", "b"]}, "weaker"),
        ("network.ai_port", {"open": False}, {"open": True}, "weaker"),
    ],
)
def test_a_change_says_whether_something_protects_less(fact: str, before: Mapping[str, Any], after: Mapping[str, Any], change: str) -> None:
    made = history(facts((fact, REGION, 0, "a", before), (fact, REGION, 1, "b", after)))
    assert made["change"].to_list() == [None, change]
    assert made["known"].to_list() == [False, True]
    steps = made["strength"].to_list()
    if change == "stronger":
        assert steps[1] > steps[0]


def test_nothing_is_known_across_an_event_that_did_not_tell() -> None:
    made = history(sample([(0, "a", {"on": True}), (1, "b", None), (2, "c", {"on": False}), (3, "d", {"on": True})]))
    assert made["state"].to_list() == ["known", "stale", "known", "known"]
    assert made["known"].to_list() == [False, False, False, True]
    assert made["before"].to_list() == [None, '{"on":true}', '{"on":true}', '{"on":false}']
    assert history(sample([(0, "a", None)]))["state"].to_list() == ["unknown"]


def test_of_equal_times_the_event_uid_decides() -> None:
    first, second = (0, "a", {"on": True}), (0, "b", {"on": False})
    assert at(sample([second, first]))["value"].to_list() == ['{"on":false}']
    assert history(sample([second, first]))["change"].to_list() == [None, "weaker"]


def raw(**changes: Any) -> pl.DataFrame:
    row = dict.fromkeys(FACTS) | {"fact": "ai.logging", "asset": REGION, "part": "", "value": '{"on":true}', "event_uid": "e", "time": START}
    return pl.DataFrame([row | changes], schema=FACTS)


def test_hostile_texts_are_bounded_or_left_out() -> None:
    long = described(raw(asset="aws.arn:" + "a" * 100_000, part="p" * 100_000))
    assert long["asset"].str.len_bytes()[0] < 600
    assert long["part"].str.len_bytes()[0] < 600
    other = described(raw(asset="aws.arn:" + "a" * 99_999 + "b"))
    assert other["asset"][0] != long["asset"][0]
    huge = described(raw(value='{"on":"' + "x" * LONGEST_VALUE + '"}', why="hidden"))
    assert huge["value"][0] is None
    assert "more than is kept" in huge["why"][0]
    for value in ("[1]", "nonsense", '"text"', "[" * 100_000):
        assert described(raw(value=value))["value"][0] is None
    for asset in (None, "", "aws.arn:", "aws.arn:***", "no type"):
        assert described(raw(asset=asset)).height == 0
    assert described(raw(fact="made.up")).height == 0


def test_assets_of_azure_have_one_spelling_those_of_aws_their_own() -> None:
    assert described(raw(asset="azure.resource:/Subscriptions/A/"))["asset"].to_list() == ["azure.resource:/subscriptions/a"]
    assert described(raw(asset="aws.arn:arn:aws:s3:::A"))["asset"].to_list() == ["aws.arn:arn:aws:s3:::A"]


# --- what facts make of alerts --------------------------------------------------------------------------------------------------------------


def ai_alert(hours: float = 1, evidence: Mapping[str, Any] | None = None) -> Alert:
    """An alert about a model in the region of `REGION`, ``hours`` after `START`."""
    here = {"cloud.provider": "AWS", "cloud.account.uid": "111122223333", "cloud.region": "eu-west-1", "api.service.name": "bedrock.amazonaws.com"}
    return alert("one", hours, evidence={**here, **(evidence or {})})


def weighed(one: Alert, *known: pl.DataFrame) -> list[tuple[str, float]]:
    found = circumstances([one], together(known))
    return [(each.name, each.value) for each in found.get(one.uid, ())]


def test_ai_alerts_count_more_where_calls_are_not_recorded() -> None:
    off = sample([(0, "on", {"on": True}), (DAY, "off", {"on": False})])
    assert weighed(ai_alert(), off) == [("posture", 1.5)]
    assert weighed(ai_alert(evidence={"cloud.region": "us-east-1"}), off) == []
    assert weighed(ai_alert(evidence={"api.service.name": "s3.amazonaws.com"}), off) == []
    assert weighed(ai_alert(hours=-1), off) == []
    (said,) = circumstances([ai_alert()], off)["one"]
    assert f"ai.logging of {REGION} by event off" in said.why
    assert weighed(ai_alert(), sample([(0, "off", {"on": False}), (1, "touched", None)])) == []


def test_an_alerts_own_event_does_not_weigh_on_it() -> None:
    one = ai_alert(hours=1)
    assert weighed(one, sample([(DAY + 1, "e-one", {"on": False})])) == []
    assert weighed(one, sample([(DAY + 1, "e-other", {"on": False})])) == [("posture", 1.5)]
    assert weighed(one, sample([(DAY, "e-other", {"on": False}), (DAY + 1, "e-one", {"on": True})])) == [("posture", 1.5)]


def test_one_guardrail_that_protects_is_enough() -> None:
    gone = facts(("ai.guardrail", GUARDRAIL, 0, "gone", {"present": False}))
    assert weighed(ai_alert(), gone) == [("posture", 1.5)]
    other = facts(("ai.guardrail", OTHER_GUARDRAIL, 0, "new", {"present": True, "filters": {"HATE": "HIGH/HIGH"}}))
    assert weighed(ai_alert(), gone, other) == []


def test_a_bucket_of_training_data_that_is_open_counts_twice() -> None:
    one = alert("one", 1, entities=[("resource", f"{BUCKET}/train/part-0")], evidence={"cloud.account.uid": "111122223333"})
    use = facts(("bucket.use", f"aws.arn:{BUCKET}", 0, "job", {"in_use": True, "holds": "training data"}), part="training")
    public = facts(("bucket.policy", f"aws.arn:{BUCKET}", 0, "policy", {"public": True, "foreign": []}))
    assert weighed(one, use, public) == [("asset", 1.25), ("posture", 1.5)]
    blocked = {"block_acls": True, "ignore_acls": True, "block_policy": True, "restrict": True}
    shut = facts(("bucket.public_access_block", "aws.account:111122223333", 0, "block", blocked))
    assert weighed(one, use, shut) == [("asset", 1.25), ("posture", 0.75)]
    assert weighed(one, public, shut) == [("posture", 1.5)]
    assert weighed(replace(one, entities=(Entity("resource", "arn:aws:s3:::example-other"),)), use, public) == []


def test_who_acts_counts() -> None:
    role = "arn:aws:iam::111122223333:role/ops"
    admin = facts(("ai.admin", f"aws.arn:{role}", 0, "attach", {"granted": True, "reach": ["bedrock"]}), part="p")
    session = alert("one", 1, evidence={"actor.user.uid": "arn:aws:sts::111122223333:assumed-role/ops/ana", "cloud.provider": "AWS"})
    assert weighed(session, admin) == [("asset", 1.25)]
    given = facts(("ai.role", AZURE, 0, "assign", {"granted": True, "role": "Owner", "principal": f"entra.object:{OID}"}), part="a")
    user = alert("one", 1, evidence={"actor.user.uid": OID.upper(), "cloud.provider": "Azure"})
    assert weighed(user, given) == [("asset", 1.25)]
    taken = facts(("ai.role", AZURE, 1, "remove", {"granted": False}), part="a")
    assert weighed(user, given, taken) == []


def test_resources_of_azure_and_projects_of_google_are_places() -> None:
    off = facts(("log.diagnostics", AZURE, 0, "gone", {"on": [], "off": []}), part="to-siem")
    here = {"cloud.provider": "Azure", "ai_model.name": "gpt", "resources.uid": [f"{AZURE.partition(':')[2].upper()}/deployments/d"]}
    assert weighed(alert("one", 1, evidence=here), off) == [("posture", 1.5)]
    on = facts(("log.diagnostics", AZURE, 0, "new", {"on": ["Audit"], "off": []}), part="to-storage")
    assert weighed(alert("one", 1, evidence=here), off, on) == []
    blind = facts(("log.data_access", f"gcp.resource:{PROJECT}", 0, "set", {"off": ["aiplatform.googleapis.com DATA_READ"]}))
    vertex = {"cloud.provider": "GCP", "cloud.account.uid": "example-ml", "api.service.name": "aiplatform.googleapis.com"}
    assert weighed(alert("one", 1, evidence=vertex), blind) == [("posture", 1.5)]


def test_scores_show_the_factor_with_its_proof_and_can_be_rebuilt() -> None:
    one, off = ai_alert(), sample([(0, "off-event", {"on": False})])
    (plain,) = incidents([one])
    (weighted,) = incidents([one], Given(circumstances=circumstances([one], off)))
    assert (plain.score, weighted.score) == (32.0, 48.0)
    (factor,) = [each for each in weighted.factors if each.name == "alert"]
    assert "medium 40 × rule 0.8 × posture 1.5 (" in factor.why
    assert "event off-event" in factor.why
    assert factor.value == 40 * 0.8 * 1.5


def test_order_of_facts_and_alerts_changes_nothing() -> None:
    alerts = [ai_alert(), alert("two", 2, evidence=ai_alert().evidence)]
    known = [sample([(0, "a", {"on": False})]), facts(("ai.guardrail", GUARDRAIL, 0, "b", {"present": False}))]
    wanted: dict[str, tuple[Circumstance, ...]] = circumstances(alerts, together(known))
    assert circumstances(alerts[::-1], together(known[::-1])) == wanted
    assert len(wanted) == 2


def test_facts_of_the_future_count_nothing() -> None:
    assert weighed(ai_alert(hours=1), sample([(DAY + 1.01, "later", {"on": False})])) == []


def test_places_whose_logs_are_off_at_the_end_are_named() -> None:
    assert gaps(sample([(0, "a", {"on": False}), (1, "b", {"on": True})])) == []
    assert gaps(sample([(0, "a", {"on": True, "text": False})])) == []
    (told,) = gaps(sample([(0, "a", {"on": True}), (1, "b", {"on": False}), (2, "c", {"on": False})]))
    assert told == f"AI logging of {REGION} off since 2026-03-01 01:00:00Z: what happened there later is in no log"
    many = [facts(("ai.logging", f"aws.region:111122223333/r{number}", 0, "a", {"on": False})) for number in range(7)]
    assert [line.partition(" ")[0] for line in gaps(together(many))] == ["AI"] * 5 + ["2"]
