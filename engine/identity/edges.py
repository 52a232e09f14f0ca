"""Edges between identities: what kinds there are, and the frame that holds them.

An edge says that ``child``, which acts, was made by or stands for ``parent``, and names the event that proves it. Any number of equal edges says no
more than one, so edges of batches, in any order and number, are put together with `together`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from engine.identity.entities import canonical

STRENGTHS: tuple[str, ...] = ("strong", "medium", "weak")
"""From strong to weak."""

EDGES: dict[str, pl.DataType] = {
    "kind": pl.String(),
    "child": pl.String(),
    "parent": pl.String(),
    "time": pl.Datetime("us", "UTC"),
    "until": pl.Datetime("us", "UTC"),
    "strength": pl.String(),
    "spoofable": pl.Boolean(),
    "source": pl.String(),
    "event_uid": pl.String(),
}
"""Columns of an edges frame: ``kind`` is a key of `KINDS`, ``child`` and ``parent`` are entities, ``time`` is that of the event, ``until`` null or
the end of what was issued, ``strength`` one of `STRENGTHS`, ``spoofable`` true where whoever acted chose the text, ``event_uid`` the x.uid of the
proof.
"""

ISSUED, ALIAS, TOLD = "issued", "alias", "told"


@dataclass(frozen=True, slots=True)
class Kind:
    """``way``: `ISSUED` edges lead to an origin from their time to their end; `ALIAS` edges hold at all times, one proof of each is enough; `TOLD`
    ones are evidence about the child that leads to no origin.
    """

    meaning: str
    strength: str
    way: str
    spoofable: bool = False


def _kinds(*rows: tuple[str, str, str, str]) -> dict[str, Kind]:
    return {name: Kind(meaning, strength, way) for name, strength, way, meaning in rows}


KINDS: dict[str, Kind] = _kinds(
    ("issued_key", "strong", ISSUED, "the key was issued to the caller"),
    ("assumed_role", "strong", ISSUED, "the caller began the role session"),
    ("source_identity", "strong", ISSUED, "the identity that was set when the session began, kept over role chains"),
    ("saml_subject", "strong", ISSUED, "the session or key was issued for a SAML assertion"),
    ("oidc_subject", "strong", ISSUED, "the session or key was issued for an OpenID Connect token"),
    ("key_of", "strong", ALIAS, "the key acts as this identity"),
    ("acts_as", "strong", ALIAS, "the key or token belongs to this session or identity"),
    ("session_of", "strong", ALIAS, "the ARN of a session, and its id"),
    ("shared_event", "strong", ALIAS, "two accounts recorded the same call"),
    ("carries_identity", "strong", ALIAS, "the session carries this source identity"),
    ("web_identity", "strong", ALIAS, "the session came from an OpenID Connect token"),
    ("sso_user", "strong", ALIAS, "the session acts on behalf of a user of IAM Identity Center"),
    ("sso_name", "medium", ALIAS, "IAM Identity Center named the session after its user"),
    ("created_key", "strong", TOLD, "the caller created a key that acts as somebody"),
    ("role_of", "strong", TOLD, "the session is one of this role"),
    ("issued_by_service", "strong", TOLD, "a service of the provider began the session"),
    ("signed_in", "strong", ISSUED, "the token came from a sign-in of this identity"),
    ("federated_subject", "strong", ALIAS, "the subject of the assertion or token is this identity of the directory"),
    ("user_name", "medium", ALIAS, "the user principal name or e-mail address is that of this identity"),
    ("guest_of", "medium", ALIAS, "the guest's address at home"),
    ("used_key", "strong", TOLD, "the service principal signed in with this credential"),
    ("used_federation", "strong", TOLD, "the sign-in came over this federated credential"),
    ("federated_credential", "strong", TOLD, "an outside subject may act as this application"),
    ("app_of", "strong", TOLD, "the application behind the service principal"),
    ("managed_identity", "strong", TOLD, "the resource behind the managed identity"),
    ("exchanged", "strong", ALIAS, "an outside identity was exchanged for the mapped principal"),
    ("mapped_subject", "medium", ALIAS, "the subject of the pool's principal, as the pool maps it"),
    ("impersonated", "strong", TOLD, "the caller got a token of the service account"),
    ("delegated", "strong", ISSUED, "the service account acted for the caller at that moment"),
    ("request_of", "strong", ALIAS, "who made the request, by its id in another log"),
    ("email_subject", "medium", ALIAS, "the subject is an e-mail address"),
    ("gateway_user", "medium", ALIAS, "the user whom the gateway gave the key"),
    ("account_name", "medium", ALIAS, "the user name the application gave, an e-mail address"),
) | {"session_name": Kind("the session name looks like an e-mail address; whoever began the session chose it", "weak", ALIAS, spoofable=True)}
"""Every kind of edge."""

ORDER = ("child", "time", "kind", "parent", "until", "source", "event_uid")
"""Columns by which edges are sorted."""


def empty() -> pl.DataFrame:
    """An edges frame without rows."""
    return pl.DataFrame(schema=EDGES)


def described(raw: pl.DataFrame) -> pl.DataFrame:
    """Edges of raw ones (``kind``, ``child``, ``parent`` as ``type:value``, ``time``, ``until``, ``source``, ``event_uid``): entities in their one
    spelling, strength by kind; without those that name nothing or lead to themselves.
    """
    strengths = {name: kind.strength for name, kind in KINDS.items()}
    spoofable = [name for name, kind in KINDS.items() if kind.spoofable]
    ends = canonical(pl.concat([raw["child"], raw["parent"]]))
    frame = raw.with_columns(ends[: raw.height].alias("child"), ends[raw.height :].alias("parent"))
    frame = frame.filter(pl.col("child").is_not_null() & pl.col("parent").is_not_null() & (pl.col("child") != pl.col("parent")))
    frame = frame.with_columns(
        pl.col("kind").replace_strict(strengths, return_dtype=pl.String).alias("strength"), pl.col("kind").is_in(spoofable).alias("spoofable")
    )
    return frame.select(pl.col(name).cast(dtype) for name, dtype in EDGES.items())


def together(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Edges of several frames as one, each once; of aliases and what is told, which hold at all times, the earliest proof. Sorted by `ORDER`."""
    frames = [part.select(list(EDGES)) for part in parts]
    if not frames:
        return empty()
    edges = pl.concat(frames).sort(ORDER, nulls_last=True)
    issued = pl.col("kind").is_in([name for name, kind in KINDS.items() if kind.way == ISSUED])
    timed = edges.filter(issued).unique(maintain_order=True)
    timeless = edges.filter(~issued).unique(["kind", "child", "parent"], keep="first", maintain_order=True)
    return pl.concat([timed, timeless]).sort(ORDER, nulls_last=True)
