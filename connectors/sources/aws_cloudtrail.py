"""What a table cannot say about CloudTrail records: outcome, kind of call, and who stands behind an ARN."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from connectors.cells import Decided, alone, are_missing, is_absent, unquoted, where
from connectors.exact import open_embedded
from connectors.values import Then, boolean, email, is_empty, last_segment, texts

AUTHENTICATION = 3002
ACCOUNT_CHANGE = 3001
USER_ACCESS = 3005
API_ACTIVITY = 6003

_CALLS: dict[str, tuple[int, int]] = {
    "signin:consolelogin": (AUTHENTICATION, 1),
    "signin:exitrole": (AUTHENTICATION, 7),
    "signin:switchrole": (AUTHENTICATION, 7),
    "signin:renewrole": (AUTHENTICATION, 99),
    "signin:checkmfa": (AUTHENTICATION, 99),
    "signin:userauthentication": (AUTHENTICATION, 1),
    "sts:assumerole": (AUTHENTICATION, 3),
    "sts:assumerolewithsaml": (AUTHENTICATION, 3),
    "sts:assumerolewithwebidentity": (AUTHENTICATION, 3),
    "sts:assumeroot": (AUTHENTICATION, 3),
    "sts:getsessiontoken": (AUTHENTICATION, 3),
    "sts:getfederationtoken": (AUTHENTICATION, 3),
    "sso:authenticate": (AUTHENTICATION, 1),
    "sso:logout": (AUTHENTICATION, 2),
    "iam:createuser": (ACCOUNT_CHANGE, 1),
    "iam:deleteuser": (ACCOUNT_CHANGE, 6),
    "iam:updateuser": (ACCOUNT_CHANGE, 99),
    "iam:createaccesskey": (ACCOUNT_CHANGE, 99),
    "iam:deleteaccesskey": (ACCOUNT_CHANGE, 99),
    "iam:updateaccesskey": (ACCOUNT_CHANGE, 99),
    "iam:createloginprofile": (ACCOUNT_CHANGE, 2),
    "iam:deleteloginprofile": (ACCOUNT_CHANGE, 5),
    "iam:updateloginprofile": (ACCOUNT_CHANGE, 4),
    "iam:changepassword": (ACCOUNT_CHANGE, 3),
    "iam:enablemfadevice": (ACCOUNT_CHANGE, 10),
    "iam:deactivatemfadevice": (ACCOUNT_CHANGE, 11),
    "iam:attachuserpolicy": (USER_ACCESS, 1),
    "iam:attachrolepolicy": (USER_ACCESS, 1),
    "iam:attachgrouppolicy": (USER_ACCESS, 1),
    "iam:putuserpolicy": (USER_ACCESS, 1),
    "iam:putrolepolicy": (USER_ACCESS, 1),
    "iam:putgrouppolicy": (USER_ACCESS, 1),
    "iam:addusertogroup": (USER_ACCESS, 1),
    "iam:detachuserpolicy": (USER_ACCESS, 2),
    "iam:detachrolepolicy": (USER_ACCESS, 2),
    "iam:detachgrouppolicy": (USER_ACCESS, 2),
    "iam:deleteuserpolicy": (USER_ACCESS, 2),
    "iam:deleterolepolicy": (USER_ACCESS, 2),
    "iam:deletegrouppolicy": (USER_ACCESS, 2),
    "iam:removeuserfromgroup": (USER_ACCESS, 2),
}
"""``service:operation`` in lower case → OCSF class and activity; every other call is API activity."""

_CREATE, _READ, _UPDATE, _DELETE, _OTHER = 1, 2, 3, 4, 99
_VERBS: dict[str, int] = {
    **dict.fromkeys(("Create", "Run", "Add", "Allocate", "Register", "Import", "Copy", "Upload", "Request", "Generate"), _CREATE),
    **dict.fromkeys(("Get", "List", "Describe", "Lookup", "Search", "Head", "Select", "Query", "Scan", "Check", "Simulate", "Download"), _READ),
    **dict.fromkeys(
        ("Update", "Modify", "Put", "Set", "Change", "Replace", "Attach", "Detach", "Associate", "Disassociate", "Enable", "Disable"), _UPDATE
    ),
    **dict.fromkeys(("Tag", "Untag", "Authorize", "Revoke", "Start", "Stop", "Reset", "Restore", "Deactivate", "Activate", "Rotate"), _UPDATE),
    **dict.fromkeys(("Delete", "Remove", "Terminate", "Deregister", "Release", "Purge"), _DELETE),
}
"""First word of an operation → OCSF API activity."""

_FIRST_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*")
_SERVICE = re.compile(r"[a-z0-9-]+")
_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
_GRANTED = frozenset(("policyArn", "principalArn", "role", "clientToken"))
_IDS = (
    *("functionName", "instanceId", "snapshotId", "imageId", "volumeId", "groupId", "vpcId", "secretId", "keyId", "modelId", "guardrailIdentifier"),
    *("dBInstanceIdentifier", "dBSnapshotIdentifier", "dBClusterIdentifier", "clusterName", "repositoryName", "roleName", "userName", "groupName"),
)
"""Request parameters that name what a call is about, where no ARN does."""
_TYPES = {"iamuser": 1, "samluser": 1, "identitycenteruser": 1, "federateduser": 1, "directory": 1, "root": 2, "awsservice": 3, "role": 4}


def _call(source: Any, name: Any) -> str:
    service = _SERVICE.match(source.lower()) if isinstance(source, str) else None
    return f"{service[0] if service else ''}:{str(name or '').lower()}"


def _verb(name: Any) -> int:
    word = _FIRST_WORD.match(name) if isinstance(name, str) else None
    if word is None:
        return _OTHER
    if word[0] == "Batch":
        return _verb(str(name)[5:])
    return _VERBS.get(word[0], _OTHER)


def event_class(source: Any, name: Any) -> int:
    """The OCSF class of a call."""
    return _CALLS.get(_call(source, name), (API_ACTIVITY, _OTHER))[0]


def activity(source: Any, name: Any, read_only: Any) -> int:
    """The OCSF activity of a call: that of its class, else Read where the record says it only reads, else by the first word of its name."""
    known = _CALLS.get(_call(source, name))
    if known is not None:
        return known[1]
    return _READ if boolean(read_only) is True else _verb(name)


def read_only(said: Any, name: Any) -> bool | None:
    """Whether the call only reads: what the record says, else by the first word of its name."""
    stated = boolean(said) if said is not None else None
    if stated is not None:
        return stated
    verb = _verb(name)
    return None if verb == _OTHER else verb == _READ


def status(error: Any, kind: Any, name: Any, response: Any, details: Any) -> int | None:
    """1 success, 2 failure. An error code is a failure; sign-ins say ``Failure`` in ``responseElements`` without one; Insights have no outcome."""
    if kind == "AwsCloudTrailInsight":
        return None
    if not is_empty(error):
        return 2
    response, details = _opened(response), _opened(details)
    said = list(response.values()) if kind == "AwsConsoleSignIn" and isinstance(response, dict) else []
    if isinstance(details, dict):
        said.append(details.get(name))
    return 2 if any(isinstance(word, str) and word.lower() in ("failure", "failed") for word in said) else 1


def _opened(value: Any) -> Any:
    """An object that an export wrote as a string."""
    return open_embedded(value) if isinstance(value, str) else value


def actor_name(user: Any, issuer: Any, arn: Any, kind: Any) -> str | None:
    """User name, else the role behind the session, else the name at the end of the ARN; what CloudTrail hides has no name."""
    for name in (user, issuer):
        if isinstance(name, str) and not is_empty(name) and name != _HIDDEN:
            return name
    if kind == "Root":
        return "root"
    if isinstance(arn, str) and "/" in arn:
        parts = arn.split("/")
        return parts[1] if ":assumed-role/" in arn else parts[-1] or None
    return None


def actor_email(user: Any, principal: Any, arn: Any) -> str | None:
    """The e-mail address in a user name or role session name. Whoever assumes a role may choose the latter freely."""
    session = principal.partition(":")[2] if isinstance(principal, str) else None
    return email(user) or email(session) or email(last_segment(arn))


def actor_type(kind: Any, arn: Any) -> int | None:
    """1 user, 2 root, 3 AWS itself, 4 role. A role session of IAM Identity Center, or one named after an e-mail address, is a person's."""
    if not isinstance(kind, str):
        return None
    if kind == "AssumedRole":
        person = isinstance(arn, str) and ("/AWSReservedSSO_" in arn or email(last_segment(arn)) is not None)
        return 1 if person else 4
    return _TYPES.get(kind.lower())


