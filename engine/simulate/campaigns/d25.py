"""Graphics processors are taken in more than one cloud."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves


def play(a: Act) -> None:
    user, account = a.user(), a.account()
    a.exits = a.exits[:2]
    aws = moves.stolen(a, user)
    kinds = ("p4d.24xlarge", "p5.48xlarge", "g5.48xlarge", "g4dn.12xlarge", "trn1.32xlarge")
    with a.stage("quota is looked at", "b43", tags=("attack.t1580",)):
        moves.whoami(a, aws)
        for region in moves.regions(a):
            a.aws(aws, "servicequotas", "GetServiceQuota", params={"serviceCode": "ec2", "quotaCode": "L-417A185B"}, region=region)
    with a.stage("machines start in AWS", "b42", tags=("attack.t1496.001",)):
        for region in moves.regions(a):
            params = {"instanceType": a.rng.choice(kinds), "minCount": 1, "maxCount": a.rng.randrange(2, 20)}
            full = ("Client.VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit.")
            a.aws(aws, "ec2", "RunInstances", params=params, region=region, error=full if a.rng.random() < 0.5 else None, write=True)
    gcp = chains.gcp_account(a.company, account, a.exits[0], a.gcp_agent, keyed=True)
    a.is_also(account.email, f"gcp.key:{account.key}")
    project = f"projects/{a.company.project}"
    with a.stage("machines start in GCP", "b80", tags=("attack.t1496.001",)):
        for zone in a.rng.sample(("us-central1-a", "europe-west4-a", "asia-east1-c", "us-west1-b"), a.rng.randrange(1, 4)):
            name = f"{project}/zones/{zone}/instances/{a.backdoor()}"
            accelerator = {"acceleratorType": f"{project}/zones/{zone}/acceleratorTypes/nvidia-tesla-a100", "acceleratorCount": "8"}
            request = {"@type": "type.googleapis.com/compute.instances.insert", "machineType": "a2-highgpu-8g", "guestAccelerators": [accelerator]}
            a.gcp(gcp, "compute", "v1.compute.instances.insert", name, "compute.instances.create", kind="gce_instance", request=request)
    proof = (a.told.stages[1].entries[0], a.told.stages[2].entries[0])
    a.link("same_actor", f"aws.key:{user.key}", f"gcp.key:{account.key}", ("aws", "gcp"), *proof)
    if a.rng.random() < 0.5:
        principal = a.principal()
        with a.stage("compute is made in Azure", "b58", tags=("attack.t1496.001",)):
            who = a.in_azure(principal, a.exits[0])
            workspace = a.company.arm("rg-ai", "Microsoft.MachineLearningServices/workspaces", "ml")
            body = {"properties": {"computeType": "AmlCompute", "properties": {"vmSize": "Standard_ND96asr_v4"}}}
            a.azure(who, "Microsoft.MachineLearningServices/workspaces/computes/write", f"{workspace}/computes/{a.backdoor()}", body=body)


CAMPAIGN = Campaign("Graphics processors are taken in several clouds", play, paces=("fast", "steady"))
