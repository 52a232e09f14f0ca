"""A person's identity is taken over and carries into all clouds."""

from __future__ import annotations

from engine.simulate import chains, lexicon
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native.entries import Record
from engine.simulate.native.gcp import GcpCaller


def play(a: Act) -> None:
    person, desk = a.person(), a.person(1)
    ip, place = a.exits[0], a.rng.randrange(len(lexicon.PLACES))
    where: Record = {"location": chains.location(place), "asn": chains.network(ip), "agent": a.browser}
    target = {"id": person.oid, "displayName": person.display, "type": "User", "userPrincipalName": person.upn, "modifiedProperties": []}
    user = {"id": desk.oid, "displayName": desk.display, "userPrincipalName": desk.upn, "ipAddress": a.company.offices[0], "roles": []}
    by: Record = {"user": user}
    a.is_also(person.upn, f"entra.object:{person.oid}", f"email:{person.upn}")
    with a.stage("the help desk is talked into a reset", "s1", tags=("attack.t1556.006", "attack.t1098")):
        for _ in range(a.rng.randrange(0, 4)):
            a.g.directory.user(a.wait(5, 60), person, "portal", ip, error=50126, mfa=False, **where)
        how = a.rng.choice(("Admin registered temporary access pass method for user", "Reset user password", "Admin deleted security info"))
        a.directory(by, how, "UserManagement", "Update", target)
    with a.stage("a risky sign-in", "s2", tags=("attack.t1078.004",)):
        first = a.g.directory.user(a.wait(20, 300), person, "office", ip, risk=a.rng.choice(("medium", "high")), **where)
        a.directory(
            by | {"user": by["user"] | {"id": person.oid, "userPrincipalName": person.upn}},
            "User registered security info",
            "UserManagement",
            "Update",
            target,
        )
    clouds = a.rng.sample(("aws", "azure", "gcp"), a.rng.randrange(2, 4))
    if "aws" in clouds:
        with a.stage("AWS is entered", "d11", tags=("attack.t1550.001",)):
            who = a.by_saml(person, a.company.role(person.account, "engineer"), ip)
            moves.whoami(a, who)
            moves.aws_secrets(a, who, least=1)
    if "azure" in clouds:
        with a.stage("Azure is entered", "d11", tags=("attack.t1098.003",)):
            inside = a.as_person(person, "portal", ip, "Owner", **{k: v for k, v in where.items() if k != "agent"})
            a.azure(inside, "Microsoft.Authorization/elevateAccess/action", "/providers/Microsoft.Authorization")
            moves.azure_storage_keys(a, inside, a.rng.randrange(1, 5))
    if "gcp" in clouds:
        with a.stage("GCP is entered", "d11", tags=("attack.t1078.004",)):
            subject = f"principal://iam.googleapis.com/locations/global/workforcePools/entra/subject/{person.upn}"
            gcp = GcpCaller("", ip, a.gcp_agent, federated=subject)
            project = f"projects/{a.company.project}"
            entry = a.gcp(gcp, "cloudresourcemanager", "GetIamPolicy", project, "resourcemanager.projects.getIamPolicy", log="data_access")
            moves.gcp_secrets(a, gcp, least=1)
            a.link("workforce", f"email:{person.upn}", f"gcp.principal:{subject}", ("azure", "gcp"), first, entry)


CAMPAIGN = Campaign("A person's identity is taken over and carries into all clouds", play, paces=("fast", "steady"))
