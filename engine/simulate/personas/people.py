"""People: sign-ins all day, engineers and scientists in three clouds, somebody on call at night, somebody away."""

from __future__ import annotations

import random
from dataclasses import dataclass

from engine.simulate import chains, lexicon
from engine.simulate.company import Employee, tool
from engine.simulate.native import ids
from engine.simulate.native.azure import AzureCaller
from engine.simulate.native.entra import changed
from engine.simulate.native.entries import Record
from engine.simulate.native.gcp import GcpCaller, Target
from engine.simulate.personas.bulk import Actor, Habits, act
from engine.simulate.personas.habits import PERSON, SCIENCE
from engine.simulate.personas.scene import Scene
from engine.simulate.personas.tail import with_tail

FAILED = (50126, 50126, 50126, 50074, 50140, 50140, 50058, 50053, 65001)
PORTAL = (
    ("Microsoft.Resources/deployments/write", "Microsoft.Resources/deployments", "release"),
    ("Microsoft.Resources/deployments/validate/action", "Microsoft.Resources/deployments", "release"),
    ("Microsoft.Web/sites/write", "Microsoft.Web/sites", "site"),
    ("Microsoft.Web/sites/restart/action", "Microsoft.Web/sites", "site"),
    ("Microsoft.Web/sites/config/list/action", "Microsoft.Web/sites", "site"),
    ("Microsoft.Storage/storageAccounts/listKeys/action", "Microsoft.Storage/storageAccounts", "store"),
    ("Microsoft.Network/networkSecurityGroups/securityRules/write", "Microsoft.Network/networkSecurityGroups", "nsg"),
    ("Microsoft.Compute/virtualMachines/start/action", "Microsoft.Compute/virtualMachines", "vm"),
    ("Microsoft.Compute/virtualMachines/deallocate/action", "Microsoft.Compute/virtualMachines", "vm"),
    ("Microsoft.Insights/components/write", "Microsoft.Insights/components", "insights"),
    ("Microsoft.Insights/metricAlerts/write", "Microsoft.Insights/metricAlerts", "alert"),
    ("Microsoft.ContainerRegistry/registries/listCredentials/action", "Microsoft.ContainerRegistry/registries", "acr"),
    ("Microsoft.KeyVault/vaults/read", "Microsoft.KeyVault/vaults", "vault"),
    ("Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments", "team"),
)
LOOKS = (
    ("google.iam.admin.v1.ListServiceAccounts", "iam", "iam.serviceAccounts.list"),
    ("GetIamPolicy", "cloudresourcemanager", "resourcemanager.projects.getIamPolicy"),
    ("storage.buckets.list", "storage", "storage.buckets.list"),
    ("google.logging.v2.LoggingServiceV2.ListLogEntries", "logging", "logging.logEntries.list"),
    ("google.logging.v2.ConfigServiceV2.ListSinks", "logging", "logging.sinks.list"),
    ("v1.compute.instances.list", "compute", "compute.instances.list"),
    ("google.cloud.bigquery.v2.JobService.InsertJob", "bigquery", "bigquery.jobs.create"),
    ("google.cloud.aiplatform.v1.ModelService.ListModels", "aiplatform", "aiplatform.models.list"),
)
GCLOUD = "google-cloud-sdk gcloud/512.0.0 command/gcloud.storage.ls environment/None interactive/True python/3.12.8 (Linux 6.8.0)"


@dataclass(frozen=True, slots=True)
class Trip:
    """Days on which somebody is elsewhere."""

    first: int
    last: int
    place: int
    ip: str


def portal_target(scene: Scene, kind: str, name: str) -> str:
    return scene.company.arm("rg-apps", kind, f"{name}-{scene.rng.randrange(1, 40):02d}")


