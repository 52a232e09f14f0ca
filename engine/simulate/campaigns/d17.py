"""Objects are copied to another account and deleted."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids


def play(a: Act) -> None:
    who = moves.stolen(a, a.user())
    bucket, target = a.company.buckets[a.rng.choice(("reports", "backups"))], f"{a.backdoor()}-{a.foreign()}"
    a.told.resources.append(f"arn:aws:s3:::{bucket}")
    keys = [f"{a.rng.choice(('2024', '2025'))}/{ids.hexes(a.rng, 6)}.zip" for _ in range(a.rng.randrange(14, 90))]
    with a.stage("the bucket is looked at", "s1", tags=("attack.t1619",)):
        moves.whoami(a, who)
        a.aws(who, "s3", "ListBuckets")
        a.aws(who, "s3", "GetBucketPolicy", params={"bucketName": bucket})
    with a.stage("objects are copied to another account", "d17", tags=("attack.t1537",)):
        for key in keys:
            a.s3(who, "CopyObject", target, key, source=f"{bucket}/{key}")
    with a.stage("the originals are deleted", "d17", tags=("attack.t1485",)):
        for key in keys:
            a.s3(who, "DeleteObject", bucket, key)
    if a.rng.random() < 0.5:
        with a.stage("the bucket is deleted", "s2", tags=("attack.t1485",)):
            a.aws(who, "s3", "DeleteBucket", params={"bucketName": bucket}, write=True)


CAMPAIGN = Campaign("Objects are copied out and deleted", play)
