"""A foreign issuer is trusted by a managed identity, and enters Azure through it."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.native import ids


def play(a: Act) -> None:
    person, identity = a.person(), a.identity()
    federated = ids.guid(a.rng)
    ip = a.exits[0]
    with a.stage("a person's token writes a federated credential", "s1", tags=("attack.t1098.001", "attack.t1556.007")):
        who = a.as_person(person, "cli", ip, "Contributor")
        issuer = a.rng.choice(("https://token.actions.githubusercontent.com", f"https://{a.backdoor()}.example.net", "https://gitlab.example.org"))
        body = {
            "properties": {"issuer": issuer, "subject": f"repo:{a.backdoor()}/x:ref:refs/heads/main", "audiences": ["api://AzureADTokenExchange"]}
        }
        provider = f"Microsoft.ManagedIdentity/userAssignedIdentities/{identity.name}/federatedIdentityCredentials"
        resource = a.company.arm("rg-apps", provider, a.backdoor())
        operation = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write"
        written = a.azure(who, operation, resource, body=body)
    a.is_also(person.upn, f"entra.object:{person.oid}", f"email:{person.upn}")
    with a.stage("the identity is entered from elsewhere", "d09", tags=("attack.t1550.001",)):
        inside = a.as_identity(identity, a.exit(), federated)
        sign_in = a.g.directory.entries[-1]
    a.link("federated_credential", f"entra.object:{person.oid}", f"entra.object:{identity.oid}", ("azure", "azure"), written[-1], sign_in)
    with a.stage("it takes rights", "s2", tags=("attack.t1098.003",)):
        for _ in range(a.rng.randrange(1, 3)):
            body = {
                "Properties": {
                    "PrincipalId": identity.oid,
                    "RoleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/" + ids.guid(a.rng),
                }
            }
            name = a.company.arm("rg-apps", "Microsoft.Authorization/roleAssignments", ids.guid(a.rng))
            a.azure(inside, "Microsoft.Authorization/roleAssignments/write", name, body=body)
    if a.rng.random() < 0.6:
        with a.stage("it reads keys", "b46", tags=("attack.t1552",)):
            for _ in range(a.rng.randrange(1, 5)):
                store = a.company.arm("rg-data", "Microsoft.Storage/storageAccounts", f"data{a.rng.randrange(100)}")
                a.azure(inside, "Microsoft.Storage/storageAccounts/listKeys/action", store)


CAMPAIGN = Campaign("A foreign issuer enters Azure by a federated credential", play)
