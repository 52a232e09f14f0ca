"""First act: the key leaks, and the AWS account is taken over for its models."""

from __future__ import annotations

import random
from datetime import datetime

from engine.simulate.native import ids
from engine.simulate.native.actors import AWS_HOME
from engine.simulate.native.aws import AwsCaller, iam_user
from engine.simulate.native.bedrock import Exchange
from engine.simulate.native.entries import Entry
from engine.simulate.sample.attackers import BACKDOOR, MAIN_IP, PROBE_AGENT, PROXY_AGENT, RELAY_IPS
from engine.simulate.sample.benign_ai import HAIKU, NOVA, PROFILE, SONNET, Sessions, ask_assistant
from engine.simulate.sample.feeds import Stage
from engine.simulate.sample.rhythm import after
from engine.simulate.sample.story import Storyteller
from engine.simulate.sample.world import AWS_PROD, OFFICE_IP

REGIONS = (AWS_HOME, "us-west-2", "eu-central-1", "ap-southeast-2")
OPUS = "anthropic.claude-3-opus-20240229-v1:0"
OLD = "anthropic.claude-v2:1"
SECRETS = (
    "prod/orders-api/database",
    "prod/billing-worker/database",
    "prod/azure/sp-terraform",
    "prod/gcp/ci-deployer-key",
    "prod/search-indexer/database",
)


def leak(stage: Stage, sessions: Sessions, teller: Storyteller) -> None:
    """A developer pastes his long-lived key into a question to the assistant."""
    world = stage.world
    ben = world.people["ben.okafor"]
    prompt = (
        "My upload script gets 403 from S3. What is wrong here?\n"
        f"AWS_ACCESS_KEY_ID={world.leaked_key}\nAWS_SECRET_ACCESS_KEY={world.leaked_secret}\naws s3 cp report.csv s3://example-reports/"
    )
    answer = "The bucket policy asks for encryption: add --sse aws:kms. Please also rotate that key, it should not be in a chat."
    gateway, _, log = ask_assistant(stage, sessions, stage.at(0, 14, 7, 12.2), ben, OFFICE_IP, prompt, answer)
    why = "A live, long-lived AWS key leaves the company's hands: whoever reads the chat or its logs can use it."
    tags = ("attack.t1552", "atlas.aml.t0055", "owasp.llm02")
    teller.step("A developer pastes an AWS access key into a prompt", "in-house", [gateway], why, *tags)
    teller.step("The key stands in the Bedrock invocation log", "AWS", [log], why, *tags)


def takeover(stage: Stage, rng: random.Random, teller: Storyteller) -> None:
    """The night after, from elsewhere: look, probe, enable, stay, blind, use."""
    ben = stage.world.people["ben.okafor"]
    who = iam_user(AWS_PROD, ben.name, ben.aws_id, stage.world.leaked_key, MAIN_IP, PROBE_AGENT)
    _recon(stage, who, teller)
    _probe(stage, who, teller)
    _enable(stage, who, teller)
    backdoor = _persist(stage, rng, who, teller)
    _blind(stage, who, teller)
    _use(stage, rng, backdoor, teller)
    _secrets(stage, who, teller)


def _recon(stage: Stage, who: AwsCaller, teller: Storyteller) -> None:
    trail = stage.feeds.trail
    entry = trail.call(stage.at(1, 2, 11, 4), who, "sts", "GetCallerIdentity")
    why = "The pasted key works, from an address and with a client that its owner never used."
    teller.step("The pasted key is tried out from a foreign address", "AWS", [entry], why, "attack.t1078.004", "attack.t1526")
    found: list[Entry] = []
    second = 20
    for region in REGIONS[:3]:
        for name, params in (
            ("ListFoundationModels", None),
            ("ListInferenceProfiles", {"maxResults": 100}),
            ("GetFoundationModelAvailability", {"modelId": SONNET}),
            ("GetFoundationModelAvailability", {"modelId": OPUS}),
            ("ListFoundationModelAgreementOffers", {"modelId": OPUS}),
            ("ListProvisionedModelThroughputs", None),
        ):
            found.append(trail.call(stage.at(1, 2, 11, second), who, "bedrock", name, region=region, params=params))
            second += 3
    for name in ("GetModelInvocationLoggingConfiguration", "GetUseCaseForModelAccess"):
        found.append(trail.call(stage.at(1, 2, 12, second), who, "bedrock", name))
        second += 4
    why = "Within minutes one key asks which models exist, which it may use and whether prompts are logged, in three regions."
    teller.step("Models, access and logging are spied out", "AWS", found, why, "attack.t1526", "attack.t1580", "atlas.aml.t0075")


