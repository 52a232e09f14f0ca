"""After Invictus, 2024: weeks in an account with a leaked administrator's key, new users and masked roles, for the sake of its mail service."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids
from engine.simulate.native.aws import AwsCaller, iam_user

POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"


def play(a: Act) -> None:
    who = moves.stolen(a, a.user())
    region = a.company.regions[0]
    with a.stage("the mail service and its limits are looked at", "ses_recon", tags=("attack.t1078.004", "attack.t1526")):
        moves.whoami(a, who)
        for service, name in (
            ("ses", "GetSendQuota"),
            ("ses", "ListIdentities"),
            ("ses", "GetAccount"),
            ("iam", "ListUsers"),
            ("servicequotas", "ListServiceQuotas"),
        ):
            a.aws(who, service, name)
    name, uid = a.rng.choice(("ses", "DevOps-Mail", "ses-smtp")), ids.principal_id(a.rng, "AIDA")
    with a.stage("a user with a password is made", "new_user", tags=("attack.t1136.003", "attack.t1098.003")):
        user = {"path": "/", "arn": f"arn:aws:iam::{who.account}:user/{name}", "userName": name, "userId": uid, "createDate": ids.console_date(a.now)}
        a.aws(who, "iam", "CreateUser", params={"userName": name}, result={"user": user}, write=True)
        a.aws(who, "iam", "CreateLoginProfile", params={"userName": name, "passwordResetRequired": False}, write=True)
        a.aws(who, "iam", "AttachUserPolicy", params={"userName": name, "policyArn": POLICY}, write=True)
        a.is_also(a.told.actor, f"aws.user:{user['arn']}")
    with a.stage("it signs in to the console", "new_user", tags=("attack.t1078.004",)):
        console = iam_user(who.account, name, uid, None, a.exits[0], a.browser)
        extra = {"LoginTo": "https://console.aws.amazon.com/console/home", "MobileVersion": "No", "MFAUsed": "No"}
        a.aws(
            console,
            "signin",
            "ConsoleLogin",
            result={"ConsoleLogin": "Success"},
            extra=extra,
            eventType="AwsConsoleSignIn",
            write=True,
            region="us-east-1",
        )
        key = ids.plain_key(a.rng, who.account, kind="ASIA")
        a.is_also(a.told.actor, f"aws.key:{key}")
        context = {"attributes": {"creationDate": ids.seconds(a.now), "mfaAuthenticated": "false"}}
        inside = AwsCaller({**console.identity, "accessKeyId": key, "sessionContext": context}, who.account, a.exits[0], a.browser)
        a.aws(inside, "iam", "ListAccountAliases")
    with a.stage("roles that a foreign account may take get innocent names", "trust", tags=("attack.t1098.003", "attack.t1036.005")):
        for _ in range(a.rng.randrange(1, 3)):
            role = f"AWSReservedSSO_Maintenance_{ids.hexes(a.rng, 16)}"
            trust = (
                '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::'
                + a.foreign()
                + ':root"},"Action":"sts:AssumeRole"}]}'
            )
            a.aws(inside, "iam", "CreateRole", params={"roleName": role, "assumeRolePolicyDocument": trust}, write=True)
            a.aws(inside, "iam", "AttachRolePolicy", params={"roleName": role, "policyArn": POLICY}, write=True)
    if a.rng.random() < 0.7:
        with a.stage("a machine is kept to work from", "machine", tags=("attack.t1578.002",)):
            group = {"groupId": f"sg-0{ids.hexes(a.rng, 16)}"}
            a.aws(inside, "ec2", "CreateKeyPair", params={"keyName": name}, region=region, write=True)
            a.aws(inside, "ec2", "CreateSecurityGroup", params={"groupName": "launch-wizard-1"}, result=group, region=region, write=True)
            opened = {"ipProtocol": "tcp", "fromPort": 3389, "toPort": 3389, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}
            a.aws(inside, "ec2", "AuthorizeSecurityGroupIngress", params={**group, "ipPermissions": {"items": [opened]}}, region=region, write=True)
            asked = {
                "instancesSet": {"items": [{"imageId": f"ami-0{ids.hexes(a.rng, 16)}", "minCount": 1, "maxCount": 1}]},
                "instanceType": "t2.large",
            }
            a.aws(inside, "ec2", "RunInstances", params=asked, region=region, write=True)
    with a.stage("mail of its own is made ready", "ses_abuse", tags=("attack.t1496.004", "attack.t1566")):
        for _ in range(a.rng.randrange(1, 4)):
            a.aws(inside, "ses", "VerifyDomainIdentity", params={"domain": f"{a.backdoor()}.example.net"}, region=region, write=True)
        a.aws(inside, "ses", "PutAccountDetails", params={"mailType": "TRANSACTIONAL", "productionAccessEnabled": True}, region=region, write=True)
        a.aws(inside, "ses", "GetSendQuota", region=region)
    if a.rng.random() < 0.5:
        with a.stage("the first user is removed again", "cleanup", tags=("attack.t1070",)):
            a.aws(who, "iam", "DeleteLoginProfile", params={"userName": name}, write=True)
            a.aws(who, "iam", "DeleteUser", params={"userName": name}, write=True)


CAMPAIGN = Campaign("A leaked administrator's key is kept for weeks, for mail", play, paces=("steady", "slow"))
