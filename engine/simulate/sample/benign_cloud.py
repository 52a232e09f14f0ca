"""An ordinary day in Entra ID, Azure and GCP."""

from __future__ import annotations

import random
from datetime import datetime

from engine.simulate.native import ids
from engine.simulate.native.actors import GCP_PROJECT, Person
from engine.simulate.native.azure import AzureCaller
from engine.simulate.native.entra import APPS, changed
from engine.simulate.native.entries import Entry
from engine.simulate.native.gcp import GcpCaller, Target
from engine.simulate.sample.feeds import Stage
from engine.simulate.sample.rhythm import PEOPLE, after, moments
from engine.simulate.sample.world import CI_IPS, GCP_IP, OFFICE_IP

GCLOUD = "google-cloud-sdk gcloud/512.0.0 command/gcloud.storage.ls environment/None interactive/True python/3.12.8 (Linux 6.8.0)"
GCP_SDK = "gl-python/3.12.9 grpc/1.70.0 gax/2.24.1 gccl/2.19.0"
WRITES = (
    ("Microsoft.Resources/deployments/write", "Microsoft.Resources/deployments/shop-release"),
    ("Microsoft.Web/sites/write", "Microsoft.Web/sites/excorp-shop"),
    ("Microsoft.Web/sites/restart/action", "Microsoft.Web/sites/excorp-shop"),
    (
        "Microsoft.Storage/storageAccounts/blobServices/containers/write",
        "Microsoft.Storage/storageAccounts/excorpdata/blobServices/default/containers/releases",
    ),
    ("Microsoft.Insights/components/write", "Microsoft.Insights/components/excorp-insights"),
    ("Microsoft.ContainerRegistry/registries/tasks/write", "Microsoft.ContainerRegistry/registries/excorpacr/tasks/nightly"),
)


def live(stage: Stage, rng: random.Random) -> None:
    """Fill Entra ID, Azure Activity and GCP audit for the whole simulation."""
    _sign_ins(stage, rng)
    _workloads(stage, rng)
    _directory(stage, rng)
    _engineers(stage, rng)
    _gcp(stage, rng)


def caller(person: Person, ip: str, sign_in: Entry, app: str, role: str) -> AzureCaller:
    """The Azure caller behind a sign-in of a person."""
    return AzureCaller(person.oid, person.upn, APPS[app][0], "user", role, ip, sign_in.record["properties"]["id"])


def _sign_ins(stage: Stage, rng: random.Random) -> None:
    people = list(stage.world.people.values())
    for when in moments(rng, stage, 25, PEOPLE):
        person = rng.choice(people)
        ip = rng.choice((OFFICE_IP, OFFICE_IP, person.home_ip))
        app = rng.choice(("office", "office", "teams"))
        if rng.random() < 0.08:
            stage.feeds.directory.user(when, person, app, ip, error=rng.choice((50126, 50074, 50140)), mfa=False)
            when = after(rng, when, 15, 60)
        stage.feeds.directory.user(when, person, app, ip)
    for when in moments(rng, stage, 12, PEOPLE):
        person = rng.choice(people)
        stage.feeds.directory.user(when, person, "teams", rng.choice((OFFICE_IP, person.home_ip)), interactive=False)


def _workloads(stage: Stage, rng: random.Random) -> None:
    """Service principals and the gateway's managed identity; pipelines deploy with their sign-in."""
    world, feeds = stage.world, stage.feeds
    west = {"city": "Boydton", "state": "Virginia", "countryOrRegion": "US", "geoCoordinates": {"latitude": 36.66, "longitude": -78.38}}
    for when in moments(rng, stage, 8, PEOPLE):
        name = rng.choice(("sp-terraform", "sp-github-deploy"))
        principal = world.principals[name]
        ip = rng.choice(CI_IPS)
        sign_in = feeds.directory.principal(when, principal, ip, west)
        who = AzureCaller(principal.oid, name, principal.app_id, "app", "Contributor", ip, sign_in.record["properties"]["id"])
        for operation, resource in rng.sample(WRITES, 2):
            when = after(rng, when, 5, 40)
            feeds.activity.operation(when, who, operation, _arm(stage, resource))
    for when in moments(rng, stage, 8):
        feeds.directory.managed_identity(when, world.managed_identity, "mi-excorp-apim")


def _arm(stage: Stage, resource: str) -> str:
    return f"/subscriptions/{stage.world.subscription}/resourceGroups/rg-shop/providers/{resource}"


def _engineers(stage: Stage, rng: random.Random) -> None:
    """Engineers in the portal and on the command line."""
    for when in moments(rng, stage, 5, PEOPLE):
        person = rng.choice(stage.world.jobs("platform", "developer"))
        ip, app = rng.choice((OFFICE_IP, person.home_ip)), rng.choice(("portal", "cli"))
        sign_in = stage.feeds.directory.user(when, person, app, ip)
        who = caller(person, ip, sign_in, app, "Contributor")
        for operation, resource in rng.sample(WRITES, 1):
            when = after(rng, when, 30, 300)
            stage.feeds.activity.operation(when, who, operation, _arm(stage, resource), error="Conflict" if rng.random() < 0.05 else "")


