"""Second act: with the service principal's secret into Azure, to its models and into the directory."""

from __future__ import annotations

import random

from engine.simulate.native import ids
from engine.simulate.native.actors import ServicePrincipal
from engine.simulate.native.azure import AzureCaller
from engine.simulate.native.entra import changed
from engine.simulate.native.entries import Entry, Record
from engine.simulate.sample.attackers import JAILBREAK, LOCATION, MAIN_IP, NETWORK, RELAY_IPS
from engine.simulate.sample.feeds import Stage
from engine.simulate.sample.rhythm import after
from engine.simulate.sample.story import Storyteller


def pivot(stage: Stage, rng: random.Random, teller: Storyteller) -> None:
    """Play it within the hour after the secrets were read."""
    stolen = stage.world.principals["sp-terraform"]
    directory = stage.feeds.directory
    sign_in = directory.principal(stage.at(1, 2, 47, 31.2), stolen, MAIN_IP, LOCATION, asn=NETWORK)
    why = "The pipeline's service principal signs in with its secret from the very address that used the leaked AWS key."
    teller.step("The service principal signs in from the attacker's address", "Azure", [sign_in], why, "attack.t1078.004", "attack.t1550.001")
    who = AzureCaller(stolen.oid, stolen.name, stolen.app_id, "app", "Contributor", MAIN_IP, sign_in.record["properties"]["id"])
    _keys(stage, who, teller)
    _filter(stage, who, teller)
    _gateway(stage, rng, teller)
    _blind(stage, who, teller)
    _directory(stage, stolen, teller)


def _keys(stage: Stage, who: AzureCaller, teller: Storyteller) -> None:
    activity = stage.feeds.activity
    done = activity.operation(stage.at(1, 2, 49, 2.1), who, "Microsoft.CognitiveServices/accounts/listKeys/action", stage.world.openai)
    secrets = f"{stage.world.gateway}/subscriptions/shop-search"
    done += activity.operation(stage.at(1, 2, 49, 40.7), who, "Microsoft.ApiManagement/service/subscriptions/listSecrets/action", secrets)
    why = "The keys of the Azure OpenAI account are read, and the subscription key of the gateway before it: both work without any identity."
    teller.step("Keys of the Azure OpenAI account are read", "Azure", done, why, "attack.t1552", "atlas.aml.t0055")
    audit = stage.feeds.openai.audit(stage.at(1, 2, 49, 3.0), "ListKey", who.oid)
    why = "The account's own audit log names the object id of the service principal that took the keys."
    teller.step("The account's audit log shows ListKey", "Azure", [audit], why, "attack.t1552", "atlas.aml.t0055")


def _filter(stage: Stage, who: AzureCaller, teller: Storyteller) -> None:
    severity = {"allowedContentLevel": "High", "blocking": False, "enabled": False}
    names = ("hate", "sexual", "violence", "selfharm", "jailbreak")
    filters = [{"name": name, "source": "Prompt", **severity} for name in names]
    body: Record = {"properties": {"basePolicyName": "Microsoft.Default", "mode": "Asynchronous_filter", "contentFilters": filters}}
    policy = f"{stage.world.openai}/raiPolicies/shop-default"
    done = stage.feeds.activity.operation(stage.at(1, 2, 52, 10.4), who, "Microsoft.CognitiveServices/accounts/raiPolicies/write", policy, body=body)
    why = "The content filter of the account is set to let everything pass, prompt shield included."
    teller.step("The content filter is weakened", "Azure", done, why, "attack.t1685", "atlas.aml.t0054", "owasp.llm01")


def _gateway(stage: Stage, rng: random.Random, teller: Storyteller) -> None:
    """Resale through the gateway and, with the account key, past it."""
    prompts: list[Entry] = []
    calls: list[Entry] = []
    for number in range(14):
        when = after(rng, stage.at(1, 2, 54, 20.0 * number), 0, 15)
        text = JAILBREAK.format(n=rng.randrange(100, 999), chapter=number + 1)
        answer = f"Chapter {number + 1}. The story goes on as the customer asked, without a word left out."
        messages = [{"role": "user", "content": text}]
        prompts.append(stage.feeds.openai.gateway(when, rng.choice(RELAY_IPS), messages, answer, subscription="shop-search", jailbreak=True))
        calls.append(stage.feeds.openai.request(after(rng, when, 1, 4), rng.choice(RELAY_IPS), "", length=6400 + number))
    why = "The prompt shield recognises a jailbreak and, since the filter was weakened, lets it through."
    teller.step("Jailbreaks pass the gateway", "Azure", prompts, why, "atlas.aml.t0054", "atlas.aml.t0051.000", "owasp.llm01")
    why = "Calls with the account key carry no identity; they come from the addresses that also use the stolen AWS capacity."
    teller.step("The account is used with the stolen key", "Azure", calls, why, "attack.t1496.004", "atlas.aml.t0040")


