"""Processing pipelines: what they change in rules and filters, and what in them is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from sigma.plugins import InstalledSigmaPlugins
from sigma.processing.pipeline import ProcessingPipeline

from engine import bundled
from engine.errors import UsageError
from engine.sigma.load import load
from engine.sigma.tree import And, Leaf, LogSource, Not, Number, Or, Regex, SameAs, Text

RULE = """\
title: A rule
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {Name: X}
  condition: selection
"""
MAPPING = "transformations:\n- {id: m, type: field_name_mapping, mapping: {Name: eventName, User: [userA, userB]}}\n"


def leaf(field: str | None, value: str) -> Leaf:
    return Leaf(field, Text((value,)))


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yml"
    path.write_text(MAPPING)
    return path


def test_fields_of_rules_and_filters_are_mapped_and_our_modifiers_kept(pipeline: Path) -> None:
    detection = r"{Name: X, User|contains: y, Name|re|i: 'a\d+', Other: 5, Name|fieldref|cased: User}"
    rule = RULE.replace("{Name: X}", detection).replace("title:", "group_by: [Name, keep]\ntitle:")
    filter_ = "title: F\nlogsource: {product: aws}\nfilter: {rules: any, s: {Name: Y}, condition: not s}\n"
    found = load([rule, filter_], pipelines=[pipeline])
    assert not found.errors
    condition = found.rules[0].condition
    assert isinstance(condition, And)
    assert condition.args[0] == leaf("eventName", "X")
    assert isinstance(condition.args[1], Or)
    assert {arg.field for arg in condition.args[1].args if isinstance(arg, Leaf)} == {"userA", "userB"}
    assert condition.args[2:4] == (Leaf("eventName", Regex(r"(?i)a\d+")), Leaf("Other", Number(5)))
    assert condition.args[-1] == Not(leaf("eventName", "Y"))
    assert found.rules[0].group_by == ("eventName", "keep")
    assert load([rule]).rules[0].content_hash != found.rules[0].content_hash


def test_field_references_stay_cased(pipeline: Path) -> None:
    condition = load([RULE.replace("{Name: X}", "{f|fieldref|cased: g}")], pipelines=[pipeline]).rules[0].condition
    assert condition == Leaf("f", SameAs("g", cased=True))


def test_conditions_log_sources_and_placeholders_come_from_pipelines(pipeline: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.yml"
    more.write_text(
        "priority: -1\nvars: {admins: [ann, bob]}\ntransformations:\n"
        "- {type: add_condition, conditions: {Name: added}, rule_conditions: [{type: logsource, service: cloudtrail}]}\n"
        "- {type: change_logsource, product: GCP, service: gcp.audit}\n- {type: value_placeholders}\n"
    )
    rule = load([RULE.replace("Name: X", "User2|expand: '%admins%'")], pipelines=[pipeline, more]).rules[0]
    assert rule.logsource == LogSource(product="gcp", service="gcp.audit")
    assert rule.condition == And((leaf("eventName", "added"), Or((leaf("User2", "ann"), leaf("User2", "bob")))))


def test_a_rule_that_a_pipeline_refuses_stops_no_other(tmp_path: Path) -> None:
    path = tmp_path / "p.yml"
    path.write_text("transformations:\n- {type: rule_failure, message: not here, rule_conditions: [{type: logsource, product: gcp}]}\n")
    found = load([RULE, RULE.replace("A rule", "G").replace("aws", "gcp")], pipelines=[path])
    assert [rule.title for rule in found.rules] == ["A rule"]
    assert str(found.errors[0]).startswith("<text>:")
    assert "the processing pipeline refuses this rule: not here" in found.errors[0].message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("transformations: [{type: file_placeholders, file: /etc/passwd}]\n", "'file_placeholders' reads from outside"),
        ("transformations: [{type: http_placeholders, url: 'https://example.com'}]\n", "'http_placeholders' reads from outside"),
        ("transformations:\n- type: nest\n  items: [{type: command_placeholders, command: id}]\n", "'command_placeholders' reads from outside"),
        ("transformations: [{type: set_state, key: a, val: b, allow_external_sources: true}]\n", "'allow_external_sources' cannot be set"),
        ("finalizers: [{type: template, template: x, vars: /tmp/vars.py}]\n", "'finalizers' shapes the text"),
        ("postprocessing: [{type: template, template: x}]\n", "'postprocessing' shapes the text"),
        ("transformations: [{type: nothing}]\n", "pipeline.yml: "),
        ("transformations: 5\n", "pipeline.yml: "),
        ("nonsense: 5\n", "pipeline.yml: "),
        ("a: !!python/object/apply:os.system [id]\n", "YAML tag"),
        ("a: [\n", "not YAML"),
        ("", "holds 0 YAML documents"),
        ("a: b\n---\nc: d\n", "holds 2 YAML documents"),
    ],
)
def test_pipelines_that_are_broken_or_reach_outside_are_refused(pipeline: Path, text: str, words: str) -> None:
    pipeline.write_text(text)
    with pytest.raises(UsageError) as error:
        load([RULE], pipelines=[pipeline])
    assert words in str(error.value)


CORRELATION = """\
title: A correlation
name: outer
correlation:
  type: value_count
  rules: [A rule]
  group-by: [Name, who, x.alert.cloud, other]
  aliases: {who: {A rule: Actor}}
  timespan: 1h
  condition: {gte: 2, field: [Target, who, x.alert.rule]}
