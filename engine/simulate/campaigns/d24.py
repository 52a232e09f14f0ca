"""A key pasted into a prompt is used by somebody else later."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native.aws import iam_user, service
from engine.simulate.native.bedrock import converse
from engine.simulate.native.litellm import VirtualKey


def play(a: Act) -> None:
    person = a.person()
    a.is_also(person.upn, f"aws.key:{person.aws_key}", f"email:{person.upn}")
    question = a.rng.choice(("Why do I get 403 with this?", "Fix this script for me.", "What is wrong in this environment file?"))
    text = f"{question}\nAWS_ACCESS_KEY_ID={person.aws_key}\nAWS_SECRET_ACCESS_KEY=n0tAr3alS3cret/{a.rng.randrange(10**9)}EXAMPLEKEY\n"
    answer = "The bucket wants encryption. Please rotate that key: it should not stand in a chat."
    office = a.company.offices[0]
    with a.stage("a person pastes a key", "a12", tags=("attack.t1552", "owasp.llm02")):
        key = VirtualKey(person.litellm_hash, person.name, person.upn, f"team-{person.job}")
        pasted = a.g.litellm.completion(a.now, key, office, "bedrock", a.company.models[0], [{"role": "user", "content": text}], answer)
        if a.rng.random() < 0.6:
            role = a.task()
            who = a.session(service("ecs-tasks.amazonaws.com", role.account), role, "gateway")
            a.converse(who, converse(a.company.models[0], text, answer), after=(0.2, 0.6))
    thief = iam_user(person.account, person.name, person.aws_id, person.aws_key, a.exits[0], a.agent)
    with a.stage("the key is used from elsewhere", "d24", tags=("attack.t1078.004",)):
        used = moves.whoami(a, thief)
        for name in a.rng.sample(("ListUsers", "ListRoles", "ListAccessKeys", "GetAccountSummary"), 2):
            a.aws(thief, "iam", name)
    a.link("leaked_in_prompt", f"ai.key:{person.litellm_hash}", f"aws.key:{person.aws_key}", ("ai", "aws"), pasted, used)
    if a.rng.random() < 0.7:
        with a.stage("it is made use of", "s1", tags=("attack.t1555.006",)):
            if a.rng.random() < 0.5:
                moves.aws_secrets(a, thief)
            else:
                moves.invoke(a, thief, a.rng.randrange(15, 80))


CAMPAIGN = Campaign("A key pasted into a prompt is used by somebody else", play)
