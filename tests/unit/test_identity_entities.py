from __future__ import annotations

import polars as pl
import pytest

from engine.identity.entities import LONGEST, account_of_key, canonical, entity, guid, kind_of, sign_in_of_token


def test_entities_have_one_spelling() -> None:
    given = ["email:Ana@Example.com", "entra.object:0AAD8F51-0000-4000-8000-000000000001", "aws.session:AROAX:Ana", " aws.key:A", "aws.key: ASIAX "]
    assert canonical(pl.Series(given)).to_list() == [
        *("email:ana@example.com", "entra.object:0aad8f51-0000-4000-8000-000000000001", "aws.session:AROAX:Ana", None, "aws.key:ASIAX"),
    ]


@pytest.mark.parametrize("text", ["nothing:x", "aws.key:", "email:ana", "email:a b@example.com", "plain", ""])
def test_what_is_no_entity_is_none(text: str) -> None:
    assert canonical(pl.Series([text])).to_list() == [None]


def test_long_identifiers_are_cut_but_stay_different() -> None:
    one, other = entity("request", "aws|" + "x" * 10_000 + "1"), entity("request", "aws|" + "x" * 10_000 + "2")
    assert one is not None
    assert other is not None
    assert one != other
    assert kind_of(one) == "request"
    assert max(len(one.encode()), len(other.encode())) <= LONGEST
    assert entity("request", one.partition(":")[2]) == one


def test_guids_are_read_with_and_without_dashes() -> None:
    assert guid("0AAD8F51000040008000000000000001") == guid("0aad8f51-0000-4000-8000-000000000001") == "0aad8f51-0000-4000-8000-000000000001"
    assert guid("ana@example.com") is None


def test_token_ids_tell_the_sign_in() -> None:
    assert sign_in_of_token("JYpgIpsdtUSw8suU8GstAA") == "22608a25-1d9b-44b5-b0f2-cb94f06b2d00"
    assert sign_in_of_token("MjI2MDhhMjUtMWQ5Yi00NGI1LWIwZjItY2I5NGYwNmIyZDAw") == "22608a25-1d9b-44b5-b0f2-cb94f06b2d00"
    assert sign_in_of_token("22608a25-1d9b-44b5-b0f2-cb94f06b2d00") == "22608a25-1d9b-44b5-b0f2-cb94f06b2d00"
    assert [sign_in_of_token(text) for text in ("", "x", "not a token", "é" * 22, "A" * 10_000)] == [None] * 5


def test_keys_tell_their_account_unless_they_are_of_the_old_kind() -> None:
    assert account_of_key("ASIABTX3GSDSQAJDIVTY") == "111122223333"
    assert account_of_key("ASIAIOSFODNN7EXAMPLE") is None
    assert account_of_key("AKIAIOSFODNN7EXAMPLE") is None
    assert account_of_key("x") is None
