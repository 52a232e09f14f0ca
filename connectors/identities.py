"""Value functions for the ``identity`` sections of mapping files: who called, and which entity an id of another provider is.

Like all value functions they take plain JSON values and give a plain value, None for "nobody". Entities are ``type:value`` texts, spelled as the
record spells them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connectors.exact import open_embedded
from connectors.values import Then, at_home, micros

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_EMAIL = re.compile(r"[^@\s|:/]+@[^@\s|:/]+\.[^@\s|:/]+")
_ENTRA = re.compile(r"(?:https://)?(?:sts\.windows\.net|login\.microsoftonline\.com)/([0-9a-f-]{36})", re.IGNORECASE)
_MONTHS = {name: index for index, name in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)}
_JAVA_TIME = re.compile(r"([A-Z][a-z]{2}) (\d{1,2}), (\d{4}),? (\d{1,2}):(\d{2}):(\d{2})\s?([AP]M)")
_SINGLE_SIGN_ON = "AWSReservedSSO_"
_AGENT = re.compile(
    r"(?:service-\d+@.+|.+@(?:[\w-]+-system|cloudservices|gcp-sa-[\w-]+|system)(?:\.iam)?)\.gserviceaccount\.com|system:.*", re.IGNORECASE
)
_MAX = 4_096
"""Longer texts are read no further: no identifier is."""


def _opened(value: Any) -> dict[str, Any]:
    found = open_embedded(value) if isinstance(value, str) else value
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) and "***" not in value else ""


# --- AWS ------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _AwsCaller:
    """What ``userIdentity`` says: ``identity`` is the session, user or root as an entity."""

    kind: str
    principal: str
    arn: str
    key: str
    service: str
    identity: str | None


def _aws(user: Any) -> _AwsCaller:
    user = _opened(user)
    kind, principal, arn = (_text(user.get(name)) for name in ("type", "principalId", "arn"))
    identity = None
    if kind == "Root":
        identity = f"aws.root:{_text(user.get('accountId'))}"
    elif kind in ("AssumedRole", "FederatedUser") or (kind == "AWSAccount" and principal.startswith("AROA")):
        identity = f"aws.session:{principal}" if ":" in principal else None
    elif kind == "IAMUser":
        identity = f"aws.arn:{arn}" if arn else None
    elif kind == "AWSAccount" and principal.startswith("AIDA"):
        identity = f"aws.user:{principal}"
    return _AwsCaller(kind, principal, arn, _text(user.get("accessKeyId")), _text(user.get("invokedBy")), identity)


def _session_id(caller: _AwsCaller) -> str | None:
    return caller.principal if caller.identity and caller.identity.startswith("aws.session:") else None


aws_identity = Then(_aws, lambda caller: caller.identity)
"""The identity of ``userIdentity`` without its key: session, user or root."""

aws_key = Then(_aws, lambda caller: caller.key or None)
"""The key of ``userIdentity``, where it has one."""

aws_caller = Then(_aws, lambda caller: f"aws.key:{caller.key}" if caller.key.startswith("ASIA") and caller.identity else caller.identity)
"""Who called, as exactly as ``userIdentity`` tells: the temporary key, else the session, user or root. Services and federated subjects: None."""

aws_service = Then(_aws, lambda caller: caller.service or None if caller.kind == "AWSService" else None)
"""The service of AWS that called."""

aws_abroad = Then(_aws, lambda caller: caller.principal if caller.kind == "AWSAccount" and caller.principal.startswith("AIDA") else None)
"""Id of a user of another account, who has a name there alone."""

aws_at_home = Then(_aws, lambda caller: caller.identity if caller.kind in ("IAMUser", "AssumedRole", "Root", "FederatedUser") else None)
"""The identity of a call in the account of the caller."""

aws_session_of = Then(_aws, _session_id)
"""The id of the session, without its type."""

aws_session_arn = Then(_aws, lambda caller: caller.arn or None if _session_id(caller) else None)
"""The ARN of the session."""


def _session_email(session: Any) -> str | None:
    name = _text(session).partition(":")[2]
    return name if len(name) < _MAX and _EMAIL.fullmatch(name) else None


def aws_session_email(session: Any, arn: Any) -> str | None:
    """The e-mail address that a session is named after, where the role is not one of IAM Identity Center."""
    return None if _SINGLE_SIGN_ON in _text(arn) else _session_email(session)


def aws_sso_email(session: Any, arn: Any) -> str | None:
    """The e-mail address that IAM Identity Center named the session after."""
    return _session_email(session) if _SINGLE_SIGN_ON in _text(arn) else None


def aws_source_identity(*said: Any) -> str | None:
    """The source identity: an e-mail address, or a name that means something to who set it."""
    name = next(filter(None, map(_text, said)), "")
    return None if not name else f"email:{name}" if _EMAIL.fullmatch(name) else f"aws.source:{name}"


def aws_sso_user(behalf: Any) -> str | None:
    """User of IAM Identity Center, by the id of the identity store and his own."""
    behalf = _opened(behalf)
    user, store = _text(behalf.get("userId")), _text(behalf.get("identityStoreArn"))
    return f"{store.rpartition('/')[2]}|{user}" if user and store else None


def aws_key_owner(user: Any, account: Any, name: Any) -> str | None:
    """ARN of the user whom a created key belongs to: the caller where it is his own."""
    user = _opened(user)
    own, name = _text(user.get("arn")), _text(name)
    if name and own.rpartition("/")[2] != name:
        return f"arn:{own.split(':')[1] if own.startswith('arn:') else 'aws'}:iam::{_text(account)}:user/{name}"
    return own or None


def aws_web_identity(data: Any) -> str | None:
    """``issuer|subject`` of the token behind a session, as later calls of the session tell it."""
    data = _opened(data)
    provider, attributes = _text(data.get("federatedProvider")), _opened(data.get("attributes"))
    subject = next((_text(value) for name, value in attributes.items() if str(name).endswith(":sub") or name == "sub"), "")
    return oidc_subject(provider, subject)


def aws_expiry(moment: Any) -> int | str | None:
    """The end of credentials: ``Jul 10, 2023, 12:55:24 PM``, or RFC 3339."""
    found = _JAVA_TIME.fullmatch(moment.strip()) if isinstance(moment, str) else None
    if found is None:
        return moment if micros(moment) is not None else None
    month, day, year, hour, minute, second, half = found.groups()
    if month.lower() not in _MONTHS:
        return None
    return f"{year}-{_MONTHS[month.lower()]:02d}-{int(day):02d}T{int(hour) % 12 + 12 * (half == 'PM'):02d}:{minute}:{second}Z"


# --- federation -----------------------------------------------------------------------------------------------------------------------------


def oidc_subject(issuer: Any, subject: Any) -> str | None:
    """``issuer|subject`` of an OpenID Connect token; the issuer is written without scheme, and alone where an ARN names it."""
    issuer, subject = _text(issuer), _text(subject)
    if not issuer or not subject or len(subject) > _MAX:
        return None
    issuer = issuer.partition(":oidc-provider/")[2] or issuer
    return f"{issuer.removeprefix('https://').rstrip('/')}|{subject}"


def saml_subject(issuer: Any, subject: Any) -> str | None:
    """``issuer|subject`` of a SAML assertion."""
    issuer, subject = _text(issuer), _text(subject)
    return f"{issuer.rstrip('/')}|{subject}" if issuer and subject and len(subject) < _MAX else None


def entra_subject(issuer: Any, subject: Any) -> str | None:
    """Object id of the subject, where Entra ID issued it under one."""
    issuer, subject = _text(issuer), _text(subject)
    return subject if _ENTRA.match(issuer.partition(":oidc-provider/")[2] or issuer) and _GUID.fullmatch(subject) else None


def email_subject(subject: Any) -> str | None:
    """A subject that is an e-mail address."""
    text = _text(subject)
    return text if len(text) < _MAX and _EMAIL.fullmatch(text) else None


# --- Entra ID and Azure ---------------------------------------------------------------------------------------------------------------------


def entra_saml(upn: Any, *tenants: Any) -> str | None:
    """The subject under which a SAML assertion of the tenant names a user."""
    tenant = next((text for text in map(_text, tenants) if _GUID.fullmatch(text)), "")
    name = email_subject(upn)
    return f"https://sts.windows.net/{tenant}|{name}" if tenant and name and "#ext#" not in name.lower() else None


def member_email(name: Any, kind: Any = None, home: Any = None, tenant: Any = None) -> str | None:
    """The user principal name of somebody at home in the tenant."""
    found = email_subject(name)
    if found is None or "#ext#" in found.lower() or _text(kind).lower() == "guest":
        return None
    home, tenant = _text(home).lower(), _text(tenant).lower()
    return found if not home or not tenant or home == tenant else None


def guest_email(name: Any, kind: Any = None, home: Any = None, tenant: Any = None) -> str | None:
    """The address at home of a guest."""
    text = _text(name)
    if member_email(name, kind, home, tenant) or len(text) > _MAX:
        return None
    return at_home(text) if "#ext#" in text.lower() else email_subject(text)


def issued_token(sign_in: Any, *codes: Any) -> str | None:
    """The id of a sign-in that succeeded."""
    said = next((str(code) for code in codes if code is not None and code != ""), "0")
    return _text(sign_in) or None if said == "0" else None


def claims_email(*names: Any) -> str | None:
    """The first e-mail address among the claims of a token, without the identity provider in front (``live.com#``)."""
    for name in names:
        text = re.sub(r"^[\w.-]+#(?=[^#@]+@)", "", _text(name))
        if email_subject(text):
            return text
    return None


def claims_member(*names: Any) -> str | None:
    """As `claims_email`, of members of the tenant."""
    return member_email(claims_email(*names)) if not any("#" in _text(name) for name in names) else None


def claims_guest(*names: Any) -> str | None:
    """The address at home of a guest: his user principal name is none of this tenant."""
    marked = [text for text in map(_text, names) if "#" in text]
    found = (guest_email(text) if "#ext#" in text.lower() else claims_email(text) for text in marked)
    return next((address for address in found if address), None)


def new_credential(targets: Any) -> str | None:
    """The id of the key or password that a change of an application or service principal added."""
    for before, after in _changes(targets, "keydescription", "keycredentials", "passwordcredentials"):
        found: list[str] = [key.lower() for key in re.findall(r"KeyIdentifier\W{1,6}([0-9a-fA-F-]{36})", after)]
        fresh = [key for key in found if key not in before.lower()]
        if fresh:
            return fresh[-1]
    return None


def federated_subject(targets: Any) -> str | None:
    """``issuer|subject`` that a new federated credential of an application lets in."""
    for before, after in _changes(targets, "federatedidentitycredentials"):
        listed = open_embedded(after)
        for item in reversed(listed if isinstance(listed, list) else [listed]):
            if isinstance(item, dict) and str(item.get("Subject") or "") not in ("", *before.split('"')):
                return oidc_subject(item.get("Issuer"), item.get("Subject"))
    return None


def _changes(targets: Any, *names: str) -> list[tuple[str, str]]:
    """Old and new value of the modified properties of these names."""
    found = []
    targets = open_embedded(targets) if isinstance(targets, str) else targets
    for target in targets if isinstance(targets, list) else []:
        changes = target.get("modifiedProperties") if isinstance(target, dict) else None
        changes = open_embedded(changes) if isinstance(changes, str) else changes
        for change in changes if isinstance(changes, list) else []:
            if isinstance(change, dict) and str(change.get("displayName") or "").lower() in names:
                old, new = (str(change.get(name) or "")[: 16 * _MAX] for name in ("oldValue", "newValue"))
                found.append((old, new))
    return found


# --- GCP ------------------------------------------------------------------------------------------------------------------------------------


def gcp_caller(info: Any) -> str | None:
    """Who called: the first of the delegation chain, else the principal itself."""
    return gcp_delegator(info) or gcp_principal(info)


def gcp_principal(info: Any) -> str | None:
    """The principal: subject, else e-mail address; those that are Google's own: None."""
    info = _opened(info)
    name = _text(info.get("principalEmail"))
    subject = _text(info.get("principalSubject")) or name
    return None if not subject or _AGENT.fullmatch(name or subject) else f"gcp.principal:{subject}"


def gcp_delegator(info: Any) -> str | None:
    """The first of the delegation chain behind a service account; service agents of Google are nobody."""
    links = _opened(info).get("serviceAccountDelegationInfo")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict):
            found = _text(_opened(link.get("firstPartyPrincipal")).get("principalEmail")) or _text(link.get("principalSubject"))
            if found and not _AGENT.fullmatch(found):
                return f"gcp.principal:{found}"
    return None


