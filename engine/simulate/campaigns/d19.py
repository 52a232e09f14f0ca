"""Training data is changed, a model is trained on it and deployed."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids
from engine.simulate.native.entries import Record


def play(a: Act) -> None:
    who = moves.stolen(a, a.user())
    bucket, run = a.company.buckets["training"], ids.hexes(a.rng, 6)
    a.told.resources.append(f"arn:aws:s3:::{bucket}")
    with a.stage("training data is changed", "b36", tags=("atlas.aml.t0020", "attack.t1565.001")):
        a.aws(who, "s3", "ListBuckets")
        for _ in range(a.rng.randrange(6, 50)):
            key = f"sets/{a.rng.choice(('train', 'val'))}/{a.rng.randrange(1000):04d}.jsonl"
            a.s3(who, a.rng.choice(("PutObject", "PutObject", "CopyObject", "DeleteObject")), bucket, key, size=a.rng.randrange(10**3, 10**6))
    role = f"arn:aws:iam::{who.account}:role/{a.task().name}"
    with a.stage("a model is trained", "b30", tags=("atlas.aml.t0020",)):
        if a.rng.random() < 0.5:
            params: Record = {"jobName": f"tune-{run}", "roleArn": role, "trainingDataConfig": {"s3Uri": f"s3://{bucket}/sets/train/"}}
            a.aws(who, "bedrock", "CreateModelCustomizationJob", params=params, write=True)
        else:
            data = [{"channelName": "train", "dataSource": {"s3DataSource": {"s3Uri": f"s3://{bucket}/sets/train/"}}}]
            a.aws(
                who,
                "sagemaker",
                "CreateTrainingJob",
                params={"trainingJobName": f"train-{run}", "roleArn": role, "inputDataConfig": data},
                write=True,
            )
    with a.stage("the model is deployed", "b38", "b39", tags=("atlas.aml.t0018",)):
        url = f"s3://{a.company.buckets['models']}/{run}/model.tar.gz"
        container = {"modelDataUrl": url, "image": f"{who.account}.dkr.ecr.us-east-1.amazonaws.com/serve:2"}
        a.aws(who, "sagemaker", "CreateModel", params={"modelName": f"m-{run}", "executionRoleArn": role, "primaryContainer": container}, write=True)
        a.aws(who, "sagemaker", "UpdateEndpoint", params={"endpointName": "ranking", "endpointConfigName": f"c-{run}"}, write=True)


CAMPAIGN = Campaign("Poisoned training data reaches a deployed model", play)
