"""Posture scanners: a vendor's account reads everything twice a day, and is refused here and there; a scanner inside Azure and GCP too."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.native import ids
from engine.simulate.native.actors import SDK
from engine.simulate.native.aws import AwsCaller
from engine.simulate.native.entries import Record
from engine.simulate.native.gcp import GcpCaller, Target
from engine.simulate.personas.bulk import Actor, Habits, act
from engine.simulate.personas.habits import SCAN
from engine.simulate.personas.scene import Scene
from engine.simulate.personas.tail import with_tail

READS = (
    ("iam", "google.iam.admin.v1.ListServiceAccountKeys", "iam.serviceAccountKeys.list"),
    ("iam", "google.iam.admin.v1.ListRoles", "iam.roles.list"),
    ("storage", "storage.buckets.getIamPolicy", "storage.buckets.getIamPolicy"),
    ("compute", "v1.compute.firewalls.list", "compute.firewalls.list"),
    ("secretmanager", "google.cloud.secretmanager.v1.SecretManagerService.ListSecrets", "secretmanager.secrets.list"),
    ("aiplatform", "google.cloud.aiplatform.v1.EndpointService.ListEndpoints", "aiplatform.endpoints.list"),
)


class Scanners:
    """One vendor for AWS, one account each in Azure and GCP."""

    def __init__(self, scene: Scene) -> None:
        company = scene.company
        self.habits = Habits(scene.ground.trail, with_tail(SCAN, 0.5, writes=0.0))
        self.vendor = company.foreign_accounts[-1]
        self.ip = company.addresses[-200]
        self.external = ids.guid(scene.rng)
        self.principal = company.principals[-1]
        self.account = company.service_accounts[-1]

    def live(self, scene: Scene) -> None:
        company = scene.company
        for number, account in enumerate(company.accounts):
            if scene.hour.hour % 12 != number:
                continue
            identity: Record = {"type": "AWSAccount", "principalId": f"AROASCANNEREXAMPLE:{self.vendor}", "accountId": self.vendor}
            asked = {"externalId": self.external}
            outside = AwsCaller(identity, account, self.ip, SDK)
            who, _ = scene.ground.trail.assume(scene.at(0, 300), outside, company.role(account, "scanner"), "posture-scan", params=asked)
            for region in company.regions:
                times = scene.count(60)
                act(scene, Actor.of(who, company, scene.rng.choice(company.tasks).name), self.habits, times, region, since=320)
        if scene.hour.hour == 5:
            self._others(scene)

    def _others(self, scene: Scene) -> None:
        rng, company = scene.rng, scene.company
        when = scene.at(0, 600)
        chains.azure_principal(scene.ground, when, self.principal, self.ip, "Reader")
        who = GcpCaller(self.account.email, company.egress["gcp"], "posture-scanner/4.2 gl-python/3.12")
        for _ in range(scene.count(50)):
            name, method, permission = rng.choice(READS)
            when = ids.later(when, rng, 0.2, 6)
            code = 7 if rng.random() < 0.1 else 0
            scene.ground.gcp.call(
                when, who, name, method, Target(f"projects/{company.project}", permission, "audited_resource"), log="data_access", code=code
            )
