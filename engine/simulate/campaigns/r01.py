"""After Unit 42, 2023 (EleKtra-Leak): a key found in a public repository mines coins in every region within minutes."""

from __future__ import annotations

from engine.simulate import lexicon
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids
from engine.simulate.native.entries import Record


def play(a: Act) -> None:
    who = moves.stolen(a, a.user())
    home, group = a.company.regions[0], a.rng.choice(("default-sg2", "web-out", "launch-wizard-7"))
    with a.stage("regions and limits are listed", "key_from_repository", tags=("attack.t1078.004", "attack.t1580")):
        moves.whoami(a, who)
        a.aws(who, "ec2", "DescribeRegions", params={"regionSet": {}, "allRegions": True})
        for region in a.rng.sample(lexicon.REGIONS, a.rng.randrange(4, len(lexicon.REGIONS) + 1)):
            for name in ("DescribeAccountAttributes", "DescribeInstanceTypeOfferings", "DescribeVpcs", "DescribeImages"):
                a.aws(who, "ec2", name, region=region, after=(0.2, 1.5))
    with a.stage("machines are prepared and started in many regions", "mining", tags=("attack.t1578.002", "attack.t1496.001")):
        for region in [home, *a.rng.sample(lexicon.REGIONS, a.rng.randrange(3, 8))]:
            made = {"groupId": f"sg-0{ids.hexes(a.rng, 16)}"}
            a.aws(who, "ec2", "CreateSecurityGroup", params={"groupName": group}, result=made, region=region, write=True, after=(0.5, 3))
            opened: Record = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}
            params: Record = {**made, "ipPermissions": {"items": [opened]}}
            a.aws(who, "ec2", "AuthorizeSecurityGroupIngress", params=params, region=region, write=True, after=(0.5, 3))
            a.aws(who, "ec2", "CreateKeyPair", params={"keyName": group}, region=region, write=True, after=(0.5, 3))
            kind = a.rng.choice(("c5a.24xlarge", "c5.24xlarge", "c6a.24xlarge", "m5a.24xlarge"))
            asked: Record = {
                "instancesSet": {"items": [{"imageId": f"ami-0{ids.hexes(a.rng, 16)}", "minCount": 1, "maxCount": a.rng.randrange(1, 9)}]}
            }
            asked |= {"instanceType": kind, "userData": "<sensitiveDataRemoved>", "groupSet": {"items": [made]}}
            full = ("Client.VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit allows.")
            error = full if a.rng.random() < 0.35 else None
            ran = {"instancesSet": {"items": [{"instanceId": f"i-0{ids.hexes(a.rng, 16)}", "instanceType": kind}]}}
            a.aws(who, "ec2", "RunInstances", params=asked, result=ran, error=error, region=region, write=True, after=(0.5, 4))
    if a.rng.random() < 0.5:
        with a.stage("more capacity is asked for", "mining", tags=("attack.t1496.001",)):
            for code in ("L-1216C47A", "L-34B43A08"):
                more: Record = {"serviceCode": "ec2", "quotaCode": code, "desiredValue": a.rng.choice((256.0, 512.0, 1920.0))}
                a.aws(who, "servicequotas", "RequestServiceQuotaIncrease", params=more, write=True)


CAMPAIGN = Campaign("A key from a public repository mines coins in many regions", play, paces=("fast",))