def gcp_account(info: Any) -> str | None:
    """The service account that acted."""
    found = _text(_opened(info).get("principalEmail"))
    return found if found.endswith("gserviceaccount.com") else None


def gcp_target(label: Any, name: Any) -> str | None:
    """The service account a token or key is made for."""
    found = _text(label) or _text(name).partition("/serviceAccounts/")[2].split("/")[0]
    return found if "@" in found else None


def gcp_impersonated(label: Any, name: Any, method: Any) -> str | None:
    """The service account a token or signature is made of."""
    made = _text(method).rpartition(".")[2]
    return gcp_target(label, name) if made.startswith(("Generate", "Sign")) else None


def gcp_key(name: Any) -> str | None:
    """The id of a key of a service account, at the end of its name."""
    return _text(name).partition("/keys/")[2] or None


def gcp_outside(info: Any, attributes: Any = None) -> str | None:
    """The identity outside that a token was exchanged for: an ARN of AWS, an object id of Entra ID, or the subject as it stands."""
    subject = _text(_opened(info).get("principalSubject"))
    return _outside(subject, next((_text(value) for name, value in _opened(attributes).items() if name in ("iss", "issuer")), ""))


def gcp_mapped(subject: Any) -> str | None:
    """The identity that the subject of a pool's principal is, by its form alone."""
    text = _text(subject)
    inner = text.partition("/subject/")[2] if text.startswith("principal://") else ""
    return _outside(inner, "") if inner.startswith("arn:") else f"email:{inner}" if email_subject(inner) else None