def _probe(stage: Stage, who: AwsCaller, teller: Storyteller) -> None:
    """Calls that cost nothing: an impossible token limit tells access from no access by the kind of error."""
    invalid = ("ValidationException", "max_tokens_to_sample: range: 1..1,000,000")
    denied = ("AccessDeniedException", "You don't have access to the model with the specified model ID.")
    trail: list[Entry] = []
    logs: list[Entry] = []
    body = {"prompt": "\n\nHuman: hi\n\nAssistant:", "max_tokens_to_sample": -1}
    for number, (model, error) in enumerate(
        (
            (SONNET, invalid),
            (OPUS, denied),
            (HAIKU, invalid),
            (OLD, invalid),
            (OPUS, denied),
            (NOVA, invalid),
            (OPUS, denied),
            (OPUS, denied),
            (OLD, invalid),
        )
    ):
        call = Exchange(model, "InvokeModel", body, None, 0, 0)
        entry, log = stage.feeds.bedrock_call(stage.at(1, 2, 14, 2 + 5 * number), who, call, error=error)
        trail.append(entry)
        logs.append(log)
    why = "Calls that must fail tell from the error whether the model may be used, at no cost and without an answer in any log."
    teller.step("Models are probed with calls that must fail", "AWS", trail, why, "attack.t1526", "atlas.aml.t0040", "atlas.aml.t0075")
    teller.step("The probes ask for -1 tokens", "AWS", logs, why, "atlas.aml.t0075", "attack.t1526")


def _enable(stage: Stage, who: AwsCaller, teller: Storyteller) -> None:
    trail = stage.feeds.trail
    done = [trail.call(stage.at(1, 2, 17, 3), who, "bedrock", "PutUseCaseForModelAccess", write=True)]
    for number, model in enumerate((OPUS, SONNET)):
        params = {"modelId": model, "offerToken": "HIDDEN_DUE_TO_SECURITY_REASONS"}
        result = {"modelId": model}
        when = stage.at(1, 2, 17, 9 + 11 * number)
        done.append(trail.call(when, who, "bedrock", "CreateFoundationModelAgreement", params=params, result=result, write=True))
        when = stage.at(1, 2, 17, 14 + 11 * number)
        params = {"modelId": model}
        done.append(trail.call(when, who, "bedrock", "PutFoundationModelEntitlement", params=params, result={"status": "SUCCESS"}, write=True))
    why = "Somebody accepts the terms of expensive models in the company's name, at night, with a developer's key."
    teller.step("Access to expensive models is bought", "AWS", done, why, "attack.t1098", "attack.t1496.004", "atlas.aml.t0012")


