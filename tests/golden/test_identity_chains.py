"""The chains of real logs, where they are at hand: as many as were counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from engine.identity.chain import account
from engine.pipeline import Settings
from engine.pipeline import events as read_events
from engine.pipeline.identity import graph

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus" / "aws_cloudtrail"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the real samples are not here")
@pytest.mark.parametrize(
    ("name", "issued", "used", "calls"),
    [
        ("invictus_aws_dataset", 36, 8, 70),
        ("stratus_detonation_logs", 9, 5, 48),
        ("otrf_ec2_proxy_s3_exfiltration", 5, 1, 11),
    ],
)
def test_issued_keys_that_act_later(name: str, issued: int, used: int, calls: int) -> None:
    path = str(CORPUS / f"{name}.ndjson")
    edges = graph([path], Settings(now=NOW)).edges
    keys = edges.filter(pl.col("kind").is_in(["issued_key", "issued_by_service"]) & pl.col("child").str.starts_with("aws.key:"))["child"].unique()
    acted = pl.concat(read_events([path], Settings(now=NOW), columns=["actor.user.credential_uid"]).frames)["actor.user.credential_uid"]
    found = acted.filter(("aws.key:" + acted).is_in(keys.implode()))
    assert (len(keys), found.n_unique(), len(found)) == (issued, used, calls)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the real samples are not here")
def test_a_federated_session_leads_to_its_subject_in_the_directory() -> None:
    edges = graph([str(CORPUS / "splunk_security_content_examples.ndjson")], Settings(now=NOW)).edges
    keys = edges.filter((pl.col("kind") == "saml_subject") & pl.col("child").str.starts_with("aws.key:"))["child"]
    assert len(keys) == 1
    found = account(keys[0], edges)
    assert [step.kind for step in found.origins] == ["saml_subject", "email_subject"]
    assert found.origins[0].parent.startswith("saml.subject:https://sts.windows.net/")
    assert (found.principal.startswith("email:"), found.strength, found.spoofable) == (True, "medium", False)