def _directory(stage: Stage, rng: random.Random) -> None:
    """The help desk keeps groups and users in order."""
    desk = stage.world.people["alice.moreau"]
    by = {"user": {"id": desk.oid, "displayName": desk.display, "userPrincipalName": desk.upn, "ipAddress": OFFICE_IP, "roles": []}}
    group = {"id": ids.guid(rng), "displayName": "shop-readers", "type": "Group", "modifiedProperties": []}
    for when in moments(rng, stage, 6, PEOPLE):
        person = rng.choice(list(stage.world.people.values()))
        target = {"id": person.oid, "displayName": person.display, "type": "User", "userPrincipalName": person.upn, "modifiedProperties": []}
        if rng.random() < 0.5:
            group_name = changed("Group.DisplayName", '"shop-readers"')
            member = {**target, "modifiedProperties": [group_name]}
            stage.feeds.directory.audit(when, "Add member to group", "GroupManagement", "Assign", by, [member, group])
        else:
            city = {**target, "modifiedProperties": [changed("City", '["Lyon"]', '["Porto"]')]}
            stage.feeds.directory.audit(when, "Update user", "UserManagement", "Update", by, [city])


def _gcp(stage: Stage, rng: random.Random) -> None:
    world, log = stage.world, stage.feeds.gcp
    loader = GcpCaller(world.service_account("etl-loader"), GCP_IP, GCP_SDK)
    web = GcpCaller(world.service_account("web-frontend"), GCP_IP, GCP_SDK)
    for when in moments(rng, stage, 36):
        number = rng.randrange(1000, 99999)
        bucket, thing = "example-ml-features", f"daily/{number}.parquet"
        name = f"projects/_/buckets/{bucket}/objects/{thing}"
        action = rng.choice(("get", "get", "get", "create"))
        target = Target(name, f"storage.objects.{action}", "gcs_bucket", (("bucket_name", bucket), ("location", "us-central1")))
        log.call(when, rng.choice((loader, web)), "storage", f"storage.objects.{action}", target, log="data_access")
    for when in moments(rng, stage, 18):
        _query(stage, rng, when, loader)
    for when in moments(rng, stage, 16, PEOPLE):
        _person_in_gcp(stage, rng, when)
    for when in moments(rng, stage, 5, PEOPLE):
        _release(stage, rng, when)


def _query(stage: Stage, rng: random.Random, when: datetime, who: GcpCaller) -> None:
    job = f"projects/{GCP_PROJECT}/jobs/bquxjob_{ids.hexes(rng, 12)}"
    metadata = {
        "@type": "type.googleapis.com/google.cloud.audit.BigQueryAuditMetadata",
        "jobInsertion": {"job": {"jobName": job, "jobConfig": {"type": "QUERY", "queryConfig": {"statementType": "SELECT"}}}},
    }
    target = Target(f"projects/{GCP_PROJECT}", "bigquery.jobs.create", "bigquery_project", (("location", "US"),))
    stage.feeds.gcp.call(when, who, "bigquery", "google.cloud.bigquery.v2.JobService.InsertJob", target, log="data_access", metadata=metadata)


def _person_in_gcp(stage: Stage, rng: random.Random, when: datetime) -> None:
    person = rng.choice(stage.world.jobs("data", "platform"))
    who = GcpCaller(person.upn, rng.choice((OFFICE_IP, person.home_ip)), GCLOUD)
    project = f"projects/{GCP_PROJECT}"
    method, service, permission, kind = rng.choice(
        (
            ("google.iam.admin.v1.ListServiceAccounts", "iam", "iam.serviceAccounts.list", "audited_resource"),
            ("GetIamPolicy", "cloudresourcemanager", "resourcemanager.projects.getIamPolicy", "project"),
            ("storage.buckets.list", "storage", "storage.buckets.list", "gcs_bucket"),
            ("google.logging.v2.ConfigServiceV2.ListSinks", "logging", "logging.sinks.list", "audited_resource"),
        )
    )
    code = 7 if rng.random() < 0.04 else 0
    stage.feeds.gcp.call(when, who, service, method, Target(project, permission, kind), log="data_access", code=code)


def _release(stage: Stage, rng: random.Random, when: datetime) -> None:
    who = GcpCaller(stage.world.service_account("ci-deployer"), rng.choice(CI_IPS), "google-api-go-client/0.5 Terraform/1.11.0")
    name = f"namespaces/{GCP_PROJECT}/services/web"
    target = Target(name, "run.services.update", "cloud_run_revision", (("service_name", "web"), ("location", "us-central1")))
    request = {"@type": "type.googleapis.com/google.cloud.run.v1.ReplaceServiceRequest", "name": name}
    stage.feeds.gcp.call(when, who, "run", "google.cloud.run.v1.Services.ReplaceService", target, request=request)
