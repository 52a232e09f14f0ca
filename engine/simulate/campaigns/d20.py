"""A guardrail is taken away, then harmful use rises."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native.bedrock import converse


def play(a: Act) -> None:
    who = moves.stolen(a, a.user())
    with a.stage("guardrails are looked at", "b11", tags=("attack.t1526",)):
        a.aws(who, "bedrock", "ListGuardrails")
        a.aws(who, "bedrock", "ListFoundationModels")
    rail = f"gr{a.rng.randrange(10**9, 10**10)}"
    with a.stage("a guardrail is weakened or deleted", "b04", "b05", tags=("attack.t1685", "atlas.aml.t0054")):
        if a.rng.random() < 0.5:
            a.aws(who, "bedrock", "DeleteGuardrail", params={"guardrailIdentifier": rail}, write=True)
        else:
            filters = [{"type": kind, "inputStrength": "NONE", "outputStrength": "NONE"} for kind in ("PROMPT_ATTACK", "VIOLENCE", "HATE")]
            params = {"guardrailIdentifier": rail, "name": "main", "contentPolicyConfig": {"filtersConfig": filters}}
            a.aws(who, "bedrock", "UpdateGuardrail", params=params, write=True)
    with a.stage("harmful prompts pass", "a06", "a01", tags=("atlas.aml.t0054", "atlas.aml.t0051.000")):
        model = a.rng.choice(a.company.models)
        for _ in range(a.rng.randrange(15, 70)):
            question, answer = moves.prompt(a, lure=True)
            a.converse(who, converse(model, question, answer), after=(3, 90))


CAMPAIGN = Campaign("A guardrail is taken away, then models are abused", play)
