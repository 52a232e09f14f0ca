"""What records of CloudTrail tell of facts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from connectors.posture.policies import ai_reach, opening
from connectors.posture.reading import AI_PORTS, ANYWHERE, items, names, open_ports, opened, short, text, truth, within, word

_GUARDRAIL_ID = re.compile(r"(?:.*guardrail/)?([A-Za-z0-9]+)")
_OBJECT = re.compile(r"(?:s3://|https://)?([a-z0-9][a-z0-9.-]{1,62})(?:/|$)")
_ENTITY_ID = re.compile(r"entityID\s*=\s*[\"']([^\"']{1,200})")
_MANAGED = {
    "AdministratorAccess": "all",
    "PowerUserAccess": "all",
    "AmazonBedrockFullAccess": "bedrock",
    "AmazonSageMakerFullAccess": "sagemaker",
    "BedrockAgentCoreFullAccess": "bedrock-agentcore",
}
"""Policies of AWS that give an AI service whole."""


def _partition(region: Any) -> str:
    said = text(region)
    return "aws-cn" if said.startswith("cn-") else "aws-us-gov" if said.startswith("us-gov-") else "aws"


def aws_region(account: Any, region: Any) -> str | None:
    """``account/region``."""
    return f"{text(account)}/{text(region)}" if text(account) and text(region) else None


def _arn(service: str, region: Any, account: Any, resource: str) -> str | None:
    return f"arn:{_partition(region)}:{service}:{text(region)}:{text(account)}:{resource}" if text(account) and text(region) else None


# --- Bedrock --------------------------------------------------------------------------------------------------------------------------------


def bedrock_logging(request: Any) -> dict[str, Any] | None:
    """What of model invocations is logged, and where to."""
    config = opened(within(request, "loggingConfig"))
    if not config:
        return None
    ways = (("s3", "s3Config", "bucketName"), ("cloudwatch", "cloudWatchConfig", "logGroupName"))
    to = [":".join(filter(None, (way, short(within(config, key, name))))) for way, key, name in ways if within(config, key)]
    kinds = {name: truth(within(config, f"{name}DataDeliveryEnabled")) for name in ("text", "image", "embedding", "video", "audio")}
    return {"on": True, "to": to} | {name: said for name, said in kinds.items() if said is not None}


def guardrail_arn(account: Any, region: Any, request: Any, response: Any) -> str | None:
    """ARN of the guardrail that was made or changed; a single version of one is no change of it."""
    said = text(within(response, "guardrailArn")) or text(within(request, "guardrailIdentifier")) or text(within(response, "guardrailId"))
    found = _GUARDRAIL_ID.fullmatch(said)
    return _arn("bedrock", region, account, f"guardrail/{found[1]}") if found else None


def guardrail_whole(account: Any, region: Any, request: Any) -> str | None:
    """ARN of a guardrail that was deleted with all its versions."""
    return None if within(request, "guardrailVersion") else guardrail_arn(account, region, request, None)


def guardrail_state(request: Any) -> dict[str, Any] | None:
    """What a guardrail does, where the record holds any of its policies."""
    parts = ("contentPolicyConfig", "topicPolicyConfig", "wordPolicyConfig", "sensitiveInformationPolicyConfig", "contextualGroundingPolicyConfig")
    found = {name: within(request, name) for name in parts}
    if all(each is None for each in found.values()) or any(isinstance(each, str) for each in found.values()):
        return None
    filters: dict[str, str] = {}
    for each in items(within(found["contentPolicyConfig"], "filtersConfig")):
        if short(within(each, "type")) and len(filters) < 50:
            filters[short(within(each, "type")).upper()] = f"{_side(each, 'input')}/{_side(each, 'output')}"
    personal = found["sensitiveInformationPolicyConfig"]
    words = found["wordPolicyConfig"]
    return {
        "present": True,
        "filters": filters,
        "topics": _size(found["topicPolicyConfig"], "topicsConfig"),
        "words": _size(words, "wordsConfig") + _size(words, "managedWordListsConfig"),
        "personal": _size(personal, "piiEntitiesConfig") + _size(personal, "regexesConfig"),
        "grounding": _size(found["contextualGroundingPolicyConfig"], "filtersConfig"),
    }


def _side(each: Any, side: str) -> str:
    off = truth(within(each, f"{side}Enabled")) is False or text(within(each, f"{side}Action")).upper() == "NONE"
    return "NONE" if off else text(within(each, f"{side}Strength")).upper()[:10] or "NONE"


def _size(policy: Any, name: str) -> int:
    return sum(1 for _ in items(within(policy, name)))


def guardrail_version(response: Any) -> dict[str, Any] | None:
    """The version that was made."""
    version = short(within(response, "version"))
    return {"present": True, "version": version} if version else None


def guardrail_enforced(request: Any) -> dict[str, Any] | None:
    """The guardrail that an account enforces on every call."""
    config = within(request, "guardrailInferenceConfig")
    named = short(within(config, "guardrailIdentifier")) or short(within(request, "guardrailIdentifier"))
    return {"enforced": True, "guardrail": named} if named else None


def bedrock_key_user(user: Any, account: Any, request: Any) -> str | None:
    """ARN of the user to whom a credential for Bedrock was given."""
    service = text(within(request, "serviceName"))
    return service_key_user(user, account, request) if service.startswith("bedrock") else None


def service_key_user(user: Any, account: Any, request: Any) -> str | None:
    """ARN of the user whose service credential it is: the caller's where none is named."""
    name, own = text(within(request, "userName")), text(within(user, "arn"))
    if name and text(account):
        return f"arn:{own.split(':')[1] if own.startswith('arn:') else 'aws'}:iam::{text(account)}:user/{name}"
    return own if ":user/" in own else None


