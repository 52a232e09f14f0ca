"""A person's VPN changes country between two clouds."""

from __future__ import annotations

from engine.simulate import chains, lexicon
from engine.simulate.act import Act, Campaign
from engine.simulate.native.gcp import GcpCaller


def play(a: Act) -> None:
    person = a.pick(a.company.jobs("engineer", "scientist"))
    place = (person.place + 3) % len(lexicon.PLACES)
    with a.stage("the same person seems to be in two countries"):
        home = person.home_ip
        a.g.directory.user(a.now, person, "office", home, location=chains.location(person.place), asn=chains.network(home))
        away = a.company.addresses[3]
        chains.azure_user(a.g, a.wait(300, 1800), person, "portal", away, "Reader", location=chains.location(place))
        project = f"projects/{a.company.project}"
        for _ in range(a.rng.randrange(2, 9)):
            a.gcp(GcpCaller(person.upn, home, "gcloud"), "storage", "storage.buckets.list", project, "storage.buckets.list", log="data_access")


CAMPAIGN = Campaign("A person's VPN changes country", play, paces=("fast",), attack=False)
