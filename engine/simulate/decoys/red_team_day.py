"""The company's own red team tries its assistant."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native.litellm import VirtualKey


def play(a: Act) -> None:
    person = a.pick(a.company.jobs("security", "engineer"))
    key = VirtualKey(person.litellm_hash, person.name, person.upn, f"team-{person.job}")
    with a.stage("jailbreaks are tried on purpose"):
        for _ in range(a.rng.randrange(10, 40)):
            question, _ = moves.prompt(a, lure=True)
            content = [{"role": "user", "content": question}]
            a.g.litellm.completion(a.wait(5, 90), key, a.exits[0], "azure", "gpt-4o-mini", content, "I cannot help with that.")


CAMPAIGN = Campaign("The company's red team tries its assistant", play, paces=("fast",), attack=False)
