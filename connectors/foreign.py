"""Objects that are no logs at all: a README, a table or a picture among the logs is one skip with a reason, not a reject for each of its lines.

Where a log was promised, by the delivery path of a provider or a name that ends like JSON, bytes that are none are a failure of that object instead:
an error page saved under the name of a log must not look like nothing found.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import replace

from connectors.envelopes import Piece, split
from connectors.splitting.texts import as_utf8
from connectors.transports.base import Limits, Object
from connectors.transports.files import STDIN
from engine.errors import EnvelopeError
from engine.model import Reject, Skip

NO_LOG = "not JSON: no log crosswind knows"
_PROMISED = re.compile(r"\.(json|jsonl|ndjson)(\.(gz|gzip|zst|zstd))?$", re.IGNORECASE)
_BEGINNING = re.compile(rb'\{\s*+(?:["}]|\Z)|\[\s*+(?:[{\["\]]|\Z)')
_BLANK = b" \t\r\n\xef\xbb\xbf"
_HEAD_BYTES = 256


def records_of(blocks: Iterable[bytes], obj: Object, limits: Limits) -> Iterator[Piece]:
    """As `split`; an object that does not begin like JSON and holds no record gives one skip, or EnvelopeError where a log was promised.

    What was appended to a promised log is one, whatever it looks like: a line that is no JSON is one reject.
    """
    continued = obj.start > 0
    promised = obj.uri == STDIN or obj.hint is not None or _PROMISED.search(obj.uri) is not None
    beginning = _Beginning(as_utf8(blocks))
    doubtful: dict[str, array[int]] = {}
    settled = continued and promised
    for piece in split(beginning, obj.uri, limits, continued=continued):
        settled = settled or beginning.like_json or piece.records.height > 0 or bool(piece.skips)
        if not settled:
            for reject in piece.rejects:
                doubtful.setdefault(reject.reason, array("q")).append(-1 if reject.position is None else reject.position)
            yield replace(piece, rejects=[])
        elif doubtful:
            earlier = [Reject(obj.uri, reason, None if at < 0 else at) for reason, places in doubtful.items() for at in places]
            doubtful = {}
            yield replace(piece, rejects=sorted(earlier, key=_position) + piece.rejects)
        else:
            yield piece
    if doubtful:
        if promised:
            raise EnvelopeError(f"{obj.uri}: not JSON, although its name or place promises a log: is it encrypted, damaged, or an error page?")
        nothing = split((), obj.uri, limits)
        yield from (replace(piece, skips=[Skip(obj.uri, NO_LOG)]) for piece in nothing)


class _Beginning:
    """The blocks of an object; ``like_json`` tells whether its first bytes, once seen, begin a JSON object or list."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = blocks
        self.like_json = False

    def __iter__(self) -> Iterator[bytes]:
        seen = False
        for block in self._blocks:
            if not seen and (head := block.lstrip(_BLANK)[:_HEAD_BYTES]):
                seen, self.like_json = True, _BEGINNING.match(head) is not None
            yield block


def _position(reject: Reject) -> int:
    return -1 if reject.position is None else reject.position
