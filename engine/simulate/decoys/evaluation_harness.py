"""Scientists compare many models in one afternoon."""

from __future__ import annotations

from engine.simulate import chains, lexicon, texts
from engine.simulate.act import Act, Campaign
from engine.simulate.native.bedrock import converse


def play(a: Act) -> None:
    person = a.pick(a.company.jobs("scientist"))
    who = chains.own_user(person, a.exits[0], a.agent)
    with a.stage("every model answers the same questions"):
        a.aws(who, "bedrock", "ListFoundationModels")
        for model in lexicon.BEDROCK_MODELS:
            for _ in range(a.rng.randrange(4, 15)):
                denied = ("AccessDeniedException", "You don't have access to the model with the specified model ID.")
                error = denied if a.rng.random() < 0.08 else None
                a.converse(who, converse(model, *texts.task(a.rng)), after=(1, 9), error=error)


CAMPAIGN = Campaign("Scientists compare many models", play, paces=("fast",), attack=False)
