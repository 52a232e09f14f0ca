"""An Entra workload identity opens an AWS role."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves


def play(a: Act) -> None:
    principal, role = a.principal(), a.task()
    with a.stage("a service principal signs in from elsewhere", "a46", tags=("attack.t1078.004",)):
        who = a.in_azure(principal, a.exits[0])
        if a.rng.random() < 0.5:
            a.azure(who, "Microsoft.Resources/subscriptions/resourceGroups/read", a.company.arm("rg-apps", "Microsoft.Web/sites", "site-01"))
    with a.stage("its token opens an AWS role", "d07", tags=("attack.t1199", "attack.t1550.001")):
        issuer = f"sts.windows.net/{a.company.tenant}/"
        audience = a.rng.choice((f"api://{principal.app_id}", principal.app_id))
        session, parent = a.backdoor(), f"entra.object:{principal.oid}"
        aws = a.by_web_identity(role, issuer, audience, principal.oid, session, a.exits[0], parent, "azure")
    with a.stage("the role takes what it reaches", "s1", tags=("attack.t1580", "attack.t1555.006")):
        moves.whoami(a, aws)
        moves.aws_secrets(a, aws)
        for name in a.rng.sample(("ListBuckets", "GetBucketPolicy", "GetBucketLocation"), 2):
            a.aws(aws, "s3", name, params={"bucketName": a.company.buckets["reports"]})
    with a.stage("data is copied out", "s2", tags=("attack.t1530",)):
        for number in range(a.rng.randrange(15, 80)):
            a.s3(aws, "GetObject", a.company.buckets["reports"], f"q{number % 4}/report-{number}.csv", size=a.rng.randrange(10**4, 10**7))


CAMPAIGN = Campaign("A workload identity of Entra opens an AWS role", play)
