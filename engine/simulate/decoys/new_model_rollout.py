"""A product team enables a new model and tries it."""

from __future__ import annotations

from engine.simulate import texts
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native.bedrock import converse


def play(a: Act) -> None:
    person = a.pick(a.company.jobs("platform", "engineer"))
    who = a.by_saml(person, a.company.role(person.account, "admin"), a.exits[0])
    with a.stage("a new model is enabled and tried"):
        for name in ("ListFoundationModels", "ListFoundationModelAgreementOffers"):
            a.aws(who, "bedrock", name)
        moves.enable_models(a, who)
        for _ in range(a.rng.randrange(5, 30)):
            a.converse(who, converse(a.company.models[2], *texts.task(a.rng)), after=(5, 90))


CAMPAIGN = Campaign("A new model is enabled and tried", play, paces=("fast",), attack=False)