def session(kind: Any, arn: Any) -> str | None:
    """The session a call was made in: the ARN of an assumed role or federated user."""
    return arn if isinstance(arn, str) and arn and kind in ("AssumedRole", "FederatedUser") else None


def mfa(said: Any) -> bool | None:
    """Whether a second factor was used, from ``true``/``false`` or a console login's ``Yes``/``No``."""
    return {"yes": True, "no": False}.get(str(said).lower(), boolean(said))


def scalar(value: Any) -> str | None:
    """Text; several services put an object or a list where others put a name."""
    return value if isinstance(value, str) else None


def privileges(source: Any, arn: Any, name: Any) -> list[str] | None:
    """Policies granted or taken: ARNs, and the names of inline policies of IAM."""
    found = texts(arn)
    if found is None and isinstance(source, str) and source.startswith("iam."):
        found = texts(name)
    return found


def resource_uids(resources: Any, parameters: Any) -> list[str] | None:
    """ARNs of the resources listed, else ARNs among the request parameters, else the ids and names of what the call is about."""
    resources, parameters = _opened(resources), _opened(parameters)
    listed = [_arn(item) for item in resources if isinstance(item, dict)] if isinstance(resources, list) else []
    if any(listed) or not isinstance(parameters, dict):
        return texts(listed)
    named: list[str] = []
    for key, value in parameters.items():
        if isinstance(value, str):
            if value.startswith("arn:") and len(value) <= 2048 and key not in _GRANTED:
                named.append(value)
        elif isinstance(value, list) and key not in _GRANTED:
            named += [item for item in value if isinstance(item, str) and item.startswith("arn:") and len(item) <= 2048]
    bucket = parameters.get("bucketName")
    if isinstance(bucket, str) and bucket:
        named.append(bucket if bucket.startswith("arn:") else f"arn:aws:s3:::{bucket}")
    if not named:
        named = [value for key in _IDS if isinstance(value := parameters.get(key), str)] + _instances(parameters.get("instancesSet"))
    return texts(list(dict.fromkeys(named)))


