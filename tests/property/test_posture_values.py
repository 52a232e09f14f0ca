"""Value functions of facts never fail on hostile JSON, and what they give is bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.posture import FUNCTIONS
from engine.posture.facts import canonical_value
from engine.posture.kinds import KINDS
from tests.examples import examples

NAMES = (
    *("loggingConfig", "s3Config", "contentPolicyConfig", "filtersConfig", "type", "Statement", "Principal", "AWS", "Action", "Effect", "Condition"),
    *("policyDocument", "bucketPolicy", "policy", "bindings", "members", "role", "auditConfigs", "auditLogConfigs", "policyDelta", "bindingDeltas"),
    *(
        "properties",
        "contentFilters",
        "logs",
        "enabled",
        "category",
        "roleDefinitionId",
        "principalId",
        "ipPermissions",
        "ipRanges",
        "cidrIp",
        "items",
    ),
    *("fromPort", "toPort", "alloweds", "sourceRanges", "ports", "floorSetting", "filterConfig", "raiSettings", "raiFilters", "key", "restrictions"),
    *("userName", "roleName", "policyName", "policyArn", "bucketName", "groupId", "inputDataConfig", "containers", "on", "off", "filters", "foreign"),
)
TEXTS = ("*", "Allow", "0.0.0.0/0", "8000-9000", "{", "[1", '{"Statement": "x"}', "%7B%22Statement%22", "x" * 5_000, "***", "arn:aws:s3:::b")
scalars = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False), st.text(max_size=20), st.sampled_from(TEXTS))
)
names = st.one_of(st.sampled_from(NAMES), st.text(max_size=4))
hostile = st.recursive(scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=5)), max_leaves=25)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@given(st.lists(hostile, min_size=4, max_size=4))
@examples(10)
def test_any_json_gives_a_value_or_none(name: str, given_values: list[Any]) -> None:
    function = FUNCTIONS[name]
    found = None
    for count in range(1, 5):
        try:
            found = function(*given_values[:count])
        except TypeError as error:
            if "positional argument" not in str(error):
                raise
            continue
        if isinstance(found, dict):
            assert len(json.dumps(found)) < 40_000
            assert canonical_value(json.dumps(found)) is None or len(found) < 60
        else:
            assert found is None or isinstance(found, (str, list))


@given(
    st.sampled_from(sorted(KINDS)), st.dictionaries(st.sampled_from((*NAMES, "public", "text", "present", "enforced", "open", "exposed")), hostile)
)
@examples(300)
def test_any_value_has_a_meaning(kind: str, value: dict[str, Any]) -> None:
    measures = KINDS[kind].measures(value)
    assert measures is None or all(isinstance(each, int) for each in measures.values())
    effect = KINDS[kind].effect(value)
    assert effect is None or 0.75 <= effect.factor <= 1.5