"""


@pytest.fixture
def fields(tmp_path: Path) -> Path:
    path = tmp_path / "fields.yml"
    path.write_text(
        "transformations:\n- type: field_name_mapping\n  mapping: {Name: [eventName, eventType], Actor: user.name, Target: resource, who: wrong}\n"
        "  rule_conditions: [{type: logsource, service: cloudtrail}]\n"
    )
    return path


def test_fields_of_correlations_are_mapped_and_aliases_keep_their_names(fields: Path) -> None:
    found = load([RULE, CORRELATION], pipelines=[fields])
    (correlation,) = found.correlations
    assert not found.errors
    assert correlation.group_by == ("eventName", "eventType", "who", "x.alert.cloud", "other")
    assert correlation.fields == ("resource", "who", "x.alert.rule")
    assert correlation.aliases == (("who", ((found.rules[0].uid, "user.name"),)),)
    plain = load([RULE, CORRELATION]).correlations[0]
    assert correlation.content_hash != plain.content_hash
    assert (correlation.uid, correlation.timespan, correlation.bounds) == (plain.uid, plain.timespan, plain.bounds)


def test_every_type_of_correlation_goes_through(fields: Path) -> None:
    texts = [
        CORRELATION.replace("value_count", kind).replace("[Target, who, x.alert.rule]", "Target").replace("title: A", f"title: {kind}")
        for kind in ("value_sum", "value_avg", "value_percentile", "value_median")
    ]
    bare = CORRELATION.replace(", field: [Target, who, x.alert.rule]", "").replace("[A rule]", "[A rule, Other]")
    second = RULE.replace("A rule", "Other").replace("X}", "Y}")
    texts += [bare.replace("value_count", kind).replace("title: A", f"title: {kind}") for kind in ("event_count", "temporal", "temporal_ordered")]
    texts.append(bare.replace("value_count", "temporal").replace("{gte: 2}", "a or b").replace("[A rule, Other]", "[a, b]").replace("A rule:", "a:"))
    found = load([f"name: a\n{RULE}", f"name: b\n{second}", *(text.replace("name: outer\n", "") for text in texts)], pipelines=[fields])
    assert not found.errors
    assert len(found.correlations) == 8
    assert {each.group_by for each in found.correlations} == {("eventName", "eventType", "who", "x.alert.cloud", "other")}
    assert {each.fields for each in found.correlations} == {("resource",), ()}


def test_conditions_on_log_sources_ask_the_rules_behind_a_correlation(fields: Path) -> None:
    """Behind one of correlations too; and one that looks at other rules keeps its fields."""
    inner = CORRELATION.replace("outer", "inner").replace("A correlation", "Inner")
    outer = "title: Outer\ncorrelation: {type: event_count, rules: [inner], group-by: [Name, x.alert.rule], timespan: 1d, condition: {gte: 2}}\n"
    found = load([RULE, outer, inner], pipelines=[fields])
    assert not found.errors
    assert [each.group_by[0] for each in found.correlations] == ["eventName", "eventName"]
    (elsewhere,) = load([RULE.replace("aws, service: cloudtrail", "gcp"), CORRELATION], pipelines=[fields]).correlations
    assert elsewhere.group_by[0] == "Name"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CORRELATION.replace("Actor", "Name"), "multiple field names"),
        (CORRELATION.replace("Target", "Name"), "multiple field names"),
    ],
)
def test_a_field_that_would_become_several_where_one_is_meant_is_refused(fields: Path, text: str, words: str) -> None:
    outer = "title: Outer\ncorrelation: {type: event_count, rules: [outer], timespan: 1d, condition: {gte: 2}}\n"
    found = load([RULE, text, outer], pipelines=[fields])
    assert found.correlations == ()
    first, second = sorted((error.message for error in found.errors), key=len)
    assert words in first + second
    assert "the processing pipeline refuses this correlation" in first + second
    assert sum("refers to 'outer', which is refused" in message for message in (first, second)) == 1


def test_correlations_of_our_own_stay_as_they_are(fields: Path) -> None:
    folder = bundled.detections()
    fields.write_text("transformations: [{type: field_name_prefix, prefix: no.}]\n")
    assert load([folder], pipelines=[fields]).correlations == load([folder]).correlations


def test_installed_pipelines_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = InstalledSigmaPlugins(pipelines={"ours": lambda: ProcessingPipeline.from_yaml(MAPPING)})
    monkeypatch.setattr(InstalledSigmaPlugins, "autodiscover", lambda **_: installed)
    assert load([RULE], pipelines=["ours"]).rules[0].condition == leaf("eventName", "X")
    with pytest.raises(UsageError, match=r"no processing pipeline 'theirs'.*installed pipelines are: ours"):
        load([RULE], pipelines=["theirs"])