def _instances(value: Any) -> list[str]:
    items = value.get("items") if isinstance(value, dict) else None
    return [item["instanceId"] for item in items or () if isinstance(item, dict) and isinstance(item.get("instanceId"), str)]


def _arn(item: dict[str, Any]) -> Any:
    return next((value for key, value in item.items() if key.lower() in ("arn", "arnprefix") and isinstance(value, str)), None)


def _ends(uids: list[str] | None) -> list[str] | None:
    return texts([uid.rstrip("/").replace(":", "/").rpartition("/")[2] for uid in uids or []])


resource_names = Then(resource_uids, _ends)
"""The last part of each ARN of `resource_uids`."""


# --- the same for whole columns -------------------------------------------------------------------------------------------------------------

_NAME = '^"[A-Za-z0-9][A-Za-z0-9._-]{4,}"$'
"""Names that are the last part of themselves, and more than a word for nothing."""
_SESSIONS = ('"AssumedRole"', '"FederatedUser"')


def _are_words(cells: pl.Series) -> pl.Series:
    """Whether cells are missing or texts without escapes."""
    return are_missing(cells) | (cells.str.starts_with('"') & ~cells.str.contains("\\", literal=True))


def usual_status(error: pl.Series, kind: pl.Series, name: pl.Series, response: pl.Series, details: pl.Series) -> Decided:
    """`status` of calls with an error code, and of those whose response does not matter."""
    failed = unquoted(error).is_not_null()
    called = (
        are_missing(error) & are_missing(details) & _are_words(kind) & ~kind.is_in(['"AwsConsoleSignIn"', '"AwsCloudTrailInsight"']).fill_null(False)
    )
    ordinary = failed & ~kind.str.contains("Insight", literal=True).fill_null(False)
    return Decided(failed.cast(pl.Int64) + 1, (called | ordinary).alias(name.name))


def usual_actor_name(user: pl.Series, issuer: pl.Series, arn: pl.Series, kind: pl.Series) -> Decided:
    """`actor_name` where it is the user's name or the role's."""
    given, role = unquoted(user), unquoted(issuer)
    named = given.is_not_null() | (are_missing(user) & role.is_not_null())
    names = pl.DataFrame([given.alias("g"), role.alias("r")]).select(pl.coalesce("g", "r")).to_series()
    return Decided(names, named & (names != _HIDDEN).fill_null(False))