def _outside(subject: str, issuer: str) -> str | None:
    if subject.startswith("principal://"):
        return f"gcp.principal:{subject}"
    if subject.startswith("arn:"):
        return f"aws.arn:{subject}"
    if _GUID.fullmatch(subject):
        return f"entra.object:{subject}"
    found = oidc_subject(issuer or "unknown", subject)
    return f"oidc.subject:{found}" if found else None


def gcp_lifetime(time: Any, lifetime: Any) -> int | None:
    """When a token ends: after the life asked for, an hour where none was."""
    begun = micros(time)
    seconds = re.fullmatch(r"(\d{1,6})s", _text(lifetime))
    return None if begun is None else begun + int(timedelta(seconds=int(seconds[1]) if seconds else 3_600) / timedelta(microseconds=1))


# --- inference ------------------------------------------------------------------------------------------------------------------------------


def aws_model_request(source: Any, request: Any) -> str | None:
    """The id of a call of a model, which the invocation log shares."""
    return _text(request) or None if _text(source).startswith("bedrock") else None


def otel_aws_request(*lists: Any) -> str | None:
    """``aws.request_id`` among attributes."""
    return _attribute(lists, "aws.request_id")


def otel_email(*lists: Any) -> str | None:
    """The user's e-mail address among attributes."""
    found = (email_subject(_attribute(lists, key)) for key in ("user.email", "enduser.id", "user.id"))
    return next((address for address in found if address), None)


