"""An Azure OpenAI account is opened to keys and used past its filter."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves


def play(a: Act) -> None:
    principal = a.principal()
    with a.stage("a service principal signs in from elsewhere", "a46", tags=("attack.t1078.004",)):
        who = a.in_azure(principal, a.exits[0])
        a.link("service_principal_token", f"entra.object:{principal.oid}", f"entra.token:{who.sign_in}", ("azure", "azure"))
    if a.rng.random() < 0.6:
        with a.stage("keys are allowed", "b47", tags=("attack.t1098",)):
            body = {"properties": {"disableLocalAuth": False, "publicNetworkAccess": "Enabled"}}
            a.azure(who, "Microsoft.CognitiveServices/accounts/write", a.pick(a.company.openai), body=body)
    with a.stage("the account's keys are read", "b46", tags=("attack.t1552", "atlas.aml.t0055")):
        for _ in range(a.rng.randrange(1, 4)):
            moves.azure_keys(a, who)
    if a.rng.random() < 0.5:
        with a.stage("the content filter is opened", "b50", tags=("attack.t1685", "atlas.aml.t0054")):
            filters = [{"name": name, "blocking": False, "enabled": False, "source": "Prompt"} for name in ("hate", "violence", "jailbreak")]
            body = {"properties": {"basePolicyName": "Microsoft.Default", "contentFilters": filters}}
            a.azure(
                who, "Microsoft.CognitiveServices/accounts/raiPolicies/write", f"{a.pick(a.company.openai)}/raiPolicies/{a.backdoor()}", body=body
            )
    with a.stage("the account is used with the key", "a44", "a06", tags=("attack.t1496.004",)):
        moves.openai_calls(a, a.rng.randrange(30, 150), jailbreak=0.3)


CAMPAIGN = Campaign("Stolen keys of an Azure OpenAI account are used past its filter", play)
