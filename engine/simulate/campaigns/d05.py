"""Secrets of several clouds are read from one place."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves


def play(a: Act) -> None:
    user, account = a.user(), a.account()
    a.exits = a.exits[:1]
    aws = moves.stolen(a, user)
    with a.stage("secrets are read in AWS", "aws_secret_read", tags=("attack.t1555.006",)):
        moves.whoami(a, aws)
        moves.aws_secrets(a, aws)
    gcp = chains.gcp_account(a.company, account, a.exits[0], a.gcp_agent, keyed=True)
    a.is_also(account.email, f"gcp.key:{account.key}")
    with a.stage("secrets are read in GCP", "gcp_secret_read", tags=("attack.t1555.006",)):
        moves.gcp_secrets(a, gcp)
    a.link(
        "secret_found",
        f"aws.key:{user.key}",
        f"gcp.key:{account.key}",
        ("aws", "gcp"),
        a.told.stages[0].entries[-1],
        a.told.stages[1].entries[0],
    )
    if a.rng.random() < 0.7:
        principal = a.principal()
        with a.stage("keys are read in Azure", "b46", tags=("attack.t1555.006",)):
            who = a.in_azure(principal, a.exits[0])
            moves.azure_storage_keys(a, who, a.rng.randrange(2, 7))
            vault = a.company.arm("rg-data", "Microsoft.KeyVault/vaults", a.backdoor())
            a.azure(who, "Microsoft.KeyVault/vaults/accessPolicies/write", vault)
        proof = (a.told.stages[0].entries[-1], a.told.stages[2].entries[0])
        a.link("secret_found", f"aws.key:{user.key}", f"entra.object:{principal.oid}", ("aws", "azure"), *proof)


CAMPAIGN = Campaign("Secrets of several clouds are read from one place", play)
