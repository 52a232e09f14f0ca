"""Programs in GCP and Azure: service accounts on storage, queries and clusters; managed identities."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.delivery import micros
from engine.simulate.native import ids
from engine.simulate.native.gcp import SOURCE, AuditLog, GcpCaller, Target
from engine.simulate.personas.people import portal_target
from engine.simulate.personas.scene import Scene
from engine.simulate.stamp import Template, slot

SDK = "gl-python/3.12.9 grpc/1.70.0 gax/2.24.1 gccl/2.19.0"
DOES = (
    (26, "storage", "storage.objects.get", "storage.objects.get", "data_access", 0),
    (10, "storage", "storage.objects.list", "storage.objects.list", "data_access", 0),
    (9, "storage", "storage.objects.create", "storage.objects.create", "data_access", 0),
    (2, "storage", "storage.objects.get", "storage.objects.get", "data_access", 5),
    (14, "bigquery", "google.cloud.bigquery.v2.JobService.InsertJob", "bigquery.jobs.create", "data_access", 0),
    (6, "bigquery", "google.cloud.bigquery.v2.TableDataService.List", "bigquery.tables.getData", "data_access", 0),
    (8, "k8s", "io.k8s.coordination.v1.leases.update", "io.k8s.coordination.v1.leases.update", "activity", 0),
    (6, "k8s", "io.k8s.core.v1.pods.list", "io.k8s.core.v1.pods.list", "data_access", 0),
    (3, "k8s", "io.k8s.core.v1.events.create", "io.k8s.core.v1.events.create", "activity", 0),
    (4, "secretmanager", "google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion", "secretmanager.versions.access", "data_access", 0),
    (2, "logging", "google.logging.v2.LoggingServiceV2.WriteLogEntries", "logging.logEntries.create", "data_access", 7),
    (2, "compute", "v1.compute.instances.insert", "compute.instances.create", "activity", 0),
    (2, "compute", "v1.compute.instances.delete", "compute.instances.delete", "activity", 0),
    (2, "iamcredentials", "GenerateAccessToken", "iam.serviceAccounts.getAccessToken", "data_access", 0),
)
"""Weight, service, method, permission, log, status code."""


class Clouds:
    """GCP by templates, Azure by the records' makers."""

    def __init__(self, scene: Scene) -> None:
        rng, company = scene.rng, scene.company
        self.templates = [_template(scene.ground.gcp, *row[1:]) for row in DOES]
        self.busy = {account.email: min(rng.paretovariate(1.2), 10.0) for account in company.service_accounts}
        self.moving = {identity.oid: min(rng.paretovariate(1.5), 6.0) for identity in company.identities}

    def live(self, scene: Scene) -> None:
        load = scene.service_load()
        for account in scene.company.service_accounts:
            times = scene.count(2.5 * load * self.busy[account.email])
            self._gcp(scene, account.email, times)
        for identity in scene.company.identities:
            for _ in range(scene.count(0.12 * load * self.moving[identity.oid])):
                who = chains.azure_identity(scene.ground, scene.at(0, 3000), identity)
                if scene.rng.random() < 0.3:
                    when = scene.at(3000, 3500)
                    target = portal_target(scene, "Microsoft.Compute/virtualMachineScaleSets", "pool")
                    scene.ground.activity.operation(when, who, "Microsoft.Compute/virtualMachineScaleSets/write", target)

    def _gcp(self, scene: Scene, email: str, times: int) -> None:
        rng, delivery = scene.rng, scene.delivery
        head, base = f"{scene.hour:%Y-%m-%dT%H:}", micros(scene.hour)
        dark = "gcp.data_access" in delivery.dark
        for number in rng.choices(range(len(DOES)), weights=[row[0] for row in DOES], k=times):
            log = DOES[number][4]
            if dark and log == "data_access":
                continue
            second = rng.uniform(0, 3590)
            received = second + rng.uniform(0.3, 2.4)
            values = {"email": email, "n": str(rng.randrange(10000, 99999)), "insert": scene.draw.hexes(12)}
            values["time"], values["received"] = _nanos(head, second, rng.randrange(1000)), _nanos(head, received, 0)
            delivery.take(SOURCE, (log,), base + int(received * 1_000_000), self.templates[number].stamp(values))


def _nanos(head: str, second: float, rest: int) -> str:
    micro = int(second * 1_000_000)
    whole, fraction = divmod(micro, 1_000_000)
    return f"{head}{whole // 60:02d}:{whole % 60:02d}.{fraction:06d}{rest:03d}Z"


def _template(log: AuditLog, service: str, method: str, permission: str, name: str, code: int) -> Template:
    who = GcpCaller(slot("email"), slot("ip"), SDK, federated="serviceAccount:" + slot("email"))
    if service == "storage":
        bucket = f"{log.project}-features"
        target = Target(f"projects/_/buckets/{bucket}/objects/daily/{slot('n')}.parquet", permission, "gcs_bucket", (("bucket_name", bucket),))
    elif service == "k8s":
        target = Target(f"core/v1/namespaces/apps/pods/web-{slot('n')}", permission, "k8s_cluster", (("cluster_name", "main"),))
    else:
        target = Target(f"projects/{log.project}/things/{slot('n')}", permission, "audited_resource", (("service", f"{service}.googleapis.com"),))
    record = log.call(ids.EPOCH, who, service, method, target, log=name, code=code).record
    log.entries.pop()
    record["protoPayload"]["requestMetadata"]["callerIp"] = "private" if service == "k8s" else "gce-internal-ip"
    if service == "k8s":
        record["protoPayload"]["serviceName"] = "k8s.io"
    return Template(record, volatile={"time": record["timestamp"], "insert": record["insertId"], "received": record["receiveTimestamp"]})
