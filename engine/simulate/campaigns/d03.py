"""A GCP service-account key is used to run models."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves


def play(a: Act) -> None:
    account = a.account()
    a.is_also(account.email, f"gcp.account:{account.email}", f"gcp.key:{account.key}")
    who = chains.gcp_account(a.company, account, a.exits[0], a.gcp_agent, keyed=True)
    project = f"projects/{a.company.project}"
    with a.stage("a leaked service-account key is tried", "a46", tags=("attack.t1078.004",)):
        for _ in range(a.rng.randrange(1, 4)):
            a.gcp(who, "cloudresourcemanager", "GetIamPolicy", project, "resourcemanager.projects.getIamPolicy", log="data_access", code=7)
        a.gcp(who, "aiplatform", "google.cloud.aiplatform.v1.ModelService.ListModels", project, "aiplatform.models.list", log="data_access")
    with a.stage("the model service is switched on", "b75", tags=("attack.t1098",)):
        name = f"{project}/services/aiplatform.googleapis.com"
        a.gcp(
            who, "serviceusage", "google.api.serviceusage.v1.ServiceUsage.EnableService", name, "serviceusage.services.enable", request={"name": name}
        )
    with a.stage("a key is made to stay", "b74", tags=("attack.t1098.001",)):
        if a.rng.random() < 0.5:
            moves.service_key(a, who)
        else:
            parent = f"{project}/locations/global"
            a.gcp(who, "apikeys", "google.api.apikeys.v2.ApiKeys.CreateKey", parent, "apikeys.keys.create", request={"parent": parent})
    with a.stage("models are used in bulk", "a43", tags=("attack.t1496.004", "atlas.aml.t0034")):
        moves.gemini(a, who, a.rng.randrange(60, 250))


CAMPAIGN = Campaign("A leaked GCP key is used to run models", play)