def bedrock_key_named(user: Any, account: Any, request: Any) -> str | None:
    """ARN of a user that the console makes for one long-lived key of Bedrock."""
    return service_key_user(user, account, request) if text(within(request, "userName")).startswith("BedrockAPIKey-") else None


def service_key(request: Any, response: Any) -> str | None:
    """Id of the credential."""
    made = within(response, "serviceSpecificCredential", "serviceSpecificCredentialId")
    return short(made) or short(within(request, "serviceSpecificCredentialId")) or None


def service_key_state(request: Any, response: Any) -> dict[str, Any] | None:
    """Whether the credential works, and for how many days it was made."""
    status = text(within(request, "status")) or text(within(response, "serviceSpecificCredential", "status")) or "Active"
    active = word(status, "Active", "Inactive")
    days = within(request, "credentialAgeDays")
    if active is None:
        return None
    return {"active": active} | ({"days": days} if isinstance(days, int) and not isinstance(days, bool) else {})


# --- SageMaker ------------------------------------------------------------------------------------------------------------------------------


def _sagemaker(kind: str, name: str, made: str) -> Callable[..., str | None]:
    def find(account: Any, region: Any, request: Any, response: Any) -> str | None:
        """ARN of the resource, as the response says it or as its name makes it."""
        said, called = text(within(response, made)), text(within(request, name))
        return said or (_arn("sagemaker", region, account, f"{kind}/{called.lower()}") if called else None)

    return find


def endpoint_config_state(request: Any) -> dict[str, Any] | None:
    """Whether an endpoint keeps what it is asked and is cut off the network. What is not asked for is off, as SageMaker has it."""
    if not within(request, "endpointConfigName"):
        return None
    capture = truth(within(request, "dataCaptureConfig", "enableCapture")) is True
    isolated = truth(within(request, "enableNetworkIsolation")) is True
    return {"present": True, "capture": capture, "isolated": isolated, "vpc": bool(within(request, "vpcConfig", "subnets"))}


def endpoint_state(request: Any) -> dict[str, Any] | None:
    """The configuration of an endpoint."""
    config = short(within(request, "endpointConfigName"))
    return {"present": True, "config": config} if config else None


def notebook_internet(request: Any) -> dict[str, Any] | None:
    """Whether a new notebook reaches the internet by itself; it does where nothing is said."""
    return _exposed(request, "directInternetAccess") if opened(request) else None


def notebook_root(request: Any) -> dict[str, Any] | None:
    """Whether its users are root; they are where nothing is said."""
    return _exposed(request, "rootAccess") if opened(request) else None


def _exposed(request: Any, name: str) -> dict[str, Any] | None:
    exposed = word(within(request, name) or "Enabled", "Enabled", "Disabled")
    return None if exposed is None else {"exposed": exposed}


def notebook_root_part(request: Any) -> str | None:
    """``root`` where a change says something of it."""
    return "root" if within(request, "rootAccess") else None


# --- S3 and KMS -----------------------------------------------------------------------------------------------------------------------------


def _bucket(value: Any) -> str | None:
    said = text(value)
    found = _OBJECT.match(said.removeprefix("arn:aws:s3:::")) if said else None
    return f"arn:aws:s3:::{found[1]}" if found else None


def bucket(request: Any) -> str | None:
    """ARN of the bucket."""
    return _bucket(within(request, "bucketName")) or _bucket(within(request, "bucket"))


