"""The typed identifiers of identities: their kinds, their one spelling, and what an identifier tells by itself.

An entity is a text ``type:value``, such as ``aws.key:ASIA…`` or ``email:ana@example.com``, so that frames join on one column.
"""

from __future__ import annotations

import base64
import binascii
import re
from hashlib import sha256

import polars as pl

TYPES: dict[str, str] = {
    "aws.key": "access key id",
    "aws.session": "session of a role (`AROA…:name`) or of a federated user (`account:name`)",
    "aws.arn": "ARN of a session, of whatever assumed a role under one name",
    "aws.role": "ARN of a role",
    "aws.user": "ARN of a user, or the id (`AIDA…`) by which another account knows it",
    "aws.root": "root of an account",
    "aws.service": "service of AWS",
    "aws.account": "account",
    "aws.source": "source identity that is no e-mail address",
    "aws.sso_user": "user id of IAM Identity Center",
    "entra.object": "object id of a user, service principal or managed identity",
    "entra.app": "application id",
    "entra.token": "id of the sign-in that a token came from",
    "entra.session": "session id",
    "entra.key": "credential of a service principal",
    "azure.resource": "resource that a managed identity belongs to",
    "email": "user principal name or e-mail address",
    "gcp.account": "service account",
    "gcp.principal": "principal of a workload or workforce pool",
    "gcp.key": "key of a service account",
    "oidc.subject": "subject of an OpenID Connect token (`issuer|subject`)",
    "saml.subject": "subject of a SAML assertion (`issuer|subject`)",
    "k8s.account": "service account of a Kubernetes cluster",
    "ai.key": "key of an AI gateway",
    "request": "request, by who gave the id (`provider|id`)",
    "resource": "resource",
    "model": "model",
    "ip": "IP address",
    "asn_agent": "autonomous system and user agent (`asn|agent`)",
    "prompt": "texts to a model that say nearly the same",
}
"""Every type and what its values are."""

LONGEST = 512
"""Bytes of an entity; of a longer one the beginning and a hash are kept."""

_FOLDED = tuple(
    name
    for name in TYPES
    if name.startswith(("entra.", "azure.", "aws.service", "aws.account", "aws.root", "gcp.account", "saml.")) or name in ("email", "ip")
)
"""Types whose values differ in case without meaning it."""

_EMAIL = r"^[^@\s|]+@[^@\s|]+$"
_UNDASHED = r"^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$"
_FORMS = {
    "email": _EMAIL,
    "aws.session": r"^[^:]+:.",
    "aws.arn": r"^arn:[^:]*:sts:",
    "aws.role": r"^arn:",
    "aws.root": r"^\d+$",
    "entra.object": r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
}
"""What values of these types look like; anything else is none of them."""

_DASHLESS = re.compile(r"[0-9a-f]{32}")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LEGACY = ("ASIAI", "ASIAJ", "AKIAI", "AKIAJ")
_KEY = re.compile(r"A[KS]IA[A-Z2-7]{16}")


def canonical(texts: pl.Series) -> pl.Series:
    """``type:value`` texts in their one spelling, null where the type is unknown or the value cannot be one of it.

    ARNs become the user, role or root they name, principals of GCP the account or person, token ids of Entra the sign-in.
    """
    given = texts.to_frame("e").select(
        kind=pl.col("e").str.extract(r"^([a-z0-9._]+):"), value=pl.col("e").str.replace(r"^[a-z0-9._]+:", "").str.strip_chars()
    )
    given = _read_tokens(_named_better(given))
    kind, value = pl.col("kind"), pl.col("value")
    value = pl.when(kind.is_in(_FOLDED)).then(value.str.to_lowercase()).otherwise(value)
    value = pl.when(kind == "entra.object").then(value.str.replace(_UNDASHED, "$1-$2-$3-$4-$5")).otherwise(value)
    fine = kind.is_in(list(TYPES)) & (value.str.len_bytes() > 0) & ~value.str.contains("***", literal=True)
    for name, pattern in _FORMS.items():
        fine &= (kind != name) | value.str.contains(pattern)
    made = given.select(pl.when(fine).then(pl.concat_str(kind, pl.lit(":"), value)).alias(texts.name))[texts.name]
    long = (made.str.len_bytes() > LONGEST).fill_null(False)
    if long.any():
        rows = long.arg_true()
        made = made.scatter(rows, pl.Series([shortened(text) for text in made.gather(rows).to_list()], dtype=pl.String))
    return made


