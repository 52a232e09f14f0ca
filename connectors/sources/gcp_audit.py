"""What a table cannot say about Cloud Audit Logs: kind of call by its name, outcome, and who a principal is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import polars as pl

from connectors.cells import unquoted
from connectors.exact import open_embedded
from connectors.values import integer, is_empty, texts

AUTHENTICATION, ACCOUNT_CHANGE, USER_ACCESS, API_ACTIVITY = 3002, 3001, 3005, 6003

_CALLS: dict[str, tuple[int, int]] = {
    "setiampolicy": (USER_ACCESS, 1),
    "setiampermissions": (USER_ACCESS, 1),
    "createserviceaccount": (ACCOUNT_CHANGE, 1),
    "deleteserviceaccount": (ACCOUNT_CHANGE, 6),
    "undeleteserviceaccount": (ACCOUNT_CHANGE, 1),
    "enableserviceaccount": (ACCOUNT_CHANGE, 2),
    "disableserviceaccount": (ACCOUNT_CHANGE, 5),
    "createserviceaccountkey": (ACCOUNT_CHANGE, 99),
    "uploadserviceaccountkey": (ACCOUNT_CHANGE, 99),
    "deleteserviceaccountkey": (ACCOUNT_CHANGE, 99),
    "generateaccesstoken": (AUTHENTICATION, 3),
    "generateidtoken": (AUTHENTICATION, 3),
    "exchangetoken": (AUTHENTICATION, 3),
}
"""Last part of a method, lower case → OCSF class and activity."""
_ADMIN = {"createuser": 1, "deleteuser": 6, "suspenduser": 5, "unsuspenduser": 2, "changepassword": 4}

_CREATE, _READ, _UPDATE, _DELETE, _OTHER = 1, 2, 3, 4, 99
_VERBS: dict[str, int] = {
    **dict.fromkeys(("create", "insert", "add", "generate", "import", "upload", "clone", "batchcreate", "bulkinsert", "undelete"), _CREATE),
    **dict.fromkeys(("get", "list", "aggregatedlist", "search", "lookup", "read", "query", "fetch", "watch", "describe", "test", "export"), _READ),
    **dict.fromkeys(("update", "patch", "set", "modify", "enable", "disable", "move", "attach", "detach", "start", "stop", "reset"), _UPDATE),
    **dict.fromkeys(("delete", "remove", "destroy", "purge", "deletecollection"), _DELETE),
}
"""First word of the last part of a method → OCSF API activity."""
_FIRST_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SYSTEM = "system@google.com"
_PROJECT = re.compile(r"^projects/([^/]+)/logs/")
_ORGANISATION = re.compile(r"^organizations/([^/]+)/logs/")


def _first(*values: Any) -> str:
    return next((value for value in values if isinstance(value, str) and not is_empty(value)), "")


def _call(services: tuple[Any, ...], methods: tuple[Any, ...]) -> tuple[int, int] | None:
    service, last = _first(*services), _last(_first(*methods)).lower()
    if service == "login.googleapis.com":
        return AUTHENTICATION, 2 if last.endswith("logout") else 1 if "login" in last else 99
    if service == "admin.googleapis.com" and last in _ADMIN:
        return ACCOUNT_CHANGE, _ADMIN[last]
    return _CALLS.get(last)


def _last(method: str) -> str:
    return re.split(r"[./]", method)[-1]


def _verb(method: str) -> int:
    last = _last(method)
    word = _FIRST_WORD.match(last)
    return _VERBS.get(last.lower()) or (_VERBS.get(word[0].lower(), _OTHER) if word else _OTHER)


def event_class(*values: Any) -> int:
    """The OCSF class of a call, given three candidates for the service and three for the method."""
    known = _call(values[:3], values[3:6])
    return API_ACTIVITY if known is None else known[0]


def activity(*values: Any) -> int:
    """The OCSF activity: that of its class, else by the permission type, else by the method's verb."""
    known = _call(values[:3], values[3:6])
    if known is not None:
        return known[1]
    verb = _verb(_first(*values[3:6]))
    return _READ if verb == _OTHER and _permissions(values[6]) == {"READ"} else verb


def reads(*values: Any) -> bool | None:
    """Whether the call only reads: its permission types are all ``…_READ``, or its verb says so where there are none."""
    kinds = _permissions(values[6])
    if kinds:
        return kinds == {"READ"}
    if _call(values[:3], values[3:6]) is not None:
        return False
    verb = _verb(_first(*values[3:6]))
    return None if verb == _OTHER else verb == _READ


def _permissions(value: Any) -> set[str]:
    return {kind.rsplit("_", 1)[-1].upper() for kind in texts(value) or []}


def status(*values: Any) -> int:
    """1 success: no status, an empty one, code 0, or a message without a code (system events). 2 failure, a refused Workspace login included."""
    state = next((item for item in map(_opened, values[:3]) if isinstance(item, dict) and item), {})
    members = {str(key).lower(): value for key, value in state.items()}
    failed_login = any(name in ("login_failure", "login_verification_failure") for name in texts(values[3]) or [])
    return 2 if failed_login or (integer(members.get("code")) or 0) != 0 else 1


def _opened(value: Any) -> Any:
    return open_embedded(value) if isinstance(value, str) else value