def usual_actor_email(user: pl.Series, principal: pl.Series, arn: pl.Series) -> Decided:
    """`actor_email` of those who have no address anywhere."""
    found = [cells.str.contains("@", literal=True).fill_null(False) for cells in (user, principal, arn) if not is_absent(cells)]
    rows = pl.repeat(True, user.len(), eager=True)
    for each in found:
        rows &= ~each
    return Decided(pl.Series([None], dtype=pl.String).new_from_index(0, user.len()), rows)


def usual_actor_type(kind: pl.Series, arn: pl.Series) -> Decided:
    """`actor_type` of all but sessions that may be a person's."""
    known = {cell: _TYPES.get(cell[1:-1].lower()) for cell in kind.unique().to_list() if cell is not None and cell[:1] == '"' and "\\" not in cell}
    types = kind.replace_strict({**known, '"AssumedRole"': _TYPES["role"]}, default=None, return_dtype=pl.Int64)
    maybe = (kind == '"AssumedRole"').fill_null(False) & arn.str.contains_any(["@", "/AWSReservedSSO_", "\\"]).fill_null(False)
    return Decided(types, _are_words(kind) & ~maybe)


def usual_session(kind: pl.Series, arn: pl.Series) -> Decided:
    """`session` where the ARN is a text without escapes."""
    there = kind.is_in(_SESSIONS).fill_null(False)
    text = unquoted(arn)
    return Decided(where(there, text), (there & text.is_not_null()) | (~there & _are_words(kind)))


def _usual_resources(
    resources: pl.Series, parameters: pl.Series, bucket: pl.Series, instances: pl.Series, *ids: pl.Series
) -> tuple[Decided, pl.Series]:
    """The one name a call is about, and where it is a bucket's. Decided where no ARN is given and there is at most one such name."""
    ordinary = are_missing(resources) & ~parameters.str.contains('"arn:', literal=True).fill_null(False)
    names = where(bucket.str.contains(_NAME).fill_null(False), bucket.str.strip_chars('"'))
    in_bucket = names.is_not_null()
    count = np.zeros(parameters.len(), dtype=np.int64)
    for cells in ids:
        if not is_absent(cells):
            texts = cells.str.starts_with('"').fill_null(False)
            count += texts.to_numpy()
            plainly = where(texts & cells.str.contains(_NAME), cells.str.strip_chars('"'))
            names = pl.DataFrame([names.alias("n"), plainly.alias("p")]).select(pl.coalesce("n", "p")).to_series()
    given = names.is_not_null()
    single = pl.Series(count) == given.cast(pl.Int64)
    other = are_missing(bucket) & are_missing(instances) & single
    return Decided(names, ordinary & (in_bucket | other)), in_bucket


def _as_uids(found: tuple[Decided, pl.Series]) -> Decided:
    decided, in_bucket = found
    arns = pl.DataFrame([decided.values.alias("n"), in_bucket.alias("b")]).select(pl.when("b").then("arn:aws:s3:::" + pl.col("n")).otherwise("n"))
    return Decided(alone(arns.to_series()), decided.rows)


def _as_names(found: tuple[Decided, pl.Series]) -> Decided:
    return Decided(alone(found[0].values), found[0].rows)


usual_resource_uids = Then(_usual_resources, _as_uids)
"""`resource_uids` of calls about one bucket, or one thing with a name, or nothing."""
usual_resource_names = Then(_usual_resources, _as_names)
"""`resource_names` of the same calls."""


USUAL: dict[str, Callable[..., Any]] = {
    "actor_email": usual_actor_email,
    "actor_name": usual_actor_name,
    "actor_type": usual_actor_type,
    "resource_names": usual_resource_names,
    "resource_uids": usual_resource_uids,
    "session": usual_session,
    "status": usual_status,
}
_NAMING = tuple(f"requestParameters.{name}" for name in ("bucketName", "instancesSet", *_IDS))
USUAL_PATHS: dict[str, tuple[str, ...]] = {"resource_uids": _NAMING, "resource_names": _NAMING}
"""What `usual_resource_uids` is given beside the cells of its column."""

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "activity": activity,
    "actor_email": actor_email,
    "actor_name": actor_name,
    "actor_type": actor_type,
    "event_class": event_class,
    "mfa": mfa,
    "privileges": privileges,
    "read_only": read_only,
    "resource_names": resource_names,
    "resource_uids": resource_uids,
    "scalar": scalar,
    "session": session,
    "status": status,
}