def _named_better(given: pl.DataFrame) -> pl.DataFrame:
    """The type that an ARN or a principal of GCP tells itself."""
    kind, value = pl.col("kind"), pl.col("value")
    is_arn, is_gcp = kind == "aws.arn", kind == "gcp.principal"
    inner = value.str.replace(r"^(?:user|serviceAccount):", "")
    robot = inner.str.to_lowercase().str.ends_with("gserviceaccount.com")
    person = ~robot & inner.str.contains(_EMAIL) & ~value.str.contains("://", literal=True)
    better = (
        pl.when(is_arn & value.str.contains(r"^arn:[^:]*:iam::[^:]*:user/"))
        .then(pl.struct(pl.lit("aws.user").alias("kind"), value))
        .when(is_arn & value.str.contains(r"^arn:[^:]*:iam::[^:]*:role/"))
        .then(pl.struct(pl.lit("aws.role").alias("kind"), value))
        .when(is_arn & value.str.contains(r"^arn:[^:]*:iam::\d+:root$"))
        .then(pl.struct(pl.lit("aws.root").alias("kind"), value.str.extract(r"::(\d+):").alias("value")))
        .when(is_gcp & robot)
        .then(pl.struct(pl.lit("gcp.account").alias("kind"), inner.alias("value")))
        .when(is_gcp & person)
        .then(pl.struct(pl.lit("email").alias("kind"), inner.alias("value")))
        .otherwise(pl.struct(kind, value))
    )
    return given.select(better.alias("named")).unnest("named") if given["kind"].is_in(["aws.arn", "gcp.principal"]).any() else given


def _read_tokens(given: pl.DataFrame) -> pl.DataFrame:
    tokens = (given["kind"] == "entra.token").fill_null(False).arg_true()
    if not tokens.len():
        return given
    memo = {text: sign_in_of_token(text) for text in given["value"].gather(tokens).drop_nulls().unique().to_list()}
    read = pl.Series([memo.get(text) for text in given["value"].gather(tokens).to_list()], dtype=pl.String)
    return given.with_columns(given["value"].scatter(tokens, read))


def shortened(text: str) -> str:
    """``text`` in at most `LONGEST` bytes: the beginning of a longer one, and a hash that tells it from others with that beginning."""
    if len(text.encode(errors="replace")) <= LONGEST:
        return text
    return f"{text[:64]}…{sha256(text.encode(errors='replace')).hexdigest()[:32]}"


def entity(kind: str, value: str) -> str | None:
    """One entity in its one spelling, as `canonical` gives it."""
    made: str | None = canonical(pl.Series([f"{kind}:{value}"], dtype=pl.String))[0]
    return made


def kind_of(text: str) -> str:
    """The type of an entity."""
    return text.partition(":")[0]


def guid(text: str) -> str | None:
    """A GUID in lower case with its dashes, None for what is none."""
    folded = text.strip().lower()
    if _DASHLESS.fullmatch(folded):
        return f"{folded[:8]}-{folded[8:12]}-{folded[12:16]}-{folded[16:20]}-{folded[20:]}"
    return folded if _GUID.fullmatch(folded) else None


def sign_in_of_token(uti: str) -> str | None:
    """The id of the sign-in behind a token id of Entra, base64 of the GUID's bytes (users) or of its text (applications); None for anything else."""
    text = uti.strip()
    if plain := guid(text):
        return plain
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    if len(raw) == 16:
        first, second, third, rest = raw[3::-1], raw[5:3:-1], raw[7:5:-1], raw[8:]
        return guid((first + second + third + rest).hex())
    try:
        return guid(raw.decode("ascii"))
    except UnicodeDecodeError:
        return None


def account_of_key(key: str) -> str | None:
    """The account inside an AWS key id. None for ids of the old kind (``ASIAI…``, ``ASIAJ…``), which hold none, and for what is no key id."""
    if not _KEY.fullmatch(key) or key.startswith(_LEGACY):
        return None
    number = int.from_bytes(base64.b32decode(key[4:])[:6], "big") & 0x7FFFFFFFFF80
    return f"{number >> 7:012d}"
