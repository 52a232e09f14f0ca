"""After Microsoft, 2025 (Storm-0501): an administrator without a second factor; a tenant's data is taken, destroyed, held for ransom."""

from __future__ import annotations

from engine.simulate import chains, lexicon
from engine.simulate.act import Act, Campaign
from engine.simulate.native import ids
from engine.simulate.native.azure import AzureCaller
from engine.simulate.native.entra import changed
from engine.simulate.native.entries import Record


def play(a: Act) -> None:
    person, sync = a.person(), a.person(1)
    ip, place = a.exits[0], a.rng.randrange(len(lexicon.PLACES))
    where: Record = {"location": chains.location(place), "asn": chains.network(ip)}
    a.is_also(person.upn, f"entra.object:{person.oid}", f"email:{person.upn}")
    admin: Record = {"id": person.oid, "displayName": person.display, "type": "User", "userPrincipalName": person.upn}
    with a.stage("privileged accounts are tried and one is reset", "entra_admin", tags=("attack.t1078.004", "attack.t1098")):
        for victim in a.rng.sample(a.company.people, a.rng.randrange(1, 4)):
            a.g.directory.user(a.wait(20, 200), victim, "portal", ip, error=50074, mfa=True, **where)
        server = {
            "id": sync.oid,
            "displayName": "On-Premises Directory Synchronization Service Account",
            "userPrincipalName": f"sync_dc01@{a.company.domain}",
        }
        by: Record = {"user": {**server, "ipAddress": a.company.offices[0], "roles": []}}
        a.directory(by, "Reset user password", "UserManagement", "Update", {**admin, "modifiedProperties": []})
        mine: Record = {"user": {"id": person.oid, "displayName": person.display, "userPrincipalName": person.upn, "ipAddress": ip, "roles": []}}
        a.directory(mine, "User registered security info", "UserManagement", "Update", {**admin, "modifiedProperties": []})
    with a.stage("a domain of the actor's is trusted", "federated_domain", tags=("attack.t1484.002",)):
        a.g.directory.user(a.wait(60, 600), person, "portal", ip, **where)
        domain = f"{a.backdoor()}.example.net"
        target: Record = {"id": None, "displayName": domain, "type": "Other"}
        for activity, values in (
            ("Add unverified domain", [changed("Name", f'["{domain}"]', "[]")]),
            ("Verify domain", []),
            ("Set domain authentication", [changed("LiveType", '["Federated"]', '["Managed"]')]),
            ("Set federation settings on domain", [changed("IssuerUri", f'["http://any.sts/{ids.hexes(a.rng, 8).upper()}"]', "[]")]),
        ):
            a.directory(mine, activity, "DirectoryManagement", "Update", {**target, "modifiedProperties": values})
    with a.stage("all subscriptions are taken over", "elevate_access", tags=("attack.t1098.003",)):
        who = a.as_person(person, "portal", ip, "Owner", **where)
        a.azure(who, "Microsoft.Authorization/elevateAccess/action", "/providers/Microsoft.Authorization")
        body: Record = {
            "properties": {
                "principalId": person.oid,
                "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
            }
        }
        a.azure(
            who,
            "Microsoft.Authorization/roleAssignments/write",
            f"/subscriptions/{a.company.subscription}/providers/Microsoft.Authorization/roleAssignments/{ids.guid(a.rng)}",
            body=body,
        )
    stores = [
        a.company.arm("rg-data", "Microsoft.Storage/storageAccounts", f"{area}store") for area in a.rng.sample(lexicon.AREAS, a.rng.randrange(4, 9))
    ]
    with a.stage("stores are opened and their keys read", "data_theft", tags=("attack.t1552", "attack.t1530")):
        for store in stores:
            if a.rng.random() < 0.5:
                body = {"properties": {"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Allow"}}}
                a.azure(who, "Microsoft.Storage/storageAccounts/write", store, body=body)
            a.azure(who, "Microsoft.Storage/storageAccounts/listKeys/action", store)
    with a.stage("data and backups are deleted", "destruction", tags=("attack.t1485", "attack.t1490")):
        _destroy(a, who, stores)
    if a.rng.random() < 0.6:
        with a.stage("what cannot be deleted is encrypted", "destruction", tags=("attack.t1486",)):
            vault = a.company.arm("rg-data", "Microsoft.KeyVault/vaults", a.backdoor())
            a.azure(who, "Microsoft.KeyVault/vaults/write", vault)
            for store in stores[:2]:
                a.azure(who, "Microsoft.Storage/storageAccounts/encryptionScopes/write", f"{store}/encryptionScopes/{a.backdoor()}")


def _destroy(a: Act, who: AzureCaller, stores: list[str]) -> None:
    lock = a.company.arm("rg-data", "Microsoft.Authorization/locks", "keep")
    a.azure(who, "Microsoft.Authorization/locks/delete", lock)
    for kind, name in (
        ("Microsoft.Compute/snapshots", "snap"),
        ("Microsoft.Compute/restorePointCollections", "points"),
        ("Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems", "item"),
    ):
        for _ in range(a.rng.randrange(1, 5)):
            a.azure(who, f"{kind}/delete", a.company.arm("rg-data", kind, f"{name}-{ids.hexes(a.rng, 6)}"))
    for store in stores:
        refused = "ScopeLocked" if a.rng.random() < 0.2 else ""
        a.azure(who, "Microsoft.Storage/storageAccounts/delete", store, error=refused)


CAMPAIGN = Campaign("A tenant's data is taken, destroyed and held for ransom", play, paces=("fast", "steady"))
