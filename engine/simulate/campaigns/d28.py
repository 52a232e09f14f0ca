"""One person acts in two clouds from places too far apart."""

from __future__ import annotations

from engine.simulate import chains, lexicon
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native.gcp import GcpCaller

LOOKS = (("storage.buckets.list", "storage.buckets.list"), ("GetIamPolicy", "resourcemanager.projects.getIamPolicy"))


def play(a: Act) -> None:
    person = a.person()
    ip = a.exits[0]
    place = (person.place + a.rng.randrange(1, len(lexicon.PLACES))) % len(lexicon.PLACES)
    a.is_also(person.upn, f"entra.object:{person.oid}", f"email:{person.upn}")
    with a.stage("the person's session in one cloud", "d28", tags=("attack.t1078.004",)):
        sign_in = a.g.directory.user(a.now, person, "office", ip, location=chains.location(place), asn=chains.network(ip), agent=a.browser)
        inside = a.as_person(person, "cli", ip, "Contributor", location=chains.location(place))
        moves.azure_storage_keys(a, inside, a.rng.randrange(1, 4))
    with a.stage("the same person elsewhere in another cloud", "d28", tags=("attack.t1078.004",)):
        gcp = GcpCaller(person.upn, a.exit(), a.gcp_agent)
        project = f"projects/{a.company.project}"
        for _ in range(a.rng.randrange(2, 9)):
            method, permission = a.rng.choice(
                (("storage.buckets.list", "storage.buckets.list"), ("GetIamPolicy", "resourcemanager.projects.getIamPolicy"))
            )
            entry = a.gcp(gcp, "storage" if "." in method else "cloudresourcemanager", method, project, permission, log="data_access")
        moves.gcp_secrets(a, gcp, least=1)
    a.link("same_person", f"email:{person.upn}", f"gcp.principal:user:{person.upn}", ("azure", "gcp"), sign_in, entry)


CAMPAIGN = Campaign("One person in two clouds, too far apart", play, paces=("fast",))
