"""After Google, 2021 and 2023 (Threat Horizons): a service account's key in a public repository, and machines that mine in many zones."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.act import Act, Campaign
from engine.simulate.native import ids
from engine.simulate.native.entries import Record

ZONES = ("us-central1-a", "us-east1-b", "us-west1-b", "europe-west4-a", "europe-north1-a", "asia-east1-c", "asia-south1-a", "southamerica-east1-b")


def play(a: Act) -> None:
    account = a.account()
    who = chains.gcp_account(a.company, account, a.exits[0], a.gcp_agent, keyed=True)
    a.is_also(account.email, f"gcp.key:{account.key}", f"gcp.account:{account.email}")
    project = f"projects/{a.company.project}"
    with a.stage("a key from a public repository is tried", "key_from_repository", tags=("attack.t1078.004", "attack.t1580")):
        a.gcp(who, "cloudresourcemanager", "GetProject", project, "resourcemanager.projects.get", log="data_access")
        a.gcp(who, "cloudresourcemanager", "GetIamPolicy", project, "resourcemanager.projects.getIamPolicy", log="data_access")
        for zone in a.rng.sample(ZONES, 3):
            a.gcp(who, "compute", "v1.compute.instances.list", f"{project}/zones/{zone}", "compute.instances.list", log="data_access")
        a.gcp(who, "compute", "v1.compute.regions.list", f"{project}/regions", "compute.regions.list", log="data_access")
    if a.rng.random() < 0.6:
        with a.stage("what is missing is switched on", "mining", tags=("attack.t1578.005",)):
            name = f"{project}/services/compute.googleapis.com"
            a.gcp(
                who,
                "serviceusage",
                "google.api.serviceusage.v1.ServiceUsage.EnableService",
                name,
                "serviceusage.services.enable",
                request={"name": name},
            )
            rule = f"{project}/global/firewalls/{a.backdoor()}"
            request = {"@type": "type.googleapis.com/compute.firewalls.insert", "direction": "INGRESS", "sourceRanges": ["0.0.0.0/0"]}
            a.gcp(who, "compute", "v1.compute.firewalls.insert", rule, "compute.firewalls.create", kind="gce_firewall_rule", request=request)
    with a.stage("machines start in many zones", "mining", tags=("attack.t1578.002", "attack.t1496.001")):
        for zone in a.rng.sample(ZONES, a.rng.randrange(3, len(ZONES) + 1)):
            for _ in range(a.rng.randrange(1, 5)):
                name = f"{project}/zones/{zone}/instances/{a.rng.choice(('worker', 'node', 'gke-pool'))}-{ids.hexes(a.rng, 5)}"
                kind = a.rng.choice(("n2-highcpu-96", "c2-standard-60", "n2d-highcpu-224"))
                request = {"@type": "type.googleapis.com/compute.instances.insert", "machineType": f"{project}/zones/{zone}/machineTypes/{kind}"}
                code = 8 if a.rng.random() < 0.3 else 0
                a.gcp(
                    who, "compute", "v1.compute.instances.insert", name, "compute.instances.create", kind="gce_instance", request=request, code=code
                )
    if a.rng.random() < 0.5:
        with a.stage("a key of the actor's is kept", "persistence", tags=("attack.t1098.001",)):
            admin = "type.googleapis.com/google.iam.admin.v1"
            key = ids.hexes(a.rng, 40)
            owner = f"{project}/serviceAccounts/{account.email}"
            made = {"@type": f"{admin}.ServiceAccountKey", "name": f"{owner}/keys/{key}", "key_origin": 2, "key_type": 1}
            labels = {"email_id": account.email, "unique_id": account.uid, "project_id": a.company.project}
            target = f"projects/-/serviceAccounts/{account.uid}"
            given: Record = {
                "kind": "service_account",
                "labels": labels,
                "request": {"@type": f"{admin}.CreateServiceAccountKeyRequest", "name": owner},
                "response": made,
            }
            a.gcp(who, "iam", "google.iam.admin.v1.CreateServiceAccountKey", target, "iam.serviceAccountKeys.create", **given)
            a.link("issued_key", f"gcp.account:{account.email}", f"gcp.key:{key}", ("gcp", "gcp"))


CAMPAIGN = Campaign("A service account's key from a public repository mines in many zones", play, paces=("fast", "steady"))