def _persist(stage: Stage, rng: random.Random, who: AwsCaller, teller: Storyteller) -> AwsCaller:
    trail = stage.feeds.trail
    uid = ids.principal_id(rng, "AIDA")
    key = ids.access_key(rng, AWS_PROD, kind="AKIA", tail="NOTREAL")
    arn = f"arn:aws:iam::{AWS_PROD}:user/{BACKDOOR}"
    first = stage.at(1, 2, 20, 10)
    user = {"path": "/", "arn": arn, "userName": BACKDOOR, "userId": uid, "createDate": ids.console_date(first)}
    issued = {"accessKeyId": key, "userName": BACKDOOR, "status": "Active", "createDate": ids.console_date(first)}
    named = {"userName": BACKDOOR}
    admin = {**named, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    done = [
        trail.call(first, who, "iam", "CreateUser", params=named, result={"user": user}, write=True),
        trail.call(stage.at(1, 2, 20, 15), who, "iam", "AttachUserPolicy", params=admin, write=True),
        trail.call(stage.at(1, 2, 20, 21), who, "iam", "CreateAccessKey", params=named, result={"accessKey": issued}, write=True),
    ]
    why = "A new user with AdministratorAccess and a key of its own outlives the leaked key."
    teller.step("A second user with full rights is created", "AWS", done, why, "attack.t1136.003", "attack.t1098.001", "attack.t1098.003")
    return iam_user(AWS_PROD, BACKDOOR, uid, key, RELAY_IPS[0], PROXY_AGENT)


def _blind(stage: Stage, who: AwsCaller, teller: Storyteller) -> None:
    trail = stage.feeds.trail
    when = stage.at(1, 2, 24, 40)
    entry = trail.call(when, who, "bedrock", "DeleteModelInvocationLoggingConfiguration", write=True)
    stage.feeds.invocations.stop(AWS_PROD, when)
    why = "From here on no prompt and no answer of this account is logged; only CloudTrail still shows that models are called."
    teller.step("The log of prompts and answers is switched off", "AWS", [entry], why, "attack.t1685.002", "atlas.aml.t0081")
    params = {"guardrailIdentifier": "gr4examp1e00"}
    entry = trail.call(stage.at(1, 2, 25, 3), who, "bedrock", "DeleteGuardrail", params=params, write=True)
    why = "The guardrail that blocked harmful content for every application is gone."
    teller.step("The guardrail is deleted", "AWS", [entry], why, "attack.t1685", "atlas.aml.t0054", "owasp.llm01")


def _use(stage: Stage, rng: random.Random, who: AwsCaller, teller: Storyteller) -> None:
    """Four regions, three exits, less than an hour: more than 500 answered calls of one model."""
    found = []
    for number in range(780):
        when = after(rng, stage.at(1, 2, 40), 0, 3000)
        model = PROFILE if number % 12 == 0 else OPUS if number % 5 == 0 else SONNET
        region = rng.choice((AWS_HOME, AWS_HOME, *REGIONS))
        caller = AwsCaller(who.identity, AWS_PROD, rng.choice(RELAY_IPS), PROXY_AGENT)
        name = "InvokeModelWithResponseStream" if number % 3 else "InvokeModel"
        extra = {"inferenceRegion": "us-east-2"} if model == PROFILE else None
        error = ("ThrottlingException", "Too many requests.") if rng.random() < 0.05 else None
        found.append(stage.feeds.trail.call(when, caller, "bedrock", name, region=region, params={"modelId": model}, error=error, extra=extra))
    why = "The new user's key calls expensive models hundreds of times from several addresses and regions: the company pays for somebody's resale."
    teller.step("Stolen capacity is used in bulk", "AWS", found, why, "attack.t1496.004", "atlas.aml.t0034", "attack.t1535")


def _secrets(stage: Stage, who: AwsCaller, teller: Storyteller) -> None:
    trail = stage.feeds.trail
    start: datetime = stage.at(1, 2, 31, 2)
    found = [trail.call(start, who, "secretsmanager", "ListSecrets", params={"maxResults": 100})]
    batch = {"secretIdList": list(SECRETS)}
    when = stage.at(1, 2, 31, 6)
    found.append(trail.call(when, who, "secretsmanager", "BatchGetSecretValue", params=batch))
    # A batch leaves one more record for every secret in it.
    found += [trail.call(when, who, "secretsmanager", "GetSecretValue", params={"secretId": name}) for name in SECRETS]
    why = "Five secrets with one call, among them the client secret of an Azure service principal and a GCP service-account key."
    teller.step("Secrets are read, two of them for other clouds", "AWS", found, why, "attack.t1555.006")