class People:
    """Everybody with a badge."""

    def __init__(self, scene: Scene) -> None:
        rng, company = scene.rng, scene.company
        self.person = Habits(scene.ground.trail, with_tail(PERSON, 0.5, writes=0.2))
        self.science = Habits(scene.ground.trail, with_tail(SCIENCE, 0.3, writes=0.1))
        self.trips: dict[str, Trip] = {}
        for number, person in enumerate(company.people):
            if rng.random() < 0.07:
                first = rng.randrange(0, 7)
                ip = company.addresses[-1 - number % 120]
                self.trips[person.name] = Trip(first, first + rng.randrange(1, 4), rng.randrange(len(lexicon.PLACES)), ip)
        self.group: Record = {"id": ids.guid(rng), "displayName": "all-readers", "type": "Group", "modifiedProperties": []}
        self.cli = {person.name: tool(random.Random(person.oid)) for person in company.people}  # noqa: S311 - repeatable

    def live(self, scene: Scene) -> None:
        on_call = scene.company.jobs("engineer", "platform")[scene.day % 5]
        for person in scene.company.people:
            trip = self.trips.get(person.name)
            away = trip if trip is not None and trip.first <= scene.day <= trip.last else None
            load = scene.office_load(lexicon.PLACES[away.place][5] if away else person.zone)
            if person is on_call and load < 0.1:
                load = 0.12
            if load:
                self._sign_ins(scene, person, away, load)
                self._work(scene, person, away.ip if away else scene.address(person), load)
        self._help_desk(scene)

    def _sign_ins(self, scene: Scene, person: Employee, away: Trip | None, load: float) -> None:
        rng, directory = scene.rng, scene.ground.directory
        ip = away.ip if away else scene.address(person)
        where = chains.location(away.place if away else person.place)
        asn = chains.network(ip)
        for _ in range(scene.count(0.35 * load)):
            app = rng.choice(("office", "office", "teams", "portal"))
            if rng.random() < 0.06:
                directory.user(scene.at(0, 2000), person, app, ip, error=rng.choice(FAILED), mfa=False, location=where, asn=asn)
            directory.user(scene.at(2010), person, app, ip, location=where, asn=asn)
        for _ in range(scene.count(3.5 * load)):
            error = rng.choice((50058, 50140, 65001)) if rng.random() < 0.05 else 0
            app = rng.choice(("teams", "teams", "office", "cli"))
            directory.user(scene.at(), person, app, ip, interactive=False, location=where, asn=asn, error=error, mfa=rng.random() < 0.5)

    def _work(self, scene: Scene, person: Employee, ip: str, load: float) -> None:
        if person.job in ("office", "finance"):
            return
        share = 1.4 if person.job in ("engineer", "platform") else 1.0
        if scene.happens(0.3 * load * share):
            self._aws(scene, person, ip)
        if person.job in ("platform", "engineer", "security") and scene.happens(0.12 * load * share):
            self._azure(scene, person, ip)
        if person.job in ("scientist", "platform", "engineer") and scene.happens(0.2 * load):
            self._gcp(scene, person, ip)

    def _aws(self, scene: Scene, person: Employee, ip: str) -> None:
        """By the assertion of Entra ID mostly; some still hold a key of their own."""
        rng, company = scene.rng, scene.company
        when = scene.at(0, 900)
        legacy = sum(person.oid.encode()) % 5 == 0
        agent = self.cli[person.name] if rng.random() < 0.5 else person.browser
        if legacy:
            who = chains.session_token(scene.ground, when, chains.own_user(person, ip, self.cli[person.name]))
        else:
            scene.ground.directory.user(when, person, "aws", ip, location=chains.location(person.place), asn=chains.network(ip))
            role = company.role(person.account, "admin" if person.job == "platform" and rng.random() < 0.3 else "engineer")
            who = chains.saml(scene.ground, ids.later(when, rng, 2, 9), person, role, ip, agent)
        habits = self.science if person.job == "scientist" else self.person
        role_name = rng.choice(company.tasks).name
        act(scene, Actor.of(who, company, role_name), habits, rng.randrange(4, 40), rng.choice(company.regions[:2]), since=920)

    def _azure(self, scene: Scene, person: Employee, ip: str) -> None:
        rng = scene.rng
        when = scene.at(0, 2400)
        who: AzureCaller = chains.azure_user(scene.ground, when, person, rng.choice(("portal", "cli")), ip, rng.choice(("Contributor", "Reader")))
        for operation, kind, name in rng.sample(PORTAL, rng.randrange(1, 4)):
            when = ids.later(when, rng, 20, 240)
            error = rng.choice(("Conflict", "Forbidden", "BadRequest")) if rng.random() < 0.07 else ""
            scene.ground.activity.operation(when, who, operation, portal_target(scene, kind, name), error=error)

    def _gcp(self, scene: Scene, person: Employee, ip: str) -> None:
        rng = scene.rng
        who = GcpCaller(person.upn, ip, GCLOUD)
        for _ in range(rng.randrange(2, 12)):
            method, name, permission = rng.choice(LOOKS)
            code = 7 if rng.random() < 0.05 else 5 if rng.random() < 0.02 else 0
            target = Target(f"projects/{scene.company.project}", permission, "audited_resource")
            scene.ground.gcp.call(scene.at(), who, name, method, target, log="data_access", code=code)

    def _help_desk(self, scene: Scene) -> None:
        """Groups, licences, passwords: the directory never rests."""
        rng, company = scene.rng, scene.company
        desk = company.jobs("platform", "security", "engineer")[0]
        by = {"user": {"id": desk.oid, "displayName": desk.display, "userPrincipalName": desk.upn, "ipAddress": company.offices[0], "roles": []}}
        for _ in range(scene.count(2.5 * scene.office_load(desk.zone))):
            person = rng.choice(company.people)
            target: Record = {"id": person.oid, "displayName": person.display, "type": "User", "userPrincipalName": person.upn}
            name = rng.choice(("Add member to group", "Update user", "Change user license", "Reset user password", "User registered security info"))
            if name == "Add member to group":
                member = {**target, "modifiedProperties": [changed("Group.DisplayName", '"all-readers"')]}
                scene.ground.directory.audit(scene.at(), name, "GroupManagement", "Assign", by, [member, self.group])
            else:
                change = changed("City", '["Porto"]', '["Lyon"]')
                scene.ground.directory.audit(scene.at(), name, "UserManagement", "Update", by, [{**target, "modifiedProperties": [change]}])
