"""A person's gateway key costs ten times as much, from a new place and client."""

from __future__ import annotations

from engine.simulate import chains, lexicon
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native.litellm import VirtualKey


def play(a: Act) -> None:
    person = a.person()
    a.is_also(person.upn, f"ai.key:{person.litellm_hash}", f"email:{person.upn}", f"entra.object:{person.oid}")
    ip, place = a.exits[0], a.rng.randrange(len(lexicon.PLACES))
    with a.stage("a person's account is entered from a new place", "a46", tags=("attack.t1078.004",)):
        for _ in range(a.rng.randrange(1, 5)):
            a.g.directory.user(a.wait(3, 40), person, "office", ip, error=50126, mfa=False, location=chains.location(place), asn=chains.network(ip))
        sign_in = a.g.directory.user(a.wait(5, 40), person, "office", ip, location=chains.location(place), asn=chains.network(ip), agent=a.browser)
    key = VirtualKey(person.litellm_hash, person.name, person.upn, f"team-{person.job}")
    provider, model = a.rng.choice((("bedrock", a.company.models[-1]), ("vertex_ai", lexicon.GEMINI_MODELS[1])))
    with a.stage("the person's gateway key runs hot", "a43", "a44", tags=("atlas.aml.t0034",)):
        for _ in range(a.rng.randrange(80, 400)):
            question, answer = moves.prompt(a, lure=a.rng.random() < 0.1)
            content = [{"role": "user", "content": question}]
            entry = a.g.litellm.completion(a.wait(1, 20), key, a.exit(), provider, model, content, answer * a.rng.randrange(4, 30), latency=4.2)
    a.link("gateway_key", f"email:{person.upn}", f"ai.key:{person.litellm_hash}", ("azure", "ai"), sign_in, entry)


CAMPAIGN = Campaign("A person's gateway key runs hot from a new place", play)
