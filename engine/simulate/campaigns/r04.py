"""After Microsoft, 2025 (Storm-2372): a person types a stranger's device code; carried on from mail to the company's Azure OpenAI account."""

from __future__ import annotations

from engine.simulate import chains, lexicon
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids
from engine.simulate.native.entra import changed
from engine.simulate.native.entries import Record

BROKER = ("29d9ed98-a469-4536-ade2-f981bc1d605e", "Microsoft Authentication Broker")
REGISTRATION = ("01cb2876-7ebd-4aa4-9cc9-d28bd4d359a9", "Device Registration Service")


def play(a: Act) -> None:
    person = a.person()
    ip, place = a.exits[0], a.rng.randrange(len(lexicon.PLACES))
    where: Record = {"location": chains.location(place), "asn": chains.network(ip)}
    a.is_also(person.upn, f"entra.object:{person.oid}", f"email:{person.upn}")
    with a.stage("a device code is typed in for somebody else", "device_code", tags=("attack.t1566", "attack.t1528")):
        entry = a.g.directory.user(a.wait(20, 300), person, "office", ip, **where)
        entry.record["properties"] |= {"appId": BROKER[0], "appDisplayName": BROKER[1], "authenticationProtocol": "deviceCode"}
        entry.record["properties"] |= {
            "resourceDisplayName": REGISTRATION[1],
            "resourceId": REGISTRATION[0],
            "clientAppUsed": "Mobile Apps and Desktop clients",
        }
    if a.rng.random() < 0.7:
        with a.stage("a device of the actor's is registered", "device_code", tags=("attack.t1098.005",)):
            user = {"id": person.oid, "displayName": person.display, "userPrincipalName": person.upn, "ipAddress": ip, "roles": []}
            name = f"DESKTOP-{ids.letters(a.rng, 7, ids.BASE32)}"
            device: Record = {
                "id": ids.guid(a.rng),
                "displayName": name,
                "type": "Device",
                "modifiedProperties": [changed("DeviceOSType", '["Windows"]', "[]")],
            }
            a.directory(
                {"app": {"displayName": REGISTRATION[1], "appId": None, "servicePrincipalId": ids.guid(a.rng)}}, "Add device", "Device", "Add", device
            )
            a.directory({"user": user}, "Register device", "Device", "Add", device)
    with a.stage("tokens are renewed from afar and mail is read", "mail", tags=("attack.t1114.002", "attack.t1550.001")):
        for _ in range(a.rng.randrange(3, 12)):
            at = a.exit()
            a.g.directory.user(a.wait(60, 900), person, "teams", at, interactive=False, **{**where, "asn": chains.network(at)})
    with a.stage("Azure is entered with the same sign-in", "azure_openai", tags=("attack.t1550.001", "attack.t1526")):
        who = a.as_person(person, "cli", ip, "Contributor", **where)
        for name in ("Microsoft.CognitiveServices/accounts/listKeys/action",) * a.rng.randrange(1, 4):
            a.azure(who, name, a.rng.choice(a.company.openai))
        moves.azure_keys(a, who)
    with a.stage("models are used by the account's key", "azure_openai", tags=("attack.t1496.004",)):
        moves.openai_calls(a, a.rng.randrange(40, 160))


CAMPAIGN = Campaign("A phished device code opens mail and models", play)
