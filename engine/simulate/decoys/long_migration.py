"""A team moves from one cloud to another: secrets of both are read from the office for hours."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native.gcp import GcpCaller


def play(a: Act) -> None:
    person = a.pick(a.company.jobs("platform", "engineer"))
    who = a.by_saml(person, a.company.role(person.account, "admin"), a.exits[0])
    with a.stage("secrets are read in AWS"):
        moves.aws_secrets(a, who)
    with a.stage("secrets are read in GCP"):
        moves.gcp_secrets(a, GcpCaller(person.upn, a.exits[0], "google-cloud-sdk gcloud/512.0.0"))


CAMPAIGN = Campaign("A team moves its secrets between clouds", play, paces=("fast", "steady"), attack=False)
