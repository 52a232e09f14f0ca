"""Splitting, for any records, any white space, any cut into blocks: the same records in the same order."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.envelopes import Piece, split
from connectors.transports.base import Limits
from tests.examples import examples

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(['},{"Records":[', '"},{"', "\\", '\\"', "[{", "}]", "\n{", "Records", "detail-type", "é\u2028😀"]),
)
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)), max_leaves=12
)
# A first member that no wrapping has keeps an invented record from being one by chance.
records = st.dictionaries(st.text(max_size=8), values, max_size=6).map(lambda d: {"eventVersion": "1", **d})
spaces = st.sampled_from(["", " ", "\n", "\r\n", "\t ", "\n\n  "])


def _ndjson(texts: list[str], space: str) -> str:
    return "\n".join(texts) + "\n" if texts else ""


def _wrapped(name: str) -> Callable[[list[str], str], str]:
    def shape(texts: list[str], space: str) -> str:
        return f'{space}{{{space}"{name}"{space}:{space}[{space}' + f"{space},{space}".join(texts) + f"{space}]{space}}}{space}"

    return shape


def _array(texts: list[str], space: str) -> str:
    return f"{space}[{space}" + f"{space},{space}".join(texts) + f"{space}]{space}"


def _after_each_other(texts: list[str], space: str) -> str:
    return space.join(texts)


def _strings(texts: list[str], space: str) -> str:
    return "\n".join(json.dumps({"CloudTrailEvent": text}) for text in texts)


def _log_events(texts: list[str], space: str) -> str:
    events = ",".join(json.dumps({"id": "1", "timestamp": 1, "message": text}) for text in texts)
    return f'{{"messageType":"DATA_MESSAGE","logEvents":[{events}]}}'


SHAPES = [_ndjson, _array, _wrapped("Records"), _wrapped("records"), _wrapped("value"), _after_each_other, _strings, _log_events]


def run(data: bytes, cuts: list[int], chunk: int, *, fast: bool = True) -> list[Piece]:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    blocks = [data[a:b] for a, b in pairwise(places)]
    return list(split(blocks, "object", Limits(chunk_bytes=chunk, max_record_bytes=100_000), fast=fast))


def came_out(pieces: list[Piece]) -> tuple[list[str], list[int], list[tuple[int | None, str]], list[str]]:
    return (
        [text for piece in pieces for text in piece.records["raw_data"]],
        [position for piece in pieces for position in piece.records["position"]],
        [(reject.position, reject.reason) for piece in pieces for reject in piece.rejects],
        [skip.reason for piece in pieces for skip in piece.skips],
    )


Shape = Callable[[list[str], str], str]
any_cuts = st.lists(st.integers(0, 3000), max_size=6)
any_chunk = st.sampled_from([16, 64, 300, 1 << 20])


@examples(80)
@given(st.lists(records, max_size=8), st.sampled_from(SHAPES), spaces, st.sampled_from([None, 0, 2]), st.booleans(), any_cuts, any_chunk)
def test_every_record_comes_out_once_in_order_and_verbatim(
    items: list[dict[str, Any]], shape: Shape, space: str, indent: int | None, ascii_only: bool, cuts: list[int], chunk: int
) -> None:
    if shape is _ndjson:
        indent = None
    if indent == 0 and shape is _after_each_other:
        indent = 1  # without any indentation an inner object cannot be told from the next record
    texts = [json.dumps(item, indent=indent, ensure_ascii=ascii_only) for item in items]
    data = shape(texts, space).encode()
    for fast in (True, False):
        out, positions, rejects, skips = came_out(run(data, cuts, chunk, fast=fast))
        assert rejects == []
        assert out == texts
        assert positions == list(range(len(texts)))
        assert bool(skips) == (not texts)


BREAK: list[Callable[[str], str]] = [
    lambda text: text[:-1] + ",}",
    lambda text: text.replace('"1"', "NaN", 1),
    lambda text: text.replace('"1"', '"1', 1),
    lambda text: text.replace('"1"', "1}", 1),
    lambda text: text.replace('"1"', '{"1"', 1),
    lambda text: text.replace('"1"', '"\x00"', 1),
    lambda text: text[: len(text) // 2],
]
plain = st.dictionaries(
    st.text("abc", min_size=1, max_size=3), st.one_of(st.integers(), st.text("xyz {[,", max_size=9), st.lists(st.integers())), max_size=5
)


@examples(80)
@given(
    st.lists(plain, min_size=3, max_size=8),
    st.sampled_from([_ndjson, _array, _wrapped("Records"), _wrapped("records")]),
    st.sampled_from(BREAK),
    st.data(),
    any_cuts,
    any_chunk,
)
def test_a_broken_record_takes_no_other_with_it(
    items: list[dict[str, Any]],
    shape: Callable[[list[str], str], str],
    damage: Callable[[str], str],
    data: st.DataObject,
    cuts: list[int],
    chunk: int,
) -> None:
    texts = [json.dumps({"eventVersion": "1", "eventName": f"n{i}", **item}, separators=(",", ":")) for i, item in enumerate(items)]
    victim = data.draw(st.integers(0, len(texts) - 1))
    good = [text for i, text in enumerate(texts) if i != victim]
    texts[victim] = damage(texts[victim])
    out, positions, rejects, _ = came_out(run(shape(texts, "").encode(), cuts, chunk))
    assert out == good
    assert [position for position, _ in rejects if position is not None] == [victim]
    assert positions == [i for i in range(len(texts)) if i != victim]


@examples(80)
@given(st.text(st.sampled_from('{}[]",:\\ \n1aé\x00'), max_size=60), st.booleans(), any_cuts, any_chunk)
def test_any_text_ends_and_is_accounted_for(text: str, fast: bool, cuts: list[int], chunk: int) -> None:
    out, positions, rejects, skips = came_out(run(text.encode(), cuts, chunk, fast=fast))
    for record in out:
        assert isinstance(json.loads(record), dict)
    numbered = sorted(positions + [position for position, _ in rejects if position is not None])
    assert numbered == list(range(len(numbered)))
    assert out or rejects or skips
