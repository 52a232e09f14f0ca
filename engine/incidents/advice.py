"""What to look at next, and commands that contain: texts to copy, which crosswind never runs."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence

from engine.incidents.clock import micros
from engine.model import Alert, Containment, NextHunt

HUNTS = 8
COMMANDS = 20
_PLAIN = re.compile(r"[\x21-\x7e]{1,300}")
_SESSION = re.compile(r"arn:[a-z-]+:sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/.+")
_USER = re.compile(r"arn:[a-z-]+:iam::(?P<account>\d+):user/(?:.*/)?(?P<user>[^/]+)")
_ACTING = ("actor", "leaked")
_HUNTED = (*_ACTING, "ip")

_BY_TYPE: tuple[tuple[str, str, str, str], ...] = (
    ("aws.key", "key-use", "key", "all that the key did, from where"),
    ("ai.key", "tokens-per-key", "key", "what the gateway key used"),
    ("aws.user", "actor-trail", "actor", "everything the user did"),
    ("aws.arn", "actor-trail", "actor", "everything the session did"),
    ("gcp.account", "actor-trail", "actor", "everything the service account did"),
    ("entra.object", "actor-trail", "actor", "everything the identity did"),
    ("email", "actor-trail", "actor", "everything the person did"),
    ("ip", "ip-trail", "ip", "who else came from the address"),
)
_BY_TACTIC: tuple[tuple[str, str, str], ...] = (
    ("credential-access", "secrets-read", "secrets were taken: which, and by whom else"),
    ("defense-impairment", "logging-off", "something that watches was switched off: what is not seen since"),
    ("persistence", "keys-made", "keys that were made may still work"),
    ("privilege-escalation", "rights-granted", "rights that were granted may still hold"),
    ("lateral-movement", "federated-roles", "roles that outside identities took"),
)


def next_hunts(named: Iterable[tuple[str, str]], tactics: Iterable[str], models: bool) -> tuple[NextHunt, ...]:
    """Saved hunts that fit the (role, entity) pairs ``named``, most telling first, and what the ``tactics`` suggest."""
    found: list[NextHunt] = []
    shown = set(tactics)
    pairs = sorted(set(named), key=lambda pair: (pair[0] not in ("leaked", "actor"), pair))
    values: dict[str, list[str]] = {}
    for role, entity in pairs:
        if role in _HUNTED:
            kind, _, value = entity.partition(":")
            values.setdefault(kind, []).append(value)
    for kind, hunt, parameter, why in _BY_TYPE:
        found.extend(NextHunt(hunt, ((parameter, value),), why) for value in dict.fromkeys(values.get(kind, ())[:2]))
    trails = found[: HUNTS - 3]
    suggested = [NextHunt(hunt, (), why) for tactic, hunt, why in _BY_TACTIC if tactic in shown]
    if models:
        suggested.append(NextHunt("new-model-callers", (), "who called models for the first time"))
    return (*trails, *suggested[: HUNTS - len(trails)])


def containment(members: Sequence[tuple[Alert, Sequence[tuple[str, str]]]]) -> tuple[Containment, ...]:
    """Commands against the identities and keys that acted in ``members``, each once, those behind most alerts first.

    Where a key was found in a text, whoever wrote it is not the one to stop. Values that no shell should see are left out.
    """
    found: dict[str, Containment] = {}
    times: Counter[str] = Counter()
    last = max((alert.last_time for alert, _ in members), key=micros, default=None)
    before = last.strftime("%Y-%m-%dT%H:%M:%SZ") if last else ""
    for alert, named in members:
        leaked = any(role == "leaked" for role, _ in named)
        acting = sorted({entity for role, entity in named if role == ("leaked" if leaked else "actor") and _PLAIN.fullmatch(entity)})
        users = [match["user"] for entity in acting if (match := _USER.fullmatch(entity.partition(":")[2]))]
        service = alert.evidence.get("actor.user.type_id") in (3, 4)
        for entity in acting:
            for made in _commands(entity, users, service=service, before=before):
                found.setdefault(made.command, made)
                times[made.command] += 1
    kept = sorted(found.values(), key=lambda each: (each.what.startswith("list "), -times[each.command], each.command))
    return tuple(kept[:COMMANDS])


def _commands(entity: str, users: Sequence[str], *, service: bool, before: str) -> list[Containment]:
    kind, _, value = entity.partition(":")
    quoted = shlex.quote(value)
    if kind == "aws.key" and value.startswith("AKIA"):
        owner = f" --user-name {shlex.quote(users[0])}" if len(users) == 1 else ""
        return [Containment("AWS", "switch the key off", f"aws iam update-access-key --access-key-id {quoted}{owner} --status Inactive")]
    if kind == "aws.user" and (user := _USER.fullmatch(value)):
        name = shlex.quote(user["user"])
        return [Containment("AWS", "list the keys of the user", f"aws iam list-access-keys --user-name {name}")]
    if kind == "aws.arn" and (session := _SESSION.fullmatch(value)):
        policy = (
            '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*",'
            f'"Condition":{{"DateLessThan":{{"aws:TokenIssueTime":"{before}"}}}}}}]}}'
        )
        command = (
            f"aws iam put-role-policy --role-name {shlex.quote(session['role'])} --policy-name revoke-older-sessions --policy-document '{policy}'"
        )
        return [Containment("AWS", "end the sessions of the role", command)]
    if kind == "entra.object" and service:
        return [Containment("Azure", "disable the service principal", f"az ad sp update --id {quoted} --set accountEnabled=false")]
    if kind in ("entra.object", "email"):
        url = shlex.quote(f"https://graph.microsoft.com/v1.0/users/{value}/revokeSignInSessions")
        return [
            Containment("Azure", "disable the account", f"az ad user update --id {quoted} --account-enabled false"),
            Containment("Azure", "end its sessions", f"az rest --method post --url {url}"),
        ]
    if kind == "gcp.account":
        return [Containment("GCP", "disable the service account", f"gcloud iam service-accounts disable {quoted}")]
    if kind == "gcp.key" and (key := re.fullmatch(r".*serviceAccounts/([^/]+)/keys/([^/]+)", value)):
        command = f"gcloud iam service-accounts keys disable {shlex.quote(key[2])} --iam-account={shlex.quote(key[1])}"
        return [Containment("GCP", "disable the key", command)]
    return []
