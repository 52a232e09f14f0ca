"""The platform team releases a new guardrail and removes the old one."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign


def play(a: Act) -> None:
    person = a.pick(a.company.jobs("platform", "engineer"))
    who = a.by_saml(person, a.company.role(person.account, "admin"), a.exits[0])
    with a.stage("a guardrail is replaced"):
        a.aws(who, "bedrock", "ListGuardrails")
        filters = [{"type": kind, "inputStrength": "HIGH", "outputStrength": "HIGH"} for kind in ("VIOLENCE", "HATE", "MISCONDUCT")]
        a.aws(who, "bedrock", "CreateGuardrail", params={"name": "main-v2", "contentPolicyConfig": {"filtersConfig": filters}}, write=True)
        a.aws(who, "bedrock", "UpdateGuardrail", params={"guardrailIdentifier": "old0guardrail", "name": "main-old"}, write=True)
        a.aws(who, "bedrock", "DeleteGuardrail", params={"guardrailIdentifier": "old0guardrail"}, write=True)


CAMPAIGN = Campaign("A guardrail is replaced by a new version", play, paces=("fast",), attack=False)
