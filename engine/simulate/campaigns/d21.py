"""Model weights are found, read and carried to another account or cloud."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids


def play(a: Act) -> None:
    who = moves.stolen(a, a.user())
    bucket, size = a.company.buckets["models"], a.rng.randrange(2 * 10**9, 9 * 10**9)
    a.told.resources.append(f"arn:aws:s3:::{bucket}")
    with a.stage("models are looked for", "b44", tags=("attack.t1580", "atlas.aml.t0007")):
        for name in a.rng.sample(("ListModels", "ListEndpoints", "ListTrainingJobs", "ListNotebookInstances"), a.rng.randrange(3, 5)):
            a.aws(who, "sagemaker", name)
        a.aws(who, "bedrock", "ListCustomModels")
    if a.rng.random() < 0.6:
        with a.stage("rights are widened", "s1", tags=("attack.t1098.003",)):
            params = {"userName": who.identity["userName"], "policyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}
            a.aws(who, "iam", "AttachUserPolicy", params=params, write=True)
    names = [f"{a.rng.choice(('ranker', 'chat', 'vision'))}-{n}/model-{n:05d}.safetensors" for n in range(a.rng.randrange(2, 9))]
    with a.stage("weights are read", "b37", tags=("atlas.aml.t0035", "attack.t1530")):
        for name in names:
            a.s3(who, "GetObject", bucket, name, size=size // len(names))
    if a.rng.random() < 0.5:
        with a.stage("they are copied to another account", "b20", tags=("attack.t1537",)):
            for name in names:
                a.s3(who, "CopyObject", f"{a.backdoor()}-{a.foreign()}", name, source=f"{bucket}/{name}")
        return
    account = a.account()
    with a.stage("they appear in a store of another cloud", "d21", tags=("attack.t1537", "atlas.aml.t0025")):
        gcp = chains.gcp_account(a.company, account, a.exits[0], a.gcp_agent, keyed=True)
        for name in names:
            thing = f"projects/_/buckets/mirror-{ids.hexes(a.rng, 4)}/objects/{name}"
            a.gcp(gcp, "storage", "storage.objects.create", thing, "storage.objects.create", kind="gcs_bucket", log="data_access")
    proof = (a.told.stages[-2].entries[0], a.told.stages[-1].entries[0])
    a.link("same_bytes", f"aws.key:{who.identity['accessKeyId']}", f"gcp.key:{account.key}", ("aws", "gcp"), *proof)


CAMPAIGN = Campaign("Model weights are stolen", play)
