"""After Wiz and Microsoft, 2025 (second wave of the Shai-Hulud worm): a package takes every secret a build can reach, in two clouds."""

from __future__ import annotations

from engine.simulate import chains, lexicon
from engine.simulate.act import Act, Campaign
from engine.simulate.native.aws import AwsCaller

MANAGER = "google.cloud.secretmanager.v1.SecretManagerService"


def play(a: Act) -> None:
    repository, account = a.pick(a.company.repositories), a.pick(a.company.accounts)
    subject = chains.github_subject(repository, a.rng)
    parent = f"oidc.subject:{chains.GITHUB}|{subject}"
    runner = a.rng.choice(a.company.runners)
    a.exits, a.agent = [runner], f"aws-sdk-js/3.{a.rng.randrange(600, 940)}.0 ua/2.1 os/linux#6.11.0 lang/js md/nodejs#22.{a.rng.randrange(4, 20)}.0"
    a.is_also(f"github:{repository}", parent)
    role = a.company.role(account, "deploy")
    with a.stage("the package runs in a build and asks who it is", "poisoned_package", tags=("attack.t1195.001", "attack.t1078.004")):
        who = a.by_web_identity(role, chains.GITHUB, "sts.amazonaws.com", subject, "GitHubActions", runner, parent, "github")
        a.aws(who, "sts", "GetCallerIdentity", after=(0.2, 2))
    with a.stage("secrets are read in every region of AWS", "secrets", tags=("attack.t1555.006",)):
        for region in a.rng.sample(lexicon.REGIONS, a.rng.randrange(4, len(lexicon.REGIONS) + 1)):
            _secrets(a, who, region)
    account_of = a.account()
    with a.stage("secrets are read in GCP", "secrets", tags=("attack.t1555.006",)):
        outside = a.by_exchange(subject, "github-pool", subject, runner, parent, "github")
        gcp = a.impersonated(outside, account_of)
        project = f"projects/{a.company.project}"
        a.gcp(gcp, "secretmanager", f"{MANAGER}.ListSecrets", project, "secretmanager.secrets.list", log="data_access")
        for _ in range(a.rng.randrange(6, 20)):
            name = f"{project}/secrets/{a.rng.choice(a.company.tasks).name}/versions/latest"
            request = {"@type": "type.googleapis.com/google.cloud.secretmanager.v1.AccessSecretVersionRequest", "name": name}
            a.gcp(gcp, "secretmanager", f"{MANAGER}.AccessSecretVersion", name, "secretmanager.versions.access", log="data_access", request=request)
    proof = (a.told.stages[0].entries[0], a.told.stages[2].entries[0])
    a.link("same_subject", f"aws.session:{who.identity['principalId']}", f"gcp.principal:{outside.federated}", ("aws", "gcp"), *proof)
    if a.rng.random() < 0.5:
        with a.stage("a stolen session is used by strangers", "resale", tags=("attack.t1550.001",)):
            away = AwsCaller(who.identity, who.account, a.company.addresses[a.rng.randrange(500, 516)], "aws-cli/2.15.0 md/Botocore#2.15.0 ua/2.0")
            a.aws(away, "sts", "GetCallerIdentity")
            for name in ("ListBuckets", "ListUsers"):
                a.aws(away, "s3" if name == "ListBuckets" else "iam", name)


def _secrets(a: Act, who: AwsCaller, region: str) -> None:
    a.aws(who, "secretsmanager", "ListSecrets", params={"maxResults": 100}, region=region, after=(0.1, 1))
    for _ in range(a.rng.randrange(0, 5)):
        name = f"prod/{a.rng.choice(a.company.tasks).name}/{a.rng.choice(('database', 'api-token', 'smtp', 'signing-key'))}"
        denied = ("AccessDeniedException", "not authorized to perform: secretsmanager:GetSecretValue") if a.rng.random() < 0.3 else None
        a.aws(who, "secretsmanager", "GetSecretValue", params={"secretId": name}, region=region, error=denied, after=(0.05, 0.5))


CAMPAIGN = Campaign("A poisoned package takes every secret a build can reach", play, paces=("fast",))
