"""Logging is cut in every cloud within the hour."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native.aws import event_selector
from engine.simulate.native.entries import Record


def play(a: Act) -> None:
    user, principal, account = a.user(), a.principal(), a.account()
    a.exits = a.exits[:1]
    ip = a.exits[0]
    aws = moves.stolen(a, user)
    gcp = chains.gcp_account(a.company, account, ip, a.gcp_agent, keyed=True)
    a.is_also(account.email, f"gcp.key:{account.key}")
    with a.stage("the trail is stopped", "s1", tags=("attack.t1685.002",)):
        moves.whoami(a, aws)
        name = f"arn:aws:cloudtrail:us-east-1:{aws.account}:trail/org-trail"
        call = a.rng.choice(("StopLogging", "DeleteTrail", "PutEventSelectors"))
        params: Record = {"name": name}
        if call == "PutEventSelectors":
            params = {"trailName": name, "eventSelectors": [event_selector(management=a.rng.random() < 0.4, kind="ReadOnly")]}
        a.aws(aws, "cloudtrail", call, params=params, write=True)
    with a.stage("diagnostic settings are deleted", "s2", tags=("attack.t1685.002",)):
        who = a.in_azure(principal, ip)
        for target in a.rng.sample((a.pick(a.company.openai), a.company.apim, f"/subscriptions/{a.company.subscription}"), a.rng.randrange(1, 4)):
            a.azure(who, "Microsoft.Insights/diagnosticSettings/delete", f"{target}/providers/microsoft.insights/diagnosticSettings/to-siem")
    with a.stage("a sink is deleted", "s3", tags=("attack.t1685.002",)):
        name = f"projects/{a.company.project}/sinks/{a.rng.choice(('to-siem', 'archive', 'security'))}"
        request = {"@type": "type.googleapis.com/google.logging.v2.DeleteSinkRequest", "sinkName": name}
        a.gcp(gcp, "logging", "google.logging.v2.ConfigServiceV2.DeleteSink", name, "logging.sinks.delete", kind="logging_sink", request=request)
    first, second, third = (stage.entries[-1] for stage in a.told.stages)
    a.link("same_actor", f"aws.key:{user.key}", f"entra.object:{principal.oid}", ("aws", "azure"), first, second)
    a.link("same_actor", f"aws.key:{user.key}", f"gcp.key:{account.key}", ("aws", "gcp"), first, third)


CAMPAIGN = Campaign("Logging is cut in every cloud", play, paces=("fast",))
