"""Programs in AWS: containers, instances, pods and functions by their roles, integrations by long-lived keys, and AWS's own services."""

from __future__ import annotations

from dataclasses import dataclass

from engine.simulate import chains
from engine.simulate.native import ids
from engine.simulate.native.actors import SDK, Role
from engine.simulate.native.aws import AwsCaller, service
from engine.simulate.personas.bulk import Actor, Habits, act, service_event
from engine.simulate.personas.habits import PLATFORM, TASK
from engine.simulate.personas.scene import Scene
from engine.simulate.personas.tail import with_tail

HOSTS = ("ecs-tasks.amazonaws.com", "ec2.amazonaws.com", "pods", "lambda.amazonaws.com", "ecs-tasks.amazonaws.com")
LINKED = ("Config", "RDS", "AutoScaling", "ECS", "Support", "TrustedAdvisor", "SecurityHub", "ElasticLoadBalancing")
NOTICES = (("kms.amazonaws.com", "RotateKey"), ("secretsmanager.amazonaws.com", "RotationStarted"), ("ec2.amazonaws.com", "BidEvictedEvent"))
INTERNAL = "AWS Internal"


@dataclass(frozen=True, slots=True)
class LinkedRole(Role):
    """A service-linked role: its path stands in its own ARN, not in those of its sessions."""

    host: str

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:role/aws-service-role/{self.host}/{self.name}"


class Services:
    """All roles of programs, hour by hour."""

    def __init__(self, scene: Scene) -> None:
        rng, company = scene.rng, scene.company
        self.task = Habits(scene.ground.trail, with_tail(TASK, 0.06, writes=0.15))
        self.platform = Habits(scene.ground.trail, with_tail(PLATFORM, 0.25, writes=0.2))
        self.busy = {role.uid: min(rng.paretovariate(1.3), 12.0) for role in company.tasks}
        self.linked = {
            (account, name): LinkedRole(account, f"AWSServiceRoleFor{name}", ids.principal_id(rng, "AROA"), f"{name.lower()}.amazonaws.com")
            for account in company.accounts
            for name in LINKED
        }
        self.users = {user.key: min(rng.paretovariate(1.1), 8.0) for user in company.users}

    def live(self, scene: Scene) -> None:
        for number, role in enumerate(scene.company.tasks):
            self._role(scene, number, role)
        for account in scene.company.accounts:
            self._aws(scene, account)
        for number, user in enumerate(scene.company.users):
            times = scene.count(0.5 * self.users[user.key] * scene.service_load())
            if times:
                who = chains.keyed(user, scene.company.egress[user.account], SDK)
                act(scene, Actor.of(who, scene.company, user.name), self.task, times, scene.company.regions[number % 2])

    def _role(self, scene: Scene, number: int, role: Role) -> None:
        company, rng = scene.company, scene.rng
        times = scene.count(7 * self.busy[role.uid] * scene.service_load())
        if not times:
            return
        host, region = HOSTS[number % len(HOSTS)], company.regions[number % 3 % 2]
        when, ip = scene.at(0, 200), company.egress[role.account]
        if host == "pods":
            issuer = f"oidc.eks.{region}.amazonaws.com/id/{role.uid[4:14]}0123456789ABCDEF012345"
            subject = f"system:serviceaccount:apps:{role.name}"
            name = f"botocore-session-{int(when.timestamp())}"
            who = chains.web_identity(
                scene.ground, when, role, issuer, "sts.amazonaws.com", subject, name, company.egress["pods"], SDK, region=region
            )
        else:
            name = f"i-0{ids.hexes(rng, 16)}" if host.startswith("ec2") else role.name if host.startswith("lambda") else ids.hexes(rng, 32)
            who, _ = scene.ground.trail.assume(when, service(host, role.account), role, name, region=region, ip=ip, agent=SDK)
        act(scene, Actor.of(who, scene.company, role.name), self.task, times, region, since=210)

    def _aws(self, scene: Scene, account: str) -> None:
        """Services of AWS: by themselves, by service-linked roles, and notices without a caller."""
        company, rng = scene.company, scene.rng
        for _ in range(scene.count(2)):
            name = rng.choice(("config", "cloudtrail", "trustedadvisor", "delivery.logs"))
            times = scene.count(9)
            act(
                scene,
                Actor.of(service(f"{name}.amazonaws.com", account), scene.company, "base"),
                self.platform,
                times,
                rng.choice(company.regions[:2]),
            )
        for _ in range(scene.count(2.5)):
            role = self.linked[account, rng.choice(LINKED)]
            host = role.host
            when = scene.at(0, 600)
            named = f"{host.split('.')[0]}-{ids.hexes(rng, 8)}"
            acting, _ = scene.ground.trail.assume(when, service(host, account), role, named, ip=host, agent=host)
            who = AwsCaller({**acting.identity, "invokedBy": INTERNAL if rng.random() < 0.5 else host}, account, INTERNAL, INTERNAL)
            act(scene, Actor.of(who, scene.company, "base"), self.platform, scene.count(8), rng.choice(company.regions[:2]), since=620)
        if scene.happens(0.3):
            source, name = rng.choice(NOTICES)
            service_event(scene, account, company.regions[0], source, name, {"keyId": ids.guid(rng)})
