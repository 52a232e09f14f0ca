"""An identity nobody used for long wakes up in two clouds."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.company import ServiceAccount
from engine.simulate.native import ids
from engine.simulate.native.aws import iam_user


def play(a: Act) -> None:
    account = a.pick(a.company.accounts)
    name = f"old-{a.backdoor()}"
    key, number = ids.plain_key(a.rng, account, kind="AKIA"), str(a.rng.randrange(10**20, 10**21))
    sleeper = ServiceAccount(f"{name}@{a.company.project}.iam.gserviceaccount.com", number, ids.hexes(a.rng, 40))
    a.is_also(name, f"aws.key:{key}", f"gcp.account:{sleeper.email}", f"gcp.key:{sleeper.key}")
    aws = iam_user(account, name, ids.principal_id(a.rng, "AIDA"), key, a.exits[0], a.agent)
    with a.stage("an old key wakes in AWS", "d29", tags=("attack.t1078.004",)):
        first = moves.whoami(a, aws)
        for call in a.rng.sample(("ListUsers", "ListRoles", "GetUser", "ListGroups"), 2):
            a.aws(aws, "iam", call)
        if a.rng.random() < 0.6:
            moves.aws_secrets(a, aws, least=1)
    with a.stage("an old account wakes in GCP", "d29", tags=("attack.t1078.004",)):
        gcp = chains.gcp_account(a.company, sleeper, a.exit(), a.gcp_agent, keyed=True)
        project = f"projects/{a.company.project}"
        second = a.gcp(gcp, "iam", "google.iam.admin.v1.ListServiceAccounts", project, "iam.serviceAccounts.list", log="data_access")
        moves.gcp_secrets(a, gcp, least=1)
        request = {"@type": "type.googleapis.com/google.iam.v1.SetIamPolicyRequest", "resource": a.company.project}
        a.gcp(gcp, "cloudresourcemanager", "SetIamPolicy", project, "resourcemanager.projects.setIamPolicy", kind="project", request=request)
    a.link("same_name", f"aws.key:{key}", f"gcp.key:{sleeper.key}", ("aws", "gcp"), first, second)


CAMPAIGN = Campaign("A dormant identity wakes in two clouds", play)