def failure(code: Any) -> str | None:
    """The status code of a failure."""
    number = integer(code)
    return None if number in (None, 0) else str(number)


def uid(log: Any, time: Any, insert_id: Any, split: Any) -> str | None:
    """``logName|timestamp|insertId``, and the index where a large entry was split."""
    if not isinstance(insert_id, str) or is_empty(insert_id):
        return None
    key = f"{_first(log)}|{time if isinstance(time, (str, int, float)) else ''}|{insert_id}"
    part = integer(split)
    return key if part is None else f"{key}|{part}"


def usual_uid(log: pl.Series, time: pl.Series, insert_id: pl.Series, split: pl.Series) -> pl.Series:
    """`uid` of whole entries whose three parts are texts."""
    parts = pl.DataFrame([unquoted(log).alias("a"), unquoted(time).alias("b"), unquoted(insert_id).alias("c"), split.alias("split")])
    return parts.select(pl.when(pl.col("split").is_null()).then(pl.concat_str("a", "b", "c", separator="|"))).to_series()


def project(label: Any, column: Any, log: Any) -> str | None:
    """The project a record is about, from its labels or the name of its log."""
    match = _PROJECT.match(log) if isinstance(log, str) else None
    return _first(label, column) or (match[1] if match else None)


def organisation(label: Any, log: Any) -> str | None:
    """The organisation, where the labels or the name of the log say it."""
    match = _ORGANISATION.match(log) if isinstance(log, str) else None
    return _first(label) or (match[1] if match else None)


def _principal(*values: Any) -> tuple[str, str, dict[str, Any]]:
    """E-mail, subject and the whole ``authenticationInfo``."""
    info = next((item for item in map(_opened, values) if isinstance(item, dict) and item), {})
    members = {str(key).lower(): value for key, value in info.items()}
    return _first(members.get("principalemail")), _first(members.get("principalsubject")), members


def _subject(email: str, subject: str) -> str:
    if subject or "@" not in email or email == _SYSTEM:
        return subject or email
    return f"serviceAccount:{email}" if email.endswith("gserviceaccount.com") else f"user:{email}"


def actor_uid(*values: Any) -> str | None:
    """The principal subject (``user:…``, ``serviceAccount:…``, ``principal://…``), made from the e-mail address where only that is given."""
    email, subject, _ = _principal(*values)
    return _subject(email, subject) or None


def actor_name(*values: Any) -> str | None:
    """The e-mail address, else the end of the subject."""
    email, subject, _ = _principal(*values)
    return email or re.split(r"/subject/|^\w+:(?!//)", subject)[-1] or None


def actor_kind(*values: Any) -> str | None:
    """The kind of principal: user, serviceAccount, system, workloadIdentityPool, workforcePool, or the subject's own prefix."""
    email, subject, _ = _principal(*values)
    whole = _subject(email, subject)
    if email == _SYSTEM:
        return "system"
    if "workloadIdentityPools/" in whole:
        return "workloadIdentityPool"
    if "workforcePools/" in whole:
        return "workforcePool"
    kind = whole.partition(":")[0] if ":" in whole else ""
    return "serviceAccount" if kind == "user" and whole.endswith("gserviceaccount.com") else kind or None


def actor_project(*values: Any) -> str | None:
    """The project of a service account, from its address; for a service agent of Google the number of the project it works for."""
    user, _, host = _principal(*values)[0].partition("@")
    agent = re.match(r"(?:service-)?(\d+)(?:-compute)?$", user)
    if agent and host.endswith(".gserviceaccount.com"):
        return agent[1]
    if host == "appspot.gserviceaccount.com":
        return user or None
    return host.removesuffix(".iam.gserviceaccount.com") if host.endswith(".iam.gserviceaccount.com") else None


def delegator(*values: Any) -> str | None:
    """The first principal of the delegation chain behind a service account."""
    chain = _principal(*values)[2].get("serviceaccountdelegationinfo")
    for link in chain if isinstance(chain, list) else []:
        if isinstance(link, dict):
            party = link.get("firstPartyPrincipal")
            found = _first(party.get("principalEmail") if isinstance(party, dict) else None, link.get("principalSubject"))
            if found:
                return found
    return None


def _deltas(*values: Any) -> list[dict[str, Any]]:
    lists = (item for item in values if isinstance(item, list))
    deltas = [delta for items in lists for delta in items if isinstance(delta, dict)]
    added = [delta for delta in deltas if str(delta.get("action", "")).upper() == "ADD"]
    return added or deltas


def target_name(*values: Any) -> str | None:
    """The member whose bindings changed, one that gained first, else the service account acted upon."""
    return _first(*(delta.get("member") for delta in _deltas(*values[:-1])), values[-1]) or None


def privileges(*values: Any) -> list[str] | None:
    """Roles that were added; where none was, the ones removed."""
    return texts([delta.get("role") for delta in _deltas(*values)])


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "activity": activity,
    "actor_kind": actor_kind,
    "actor_name": actor_name,
    "actor_project": actor_project,
    "actor_uid": actor_uid,
    "delegator": delegator,
    "event_class": event_class,
    "failure": failure,
    "organisation": organisation,
    "privileges": privileges,
    "project": project,
    "reads": reads,
    "status": status,
    "target_name": target_name,
    "uid": uid,
}
USUAL: dict[str, Callable[..., pl.Series]] = {"uid": usual_uid}
