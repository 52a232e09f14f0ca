"""Credentials of a pipeline are used from outside it."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native.actors import Role
from engine.simulate.native.aws import AwsCaller


def play(a: Act) -> None:
    repository = a.pick(a.company.repositories)
    account = a.pick(a.company.accounts)
    role: Role = a.company.role(account, "deploy")
    subject = chains.github_subject(repository, a.rng)
    a.is_also(f"github:{repository}", f"oidc.subject:{chains.GITHUB}|{subject}")
    parent = f"oidc.subject:{chains.GITHUB}|{subject}"
    runner = a.rng.choice(a.company.runners)

    def fetch() -> AwsCaller:
        return a.by_web_identity(role, chains.GITHUB, "sts.amazonaws.com", subject, "GitHubActions", runner, parent, "github")

    with a.stage("a changed workflow gets its session", "s1", tags=("attack.t1195",)):
        home = fetch()
        moves.whoami(a, home)
    away = a.steal(fetch, home)
    with a.stage("the session is used from elsewhere", "d12", tags=("attack.t1550.001",)):
        moves.whoami(a, away)
        moves.aws_secrets(a, away, least=2)
        for _ in range(a.rng.randrange(1, 5)):
            a.aws(away, "iam", a.rng.choice(("ListUsers", "CreateUser", "ListAccessKeys")), error=("AccessDenied", "not authorized"))
    if a.rng.random() < 0.6:
        target = a.account()
        with a.stage("the same repository enters GCP", "d12", tags=("attack.t1199",)):
            outside = a.by_exchange(subject, "github-pool", subject, a.exits[0], parent, "github")
            gcp = a.impersonated(outside, target)
            moves.gcp_secrets(a, gcp, least=1)
        proof = (a.told.stages[0].entries[0], a.told.stages[2].entries[0])
        a.link("same_subject", f"aws.session:{home.identity['principalId']}", f"gcp.principal:{outside.federated}", ("aws", "gcp"), *proof)
    else:
        with a.stage("an image is replaced", "b41", tags=("attack.t1525",)):
            for _ in range(a.rng.randrange(1, 4)):
                params = {"repositoryName": a.task().name, "imageTag": a.rng.choice(("latest", "stable", "v2"))}
                a.aws(away, "ecr", "PutImage", params=params, write=True)


CAMPAIGN = Campaign("A pipeline's credentials are used from outside it", play, paces=("fast", "steady"))