def _attribute(lists: tuple[Any, ...], key: str) -> str | None:
    for attributes in lists:
        for pair in attributes if isinstance(attributes, list) else []:
            if isinstance(pair, dict) and pair.get("key") == key:
                value = pair.get("value")
                return _text(value.get("stringValue") if isinstance(value, dict) else value) or None
    return None


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "aws_abroad": aws_abroad,
    "aws_at_home": aws_at_home,
    "aws_caller": aws_caller,
    "aws_identity": aws_identity,
    "aws_key": aws_key,
    "aws_service": aws_service,
    "aws_session_arn": aws_session_arn,
    "aws_session_of": aws_session_of,
} | {
    function.__name__: function
    for function in (
        *(aws_session_email, aws_sso_email, aws_source_identity, aws_sso_user, aws_key_owner, aws_web_identity, aws_expiry, aws_model_request),
        *(oidc_subject, saml_subject, entra_subject, email_subject, entra_saml, member_email, guest_email, issued_token, claims_member),
        *(claims_guest, new_credential, federated_subject, gcp_caller, gcp_principal, gcp_delegator, gcp_account, gcp_target, gcp_key),
        *(gcp_impersonated, gcp_outside, gcp_mapped, gcp_lifetime, otel_aws_request, otel_email),
    )
}
"""By their names in mapping files."""
