"""One actor tries stolen keys of two clouds for models within the hour."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves


def play(a: Act) -> None:
    user, account = a.user(), a.account()
    ip = a.exits[0]
    a.exits = [ip]
    aws = moves.stolen(a, user)
    gcp = chains.gcp_account(a.company, account, ip, a.gcp_agent, keyed=True)
    a.is_also(account.email, f"gcp.key:{account.key}")
    project = f"projects/{a.company.project}"

    def in_aws() -> None:
        moves.whoami(a, aws)
        moves.bedrock_recon(a, aws)
        moves.bedrock_probe(a, aws)

    def in_gcp() -> None:
        for kind in a.rng.sample(("Model", "Endpoint", "Pipeline", "Dataset"), 3):
            a.gcp(
                gcp,
                "aiplatform",
                f"google.cloud.aiplatform.v1.{kind}Service.List{kind}s",
                project,
                f"aiplatform.{kind.lower()}s.list",
                log="data_access",
            )
        moves.gemini(a, gcp, a.rng.randrange(2, 9))

    first, second = (in_aws, in_gcp) if a.rng.random() < 0.5 else (in_gcp, in_aws)
    with a.stage("models of the first cloud are tried", "b11", tags=("attack.t1526", "atlas.aml.t0075")):
        first()
    with a.stage("models of the second cloud are tried", "b11", tags=("attack.t1526", "atlas.aml.t0075")):
        second()
    a.link("same_actor", f"aws.key:{user.key}", f"gcp.key:{account.key}", ("aws", "gcp"), a.told.stages[0].entries[0], a.told.stages[1].entries[0])
    if a.rng.random() < 0.6:
        with a.stage("the account of Azure OpenAI is tried with a key", "a40", tags=("atlas.aml.t0040",)):
            moves.openai_calls(a, a.rng.randrange(3, 12))


CAMPAIGN = Campaign("Keys of several clouds are tried for models from one address", play, paces=("fast",))
