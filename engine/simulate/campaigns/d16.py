"""Objects are encrypted with a key only the actor has, and set to vanish."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids


def play(a: Act) -> None:
    who = moves.stolen(a, a.user())
    bucket = a.company.buckets[a.rng.choice(("training", "models", "backups", "reports"))]
    a.told.resources.append(f"arn:aws:s3:::{bucket}")
    keys = [f"data/{ids.hexes(a.rng, 8)}.{a.rng.choice(('csv', 'parquet', 'bin'))}" for _ in range(a.rng.randrange(24, 120))]
    with a.stage("the bucket is looked at", "s1", tags=("attack.t1619",)):
        moves.whoami(a, who)
        for name in ("ListBuckets", "GetBucketVersioning", "GetBucketLocation"):
            a.aws(who, "s3", name, params={"bucketName": bucket} if name != "ListBuckets" else None)
    with a.stage("everything is read", "s2", tags=("attack.t1530",)):
        for key in keys:
            a.s3(who, "GetObject", bucket, key, size=a.rng.randrange(10**4, 10**8))
    with a.stage("everything is written again, encrypted", "d16", tags=("attack.t1486",)):
        for key in keys:
            size, mark = a.rng.randrange(10**4, 10**8), {"x-amz-server-side-encryption-customer-algorithm": "AES256"}
            copied = a.rng.random() < 0.5
            entry = a.s3(who, "CopyObject" if copied else "PutObject", bucket, key, size=size, source=f"{bucket}/{key}" if copied else "")
            entry.record["requestParameters"] |= mark
    with a.stage("it is set to expire", "s3", tags=("attack.t1490",)):
        rule = {"ID": a.backdoor(), "Status": "Enabled", "Expiration": {"Days": a.rng.randrange(1, 8)}, "Filter": {"Prefix": ""}}
        params = {"bucketName": bucket, "LifecycleConfiguration": {"Rule": rule}, "lifecycle": ""}
        a.aws(who, "s3", "PutBucketLifecycle", params=params, write=True)
    with a.stage("a note is left", "s4", tags=("attack.t1486",)):
        a.s3(who, "PutObject", bucket, a.rng.choice(("README_RESTORE.txt", "HOW_TO_RECOVER.html", "warning.txt")), size=900)


CAMPAIGN = Campaign("Objects are encrypted with the actor's key and set to expire", play, paces=("fast",))
