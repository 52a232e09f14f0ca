"""What an incident touched: reads and writes apart."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.model import Alert, Blast

MOST = 100
_DATA = re.compile(
    r":s3:|s3://|\.s3\.|/buckets/|secret|/blobservices|/storageaccounts/|storage\.googleapis|/datasets/|bigquery|dynamodb|:rds:|/databases/|snapshot"
    r"|keyvault|/vaults/|parameter/|knowledge-base|training",
    re.IGNORECASE,
)
_BUCKET = ("AWS::S3::", "s3", "bucket", "gcs_bucket", "storage")


def blast(members: Sequence[tuple[Alert, Sequence[tuple[str, str]]]]) -> Blast:
    """What the alerts of ``members`` touched, each with its (role, entity) participants.

    An alert counts as writing where its first event changes something, as reading otherwise; what was read and written stands in both.
    """
    read: set[str] = set()
    written: set[str] = set()
    data: set[str] = set()
    models: set[str] = set()
    accounts: set[str] = set()
    for alert, named in members:
        kinds = tuple(str(kind) for kind in alert.evidence.get("resources.type") or ())
        stores = any(kind.startswith(_BUCKET) for kind in kinds) or str(alert.evidence.get("api.service.name", "")).startswith(
            ("s3.", "secretsmanager.")
        )
        for role, entity in named:
            if role in ("resource", "target"):
                (written if alert.evidence.get("x.read_only") is False else read).add(entity)
                if role == "resource" and (stores or _DATA.search(entity)):
                    data.add(entity)
            elif role == "model":
                models.add(entity)
        accounts.update(f"{cloud.provider or 'other'} {cloud.account}" for cloud in alert.cloud if cloud.account)
    found = (read, written, data, models, accounts)
    kept = [tuple(sorted(values)[:MOST]) for values in found]
    return Blast(kept[0], kept[1], kept[2], kept[3], kept[4], sum(max(0, len(values) - MOST) for values in found))