def _blind(stage: Stage, who: AzureCaller, teller: Storyteller) -> None:
    when = stage.at(1, 3, 2, 5.5)
    setting = f"{stage.world.openai}/providers/microsoft.insights/diagnosticSettings/to-storage"
    done = stage.feeds.activity.operation(when, who, "Microsoft.Insights/diagnosticSettings/delete", setting)
    stage.feeds.openai.stop(done[-1].time)
    why = "The account's own logs end here."
    teller.step("Logging of the Azure OpenAI account is switched off", "Azure", done, why, "attack.t1685.002")


def _directory(stage: Stage, stolen: ServicePrincipal, teller: Storyteller) -> None:
    """A second door: a secret and a federated credential on another service principal, a sign-in through it, and rights for it."""
    directory, world = stage.feeds.directory, stage.world
    rng = directory.rng
    door = world.principals["sp-backup-sync"]
    by: Record = {"app": {"appId": stolen.app_id, "displayName": stolen.name, "servicePrincipalId": stolen.oid, "servicePrincipalName": None}}
    key, federated = ids.guid(rng), ids.guid(rng)
    described = f'["[KeyIdentifier={key},KeyType=Password,KeyUsage=Verify,DisplayName=sync]"]'
    target: Record = {"id": door.oid, "displayName": door.name, "type": "ServicePrincipal", "modifiedProperties": []}
    entry = directory.audit(
        stage.at(1, 3, 6, 12.3),
        "Add service principal credentials",
        "ApplicationManagement",
        "Assign",
        by,
        [{**target, "modifiedProperties": [changed("KeyDescription", described, "[]"), changed("Included Updated Properties", '"KeyDescription"')]}],
        details=[{"key": "User-Agent", "value": "python-requests/2.31.0"}],
    )
    why = "A service principal adds a secret to another one: a door that stays when the stolen secret is changed."
    teller.step("A secret is added to another service principal", "Azure", [entry], why, "attack.t1098.001")
    trust = (
        f'[{{"Name":"gh-sync","Issuer":"https://token.actions.githubusercontent.com","Subject":"repo:example-mirror/sync:ref:refs/heads/main",'
        f'"Id":"{federated}","Audiences":["api://AzureADTokenExchange"]}}]'
    )
    application = {**target, "type": "Application", "modifiedProperties": [changed("FederatedIdentityCredentials", trust, "[]")]}
    entry = directory.audit(stage.at(1, 3, 7, 40.0), "Update application", "ApplicationManagement", "Update", by, [application])
    why = "From now on a workflow in a stranger's repository is trusted as this application, with no secret at all."
    teller.step("A foreign repository is trusted as an application", "Azure", [entry], why, "attack.t1098.001", "attack.t1556.007")
    entry = directory.principal(stage.at(1, 3, 12, 5.0), door, RELAY_IPS[0], LOCATION, federated=federated, asn=NETWORK)
    why = "The new trust is used for the first time, from an address of the attacker."
    teller.step("First sign-in through the new trust", "Azure", [entry], why, "attack.t1078.004", "attack.t1199")
    _assign(stage, door, entry, teller)


def _assign(stage: Stage, door: ServicePrincipal, sign_in: Entry, teller: Storyteller) -> None:
    rng = stage.feeds.activity.rng
    scope = f"/subscriptions/{stage.world.subscription}"
    who = AzureCaller(door.oid, door.name, door.app_id, "app", "Owner", RELAY_IPS[0], sign_in.record["properties"]["id"])
    role = f"{scope}/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
    body: Record = {
        "Id": ids.guid(rng),
        "Properties": {"PrincipalId": door.oid, "PrincipalType": "ServicePrincipal", "RoleDefinitionId": role, "Scope": scope},
    }
    resource = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{ids.guid(rng)}"
    done = stage.feeds.activity.operation(stage.at(1, 3, 14, 22.0), who, "Microsoft.Authorization/roleAssignments/write", resource, body=body)
    why = "The second door is made Owner of the subscription."
    teller.step("Owner of the subscription is granted", "Azure", done, why, "attack.t1098.003")