def bucket_policy(request: Any, account: Any) -> dict[str, Any] | None:
    """Whom the policy of a bucket lets in."""
    return opening(within(request, "bucketPolicy") or within(request, "policy"), account)


_EVERYBODY = ("/global/AllUsers", "/global/AuthenticatedUsers")


def bucket_acl(request: Any) -> dict[str, Any] | None:
    """Whether an access list lets everybody in."""
    canned = [text(each) for each in items(within(request, "x-amz-acl"))]
    listed = within(request, "accessControlList") or within(request, "AccessControlPolicy")
    if listed:
        return {"public": any(mark in each for each in _texts(listed) for mark in _EVERYBODY)}
    return {"public": any(each.startswith("public-") or each == "authenticated-read" for each in canned)} if any(canned) else None


def _texts(value: Any, depth: int = 8) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)) and depth:
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each, depth - 1)


def public_access_block(request: Any) -> dict[str, Any] | None:
    """Which ways to open a bucket are closed; a way that is not named is open."""
    config = opened(within(request, "PublicAccessBlockConfiguration"))
    ways = {
        "block_acls": "BlockPublicAcls",
        "ignore_acls": "IgnorePublicAcls",
        "block_policy": "BlockPublicPolicy",
        "restrict": "RestrictPublicBuckets",
    }
    return {name: truth(within(config, way)) is True for name, way in ways.items()} if config else None


def log_bucket(request: Any) -> str | None:
    """The bucket that logs are written to: of model invocations, or of a trail."""
    return _bucket(within(request, "loggingConfig", "s3Config", "bucketName")) or _bucket(within(request, "s3BucketName"))


def rag_bucket(request: Any) -> str | None:
    """The bucket that a knowledge base reads."""
    return _bucket(within(request, "dataSourceConfiguration", "s3Configuration", "bucketArn"))


def training_buckets(request: Any) -> list[str] | None:
    """The buckets that a model is trained on."""
    inputs = [within(each, "dataSource", "s3DataSource", "s3Uri") for each in items(within(request, "inputDataConfig"))]
    inputs += [within(request, name, "s3Uri") for name in ("trainingDataConfig", "validationDataConfig")]
    return names(filter(None, map(_bucket, inputs))) or None


def model_buckets(request: Any) -> list[str] | None:
    """The buckets that a model's artefacts are in."""
    containers = [within(request, "primaryContainer"), *items(within(request, "containers")), request]
    places = [within(each, "modelDataUrl") or within(each, "modelDataSource", "s3DataSource", "s3Uri") for each in containers]
    return names(filter(None, map(_bucket, places))) or None


def _use(holds: str, *paths: tuple[str, ...]) -> Callable[[Any], dict[str, Any]]:
    def use(request: Any) -> dict[str, Any]:
        """What a bucket is used for, and by what."""
        by = next((short(within(request, *path)) for path in paths if short(within(request, *path))), "")
        return {"in_use": True, "holds": holds} | ({"by": by} if by else {})

    return use


def kms_key(account: Any, region: Any, request: Any, resources: Any) -> str | None:
    """ARN of the key."""
    said = next((text(within(each, "ARN")) for each in items(resources) if ":key/" in text(within(each, "ARN"))), "")
    key = text(within(request, "keyId"))
    return said or (key if key.startswith("arn:") else _arn("kms", region, account, f"key/{key}") if key else None)


def key_policy(request: Any, account: Any) -> dict[str, Any] | None:
    """Whom the policy of a key lets in."""
    return opening(within(request, "policy"), account)


# --- IAM ------------------------------------------------------------------------------------------------------------------------------------


def iam_holder(account: Any, request: Any, response: Any = None) -> str | None:
    """ARN of the role, user or group that rights are given to."""
    said = text(within(response, "role", "arn"))
    for kind in ("role", "user", "group"):
        if name := text(within(request, f"{kind}Name")):
            return said or (f"arn:aws:iam::{text(account)}:{kind}/{name}" if text(account) else None)
    return None


def attached_policy(request: Any) -> str | None:
    """The policy that was attached or detached, unless it is one of AWS without whole AI services."""
    arn = text(within(request, "policyArn"))
    return None if not arn or (":iam::aws:" in arn and arn.rpartition("/")[2] not in _MANAGED) else arn


def attached_reach(request: Any) -> dict[str, Any] | None:
    """The AI services that an attached policy of AWS gives; what one of the account's own gives, the record does not hold."""
    arn = text(within(request, "policyArn"))
    return {"granted": True, "reach": [_MANAGED[arn.rpartition("/")[2]]]} if ":iam::aws:" in arn else None


