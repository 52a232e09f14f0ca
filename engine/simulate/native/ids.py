"""Identifiers and time stamps in the spelling each provider uses, all drawn from a seeded generator."""

from __future__ import annotations

import base64
import random
import uuid
from datetime import UTC, datetime, timedelta

BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def generator(seed: int, part: str) -> random.Random:
    """The random generator of one part of a simulation: parts do not disturb each other, so adding to one leaves the others as they were."""
    return random.Random(f"{seed}/{part}")  # noqa: S311 - repeatability is wanted, secrecy is not


def guid(rng: random.Random) -> str:
    """A version 4 GUID."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def hexes(rng: random.Random, digits: int) -> str:
    """``digits`` lower-case hexadecimal digits."""
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


def letters(rng: random.Random, count: int, alphabet: str = BASE32) -> str:
    """``count`` characters of ``alphabet``."""
    return "".join(rng.choice(alphabet) for _ in range(count))


def access_key(rng: random.Random, account: str, *, kind: str = "ASIA", tail: str = "") -> str:
    """An AWS access key id of ``account``, 20 characters. The nine after the prefix carry the account number as real keys do;
    the rest says that the key is no real one.
    """
    bits = (int(account) << 4) | rng.getrandbits(4)
    head = "".join(BASE32[(bits >> shift) & 31] for shift in range(40, -1, -5))
    return kind + head + (tail or "FAKE" + letters(rng, 3))


def plain_key(rng: random.Random, account: str, kind: str = "ASIA") -> str:
    """An access key id as `access_key` makes it without the mark in its tail: for simulations that issue more keys than three letters tell apart."""
    return access_key(rng, account, kind=kind, tail=letters(rng, 7))


def principal_id(rng: random.Random, kind: str) -> str:
    """An IAM unique id such as ``AROA…EXAMPLE``."""
    return kind + letters(rng, 10) + "EXAMPLE"


def token_identifier(sign_in: str) -> str:
    """The 22 characters by which Azure claims (``uti``) and user sign-ins name the sign-in with id ``sign_in``."""
    return base64.urlsafe_b64encode(uuid.UUID(sign_in).bytes_le).decode().rstrip("=")


def service_token_identifier(sign_in: str) -> str:
    """How sign-ins of service principals and managed identities spell the same."""
    return base64.b64encode(sign_in.encode()).decode()


def later(when: datetime, rng: random.Random, low: float, high: float) -> datetime:
    """A moment between ``low`` and ``high`` seconds after ``when``."""
    return when + timedelta(seconds=rng.uniform(low, high))


def seconds(when: datetime) -> str:
    """``2026-03-02T10:15:00Z``: one-second resolution, CloudTrail and Bedrock."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def ticks(when: datetime, rng: random.Random) -> str:
    """``2026-03-02T10:15:00.1234567Z``: seven digits, Azure and Entra envelopes."""
    return f"{when:%Y-%m-%dT%H:%M:%S.%f}{rng.randrange(10)}Z"


def nanos(when: datetime, rng: random.Random) -> str:
    """``2026-03-02T10:15:00.123456789Z``: nine digits, GCP."""
    return f"{when:%Y-%m-%dT%H:%M:%S.%f}{rng.randrange(1000):03d}Z"


def unix_nano(when: datetime) -> str:
    """Nanoseconds since 1970 as text, OTLP."""
    return str((when - EPOCH) // timedelta(microseconds=1) * 1000)


def net_ticks(when: datetime) -> int:
    """.NET ticks: 100 ns since the year 1, Azure OpenAI."""
    return (when - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10


def console_date(when: datetime) -> str:
    """``Mar 2, 2026, 10:15:00 AM``: how AWS writes dates inside response elements."""
    return f"{when:%b} {when.day}, {when.year}, {(when.hour - 1) % 12 + 1}:{when:%M:%S %p}"
