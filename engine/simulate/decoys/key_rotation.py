"""An administrator gives programs new keys; the old ones go on working until everybody has moved."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.native import ids


def play(a: Act) -> None:
    person = a.pick(a.company.jobs("platform", "engineer"))
    who = a.by_saml(person, a.company.role(person.account, "admin"), a.exits[0])
    users = [user for user in a.company.users if user.account == person.account][-3:]
    with a.stage("keys of programs are rotated"):
        for user in users:
            key = ids.plain_key(a.rng, user.account, kind="AKIA")
            issued = {"accessKeyId": key, "userName": user.name, "status": "Active", "createDate": ids.console_date(a.now)}
            a.aws(who, "iam", "CreateAccessKey", params={"userName": user.name}, result={"accessKey": issued}, write=True)
            a.aws(who, "iam", "GetAccessKeyLastUsed", params={"accessKeyId": user.key})


CAMPAIGN = Campaign("Keys of programs are rotated", play, paces=("fast",), attack=False)
