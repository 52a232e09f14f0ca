"""Third act: with the service-account key into GCP, to its models."""

from __future__ import annotations

import random

from engine.simulate.native import ids
from engine.simulate.native.actors import GCP_PROJECT
from engine.simulate.native.entries import Entry
from engine.simulate.native.gcp import GcpCaller, Target, deltas, key_name
from engine.simulate.sample.attackers import HTTP_AGENT, JAILBREAK, MAIN_IP, RESOLD
from engine.simulate.sample.benign_ai import generate
from engine.simulate.sample.feeds import Stage
from engine.simulate.sample.rhythm import after
from engine.simulate.sample.story import Storyteller

ADMIN = "type.googleapis.com/google.iam.admin.v1"


def pivot(stage: Stage, rng: random.Random, teller: Storyteller) -> None:
    """Play it an hour after the secrets were read."""
    world = stage.world
    email = world.service_account("ci-deployer")
    found = key_name(email, world.accounts["ci-deployer"][1])
    who = GcpCaller(email, MAIN_IP, HTTP_AGENT, key=found)
    _key(stage, rng, who, teller)
    _secrets(stage, who, teller)
    _grant(stage, who, teller)
    runner = _impersonate(stage, who, teller)
    _generate(stage, rng, runner, teller)
    _blind(stage, who, teller)


def _key(stage: Stage, rng: random.Random, who: GcpCaller, teller: Storyteller) -> None:
    account = f"projects/-/serviceAccounts/{stage.world.accounts['ci-deployer'][0]}"
    labels = (("email_id", who.email), ("unique_id", stage.world.accounts["ci-deployer"][0]))
    target = Target(account, "iam.serviceAccountKeys.create", "service_account", labels)
    name = f"projects/{GCP_PROJECT}/serviceAccounts/{who.email}"
    entry = stage.feeds.gcp.call(
        stage.at(1, 3, 20, 11.0),
        who,
        "iam",
        "google.iam.admin.v1.CreateServiceAccountKey",
        target,
        request={"@type": f"{ADMIN}.CreateServiceAccountKeyRequest", "name": name, "private_key_type": 2},
        response={"@type": f"{ADMIN}.ServiceAccountKey", "name": f"{name}/keys/{ids.hexes(rng, 40)}", "key_origin": 2, "key_type": 1},
    )
    why = "The deployment account, used with the key found in AWS, makes itself another key."
    teller.step("A second key of the service account is created", "GCP", [entry], why, "attack.t1098.001")


def _secrets(stage: Stage, who: GcpCaller, teller: Storyteller) -> None:
    found: list[Entry] = []
    for number, secret in enumerate(("shop-database", "payment-api", "search-admin")):
        name = f"projects/{GCP_PROJECT}/secrets/{secret}/versions/latest"
        target = Target(name, "secretmanager.versions.access", "audited_resource", (("service", "secretmanager.googleapis.com"),))
        request = {"@type": "type.googleapis.com/google.cloud.secretmanager.v1.AccessSecretVersionRequest", "name": name}
        method = "google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion"
        found.append(stage.feeds.gcp.call(stage.at(1, 3, 21, 4.0 * number), who, "secretmanager", method, target, log="data_access", request=request))
    why = "The same address read secrets in AWS less than an hour ago."
    teller.step("Secrets are read in a second cloud", "GCP", found, why, "attack.t1555.006")


def _grant(stage: Stage, who: GcpCaller, teller: Storyteller) -> None:
    role = "roles/iam.serviceAccountTokenCreator"
    member = f"serviceAccount:{who.email}"
    entry = stage.feeds.gcp.call(
        stage.at(1, 3, 22, 30.0),
        who,
        "cloudresourcemanager",
        "SetIamPolicy",
        Target(f"projects/{GCP_PROJECT}", "resourcemanager.projects.setIamPolicy", "project"),
        request={
            "@type": "type.googleapis.com/google.iam.v1.SetIamPolicyRequest",
            "resource": GCP_PROJECT,
            "policy": {"bindings": [{"role": role, "members": [member]}], "etag": "BwYexampleA="},
        },
        response={"@type": "type.googleapis.com/google.iam.v1.Policy", "etag": "BwYexampleB="},
        serviceData=deltas(role, [member]),
    )
    why = "Token creator on the project lets the account act as every other service account in it."
    teller.step("The right to impersonate is granted", "GCP", [entry], why, "attack.t1098.003", "attack.t1548.005")


def _impersonate(stage: Stage, who: GcpCaller, teller: Storyteller) -> GcpCaller:
    email = stage.world.service_account("vertex-runner")
    unique = stage.world.accounts["vertex-runner"][0]
    name = f"projects/-/serviceAccounts/{email}"
    target = Target(
        f"projects/-/serviceAccounts/{unique}", "iam.serviceAccounts.getAccessToken", "service_account", (("email_id", email), ("unique_id", unique))
    )
    request = {
        "@type": "type.googleapis.com/google.iam.credentials.v1.GenerateAccessTokenRequest",
        "name": name,
        "scope": ["https://www.googleapis.com/auth/cloud-platform"],
    }
    entry = stage.feeds.gcp.call(stage.at(1, 3, 24, 2.0), who, "iamcredentials", "GenerateAccessToken", target, log="data_access", request=request)
    why = "A token of the account that runs the models is made, by an account that never did so."
    teller.step("The model account is impersonated", "GCP", [entry], why, "attack.t1548.005", "attack.t1550.001")
    return GcpCaller(email, MAIN_IP, HTTP_AGENT, delegation=(who.email,))


def _generate(stage: Stage, rng: random.Random, who: GcpCaller, teller: Storyteller) -> None:
    audits: list[Entry] = []
    rows: list[Entry] = []
    for number in range(48):
        when = after(rng, stage.at(1, 3, 26), 0, 1500)
        wording = JAILBREAK if number % 4 == 0 else rng.choice(RESOLD)
        prompt = wording.format(n=rng.randrange(300, 2000), chapter=number + 1)
        audit, row = generate(stage, when, who, prompt, f"Chapter {number + 1}. The wind turned, and the harbour lay silent while they waited.")
        audits.append(audit)
        rows.append(row)
    why = "The impersonated account calls models from the attacker's address; the delegation names who is behind it."
    teller.step("Models are used through the impersonated account", "GCP", audits, why, "attack.t1496.004", "atlas.aml.t0040")
    why = "What customers of the resale asked, jailbreaks among it; the rows name no caller and meet the audit log by model and time."
    teller.step("The prompts of the resale", "GCP", rows, why, "attack.t1496.004", "atlas.aml.t0054")


def _blind(stage: Stage, who: GcpCaller, teller: Storyteller) -> None:
    name = f"projects/{GCP_PROJECT}/sinks/security-archive"
    target = Target(name, "logging.sinks.delete", "logging_sink", (("name", "security-archive"),))
    request = {"@type": "type.googleapis.com/google.logging.v2.DeleteSinkRequest", "sinkName": name}
    entry = stage.feeds.gcp.call(stage.at(1, 3, 55, 9.0), who, "logging", "google.logging.v2.ConfigServiceV2.DeleteSink", target, request=request)
    why = "The sink to the security archive is deleted: the third cloud in two hours in which logging is cut."
    teller.step("A log sink is deleted", "GCP", [entry], why, "attack.t1685.002")
