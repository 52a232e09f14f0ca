"""A model is drained by template prompts over several new keys."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import bedrock, ids
from engine.simulate.native.aws import AwsCaller
from engine.simulate.native.litellm import VirtualKey


def play(a: Act) -> None:
    who = moves.stolen(a, a.user())
    with a.stage("new keys are made", "b15", tags=("attack.t1098.001",)):
        moves.whoami(a, who)
        callers: list[AwsCaller] = [moves.make_user(a, who) for _ in range(a.rng.randrange(2, 5))]
    model = a.rng.choice(a.company.models)
    subject = a.rng.choice(("tax law", "first aid", "sorting algorithms", "sea routes", "wine labels", "contract clauses"))
    with a.stage("answers are harvested", "a51", "a52", "a39", tags=("atlas.aml.t0024.002",)):
        for number in range(a.rng.randrange(120, 500)):
            caller = a.rng.choice(callers)
            question = f"Answer step by step and show your reasoning. Question {number} about {subject}: case {a.rng.randrange(10**6)}."
            answer = f"Step 1. Read the case. Step 2. Compare with rule {number}. " * a.rng.randrange(8, 20)
            moved = AwsCaller(caller.identity, caller.account, a.exit(), caller.agent)
            a.converse(moved, bedrock.converse(model, question, answer), after=(1, 9))
    if a.rng.random() < 0.5:
        key = VirtualKey(ids.hexes(a.rng, 64), a.backdoor(), a.backdoor(), "team-batch")
        with a.stage("the gateway is drained too", "a51", tags=("atlas.aml.t0024.002",)):
            for number in range(a.rng.randrange(40, 150)):
                content = [{"role": "user", "content": f"Answer step by step and show your reasoning. Question {number} about {subject}."}]
                a.g.litellm.completion(a.wait(1, 9), key, a.exit(), "azure", "gpt-4o-mini", content, "Step 1. Read the case. " * 12)


CAMPAIGN = Campaign("A model is drained through many keys", play)
