"""After Microsoft, 2024 (Midnight Blizzard): a sprayed password of a forgotten account ends in applications that may read all mail."""

from __future__ import annotations

from engine.simulate import chains, lexicon
from engine.simulate.act import Act, Campaign
from engine.simulate.native import ids
from engine.simulate.native.entra import changed
from engine.simulate.native.entries import Record

EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"


def play(a: Act) -> None:
    person, legacy = a.person(), a.principal()
    proxies = [*a.exits, *a.rng.sample(a.company.addresses[516:530], 8)]
    a.is_also(person.upn, f"entra.object:{person.oid}", f"email:{person.upn}")
    tried = [*a.rng.sample(a.company.people, a.rng.randrange(8, 16)), person]
    with a.stage("a few passwords are tried on many accounts", "password_spray", tags=("attack.t1110.003",)):
        for _ in range(a.rng.randrange(1, 3)):
            for victim in tried:
                ip, place = a.rng.choice(proxies), a.rng.randrange(len(lexicon.PLACES))
                where: Record = {"location": chains.location(place), "asn": chains.network(ip), "agent": a.browser}
                a.g.directory.user(a.wait(20, 240), victim, "office", ip, error=50126, mfa=False, **where)
    ip = a.rng.choice(proxies)
    with a.stage("an account without a second factor opens", "password_spray", tags=("attack.t1078.004",)):
        where = {"location": chains.location(a.rng.randrange(len(lexicon.PLACES))), "asn": chains.network(ip), "agent": a.browser}
        a.g.directory.user(a.wait(20, 240), person, "office", ip, mfa=False, **where)
    by: Record = {"user": {"id": person.oid, "displayName": person.display, "userPrincipalName": person.upn, "ipAddress": ip, "roles": []}}
    old: Record = {"id": legacy.oid, "displayName": legacy.name, "type": "ServicePrincipal"}
    with a.stage("a forgotten application gets a secret", "oauth_app", tags=("attack.t1098.001",)):
        told = f'["[KeyIdentifier={ids.guid(a.rng)},KeyType=Password,KeyUsage=Verify,DisplayName=]"]'
        change = {**old, "modifiedProperties": [changed("KeyDescription", told, "[]")]}
        a.directory(by, "Add service principal credentials", "ApplicationManagement", "Assign", change)
    with a.stage("the application signs in and works", "oauth_app", tags=("attack.t1550.001",)):
        a.in_azure(legacy, ip)
        app: Record = {"app": {"displayName": legacy.name, "servicePrincipalId": legacy.oid, "appId": legacy.app_id}}
        name, uid = a.backdoor(), ids.guid(a.rng)
        new = {"id": uid, "displayName": name, "type": "User", "userPrincipalName": f"{name}@{a.company.domain}"}
        a.directory(app, "Add user", "UserManagement", "Add", {**new, "modifiedProperties": [changed("AccountEnabled", "[true]", "[]")]})
    with a.stage("new applications may read all mail", "mail_rights", tags=("attack.t1098.003", "attack.t1528")):
        for _ in range(a.rng.randrange(1, 4)):
            made = {"id": ids.guid(a.rng), "displayName": a.backdoor(), "type": "ServicePrincipal", "modifiedProperties": []}
            a.directory(app, "Add application", "ApplicationManagement", "Add", {**made, "type": "Application"})
            a.directory(app, "Add service principal", "ApplicationManagement", "Add", made)
            consent = {**made, "modifiedProperties": [changed("ConsentContext.IsAdminConsent", '"True"')]}
            mine: Record = {"user": {"id": uid, "displayName": name, "userPrincipalName": new["userPrincipalName"], "ipAddress": ip, "roles": []}}
            a.directory(mine, "Consent to application", "ApplicationManagement", "Assign", consent)
            right = [changed("AppRole.Value", '"full_access_as_app"'), changed("ServicePrincipal.ObjectID", f'"{made["id"]}"')]
            target = {"id": EXCHANGE, "displayName": "Office 365 Exchange Online", "type": "ServicePrincipal", "modifiedProperties": right}
            a.directory(app, "Add app role assignment to service principal", "ApplicationManagement", "Assign", target)


CAMPAIGN = Campaign("A sprayed password ends in applications that may read all mail", play)