def inline_policy(request: Any) -> str | None:
    """Name of an inline policy."""
    name = short(within(request, "policyName"))
    return f"inline/{name}" if name else None


def inline_reach(request: Any) -> dict[str, Any] | None:
    """The AI services that an inline policy gives."""
    reach = ai_reach(within(request, "policyDocument"))
    return None if reach is None else {"granted": bool(reach), "reach": reach}


def role_trust(request: Any, account: Any) -> dict[str, Any] | None:
    """Whom a role trusts to become it."""
    return opening(within(request, "policyDocument") or within(request, "assumeRolePolicyDocument"), account)


def identity_provider(request: Any, response: Any) -> str | None:
    """ARN of the identity provider."""
    named = ("openIDConnectProviderArn", "sAMLProviderArn")
    return next((text(within(each, name)) for each in (response, request) for name in named if text(within(each, name))), None)


def provider_trust(request: Any) -> dict[str, Any] | None:
    """The issuer that an identity provider stands for."""
    metadata = within(request, "sAMLMetadataDocument")
    found = _ENTITY_ID.search(metadata[:20_000]) if isinstance(metadata, str) else None
    issuer = short(within(request, "url")) or (found[1] if found else "")
    return {"present": True, "federated": [issuer]} if issuer else None


# --- EC2 ------------------------------------------------------------------------------------------------------------------------------------


def security_group(account: Any, region: Any, request: Any) -> str | None:
    """ARN of the security group."""
    group = text(within(request, "groupId"))
    return _arn("ec2", region, account, f"security-group/{group}") if group else None


def group_ports(request: Any, response: Any) -> list[str] | None:
    """The ports of model servers that a change of a group's rules opens to or closes for everybody."""
    found: set[int] = set()
    told = False
    answered = within(response, "securityGroupRuleSet") or within(response, "revokedSecurityGroupRuleSet")
    for rule in (request, *items(within(request, "ipPermissions")), *items(answered)):
        ranges = [within(rule, name) for name in ("cidrIp", "cidrIpv6", "cidrIpv4")]
        for name, inner in (("ipRanges", "cidrIp"), ("ipv6Ranges", "cidrIpv6")):
            ranges += [within(each, inner) for each in items(within(rule, name))]
        told = told or any(ranges) or bool(within(rule, "groups")) or bool(within(rule, "prefixListIds"))
        if any(text(each) in ANYWHERE for each in ranges) and text(within(rule, "ipProtocol")).lower() not in ("udp", "icmp", "icmpv6"):
            found.update(open_ports(within(rule, "fromPort"), within(rule, "toPort")))
    if not told and within(request, "securityGroupRuleIds"):
        found.update(AI_PORTS)
    return [str(port) for port in sorted(found)] or None


def group_closed(request: Any, response: Any) -> dict[str, Any] | None:
    """That a port was closed; which one, a record that names rules by their ids alone does not hold."""
    blind = within(request, "securityGroupRuleIds") and not within(response, "revokedSecurityGroupRuleSet") and not within(request, "ipPermissions")
    return None if blind else {"open": False}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(aws_region, bedrock_logging, guardrail_arn, guardrail_whole, guardrail_state, guardrail_version, guardrail_enforced, bedrock_key_user),
        *(service_key_user, bedrock_key_named, service_key, service_key_state, endpoint_config_state, endpoint_state, notebook_internet),
        *(notebook_root, notebook_root_part, bucket, bucket_policy, bucket_acl, public_access_block, log_bucket, rag_bucket, training_buckets),
        *(model_buckets, kms_key, key_policy, iam_holder, attached_policy, attached_reach, inline_policy, inline_reach, role_trust),
        *(identity_provider, provider_trust, security_group, group_ports, group_closed),
    )
} | {
    "sagemaker_endpoint": _sagemaker("endpoint", "endpointName", "endpointArn"),
    "sagemaker_endpoint_config": _sagemaker("endpoint-config", "endpointConfigName", "endpointConfigArn"),
    "sagemaker_notebook": _sagemaker("notebook-instance", "notebookInstanceName", "notebookInstanceArn"),
    "use_rag": _use("what a knowledge base reads", ("knowledgeBaseId",)),
    "use_training": _use("training data", ("trainingJobName",), ("jobName",)),
    "use_model": _use("model artefacts", ("modelName",), ("importedModelName",)),
    "use_logs": _use("logs of AI and of the account", ("name",)),
}
"""By their names in mapping files."""
