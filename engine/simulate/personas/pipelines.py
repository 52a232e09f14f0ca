"""Pipelines: GitHub Actions without any long-lived key, in three clouds, and Terraform by a service principal's secret."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.native import ids
from engine.simulate.native.gcp import Target
from engine.simulate.personas.bulk import Actor, Habits, act
from engine.simulate.personas.habits import DEPLOY
from engine.simulate.personas.people import PORTAL, portal_target
from engine.simulate.personas.scene import Scene
from engine.simulate.personas.tail import with_tail

RUNNER = "aws-sdk-js/3.750.0 ua/2.1 os/linux#6.8.0 lang/js md/nodejs#20.18.3"
TERRAFORM = "google-api-go-client/0.5 Terraform/1.11.0"
POOL = "github-pool"


class Pipelines:
    """Deployments follow the office hours of those who push; some run at night."""

    def __init__(self, scene: Scene) -> None:
        self.deploy = Habits(scene.ground.trail, with_tail(DEPLOY, 0.4, writes=0.45))
        self.federated = {principal.oid: ids.guid(scene.rng) for principal in scene.company.principals}

    def live(self, scene: Scene) -> None:
        load = 0.1 + 0.9 * scene.office_load(0)
        for number, repository in enumerate(scene.company.repositories):
            for _ in range(scene.count(0.35 * load)):
                self._aws(scene, number, repository)
            if number % 3 == 0:
                for _ in range(scene.count(0.3 * load)):
                    self._azure(scene, number)
            if number % 4 == 1:
                for _ in range(scene.count(0.3 * load)):
                    self._gcp(scene, number, repository)

    def _aws(self, scene: Scene, number: int, repository: str) -> None:
        rng, company = scene.rng, scene.company
        role = company.role(company.accounts[number % len(company.accounts)], "deploy")
        subject = chains.github_subject(repository, rng, main=rng.random() < 0.9)
        ip = rng.choice(company.runners)
        who = chains.web_identity(
            scene.ground, scene.at(0, 1500), role, chains.GITHUB, "sts.amazonaws.com", subject, "GitHubActions", ip, RUNNER, region=company.regions[0]
        )
        name = company.tasks[number % len(company.tasks)].name
        act(scene, Actor.of(who, company, name), self.deploy, rng.randrange(8, 26), company.regions[0], since=1510)

    def _azure(self, scene: Scene, number: int) -> None:
        rng, company = scene.rng, scene.company
        principal = company.principals[number % len(company.principals)]
        federated = self.federated[principal.oid] if number % 2 else ""
        when = scene.at(0, 2500)
        who = chains.azure_principal(scene.ground, when, principal, rng.choice(company.runners), federated=federated)
        for operation, kind, name in rng.choices(PORTAL[:6], k=rng.randrange(2, 6)):
            when = ids.later(when, rng, 4, 60)
            error = "Conflict" if rng.random() < 0.05 else ""
            scene.ground.activity.operation(when, who, operation, portal_target(scene, kind, name), error=error)

    def _gcp(self, scene: Scene, number: int, repository: str) -> None:
        rng, company = scene.rng, scene.company
        subject = chains.github_subject(repository, rng)
        when, ip = scene.at(0, 2500), rng.choice(company.runners)
        outside = chains.exchange(scene.ground, when, subject, POOL, subject, ip, TERRAFORM)
        account = company.service_accounts[number % len(company.service_accounts)]
        who = chains.impersonate(scene.ground, ids.later(when, rng, 1, 4), outside, account)
        for _ in range(rng.randrange(2, 7)):
            when = ids.later(when, rng, 5, 40)
            name = f"namespaces/{company.project}/services/{rng.choice(company.tasks).name}"
            request = {"@type": "type.googleapis.com/google.cloud.run.v1.ReplaceServiceRequest", "name": name}
            target = Target(name, "run.services.update", "cloud_run_revision", (("location", "us-central1"),))
            method = rng.choice(("google.cloud.run.v1.Services.ReplaceService", "google.cloud.run.v1.Services.GetService"))
            log = "activity" if "Replace" in method else "data_access"
            scene.ground.gcp.call(when, who, "run", method, target, log=log, request=request)
