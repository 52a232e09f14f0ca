"""Storage in Azure is held to ransom with a key of the actor."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign


def play(a: Act) -> None:
    person = a.person()
    ip = a.exits[0]
    a.is_also(person.upn, f"entra.object:{person.oid}", f"email:{person.upn}")
    names = [f"store{a.rng.randrange(100, 999)}" for _ in range(a.rng.randrange(2, 6))]
    stores = [a.company.arm("rg-data", "Microsoft.Storage/storageAccounts", name) for name in names]
    with a.stage("a person's token is used from elsewhere", "s1", tags=("attack.t1078.004",)):
        who = a.as_person(person, "cli", ip, "Owner", agent=a.browser)
    with a.stage("keys of storage are read", "s2", tags=("attack.t1552",)):
        for store in stores:
            a.azure(who, "Microsoft.Storage/storageAccounts/listKeys/action", store)
    with a.stage("locks and backups are removed", "s3", tags=("attack.t1490",)):
        for store in stores:
            a.azure(who, "Microsoft.Authorization/locks/delete", f"{store}/providers/Microsoft.Authorization/locks/keep")
        vault = a.company.arm("rg-data", "Microsoft.RecoveryServices/vaults", "backups")
        item = f"{vault}/backupFabrics/Azure/protectionContainers/c/protectedItems/i"
        a.azure(who, "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/delete", item)
    with a.stage("encryption moves to another key", "d18", tags=("attack.t1486",)):
        for store in stores:
            body = {
                "properties": {"source": "Microsoft.KeyVault", "keyVaultProperties": {"keyUri": f"https://{a.backdoor()}.vault.example.net/keys/k"}}
            }
            a.azure(who, "Microsoft.Storage/storageAccounts/encryptionScopes/write", f"{store}/encryptionScopes/{a.backdoor()}", body=body)
            a.azure(who, "Microsoft.Storage/storageAccounts/regenerateKey/action", store)


CAMPAIGN = Campaign("Azure storage is held to ransom with another key", play)
