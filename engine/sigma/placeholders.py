r"""``|expand``: %name% in a value becomes the values the operator gave for that name.

``\%`` is a literal percent sign and ``\\`` a backslash before one, so ``\%plain%name%`` is the text ``%plain`` followed by the placeholder ``name``.
A value that is put in is a Sigma string itself: its wildcards count. In a regular expression it is quoted, wildcards becoming ``.*`` and ``.``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product

from engine.errors import RuleError

MAX_EXPANSION = 10_000

_TOKEN = re.compile(r"(?P<pair>\\\\)|\\(?P<percent>%)|%(?P<name>[^%\\]+)%")


def expand(text: str, values: Mapping[str, Sequence[str]], *, regex: bool = False) -> list[str]:
    """Every text ``text`` stands for, escaped as Sigma (with ``regex``: the expression) has it. Raises RuleError for a name without values."""
    pieces: list[Sequence[str]] = []
    position, total = 0, 1
    for token in _TOKEN.finditer(text):
        pieces.append((text[position : token.start()],))
        position = token.end()
        if token["pair"]:
            pieces.append((token["pair"],))
        elif token["percent"]:
            pieces.append(("%",))
        else:
            chosen = _values(token["name"], values)
            pieces.append([_quoted(value) for value in chosen] if regex else chosen)
            total *= len(chosen)
    if total > MAX_EXPANSION:
        raise RuleError(f"placeholders of {text!r} expand to {total:,} values; at most {MAX_EXPANSION:,}")
    pieces.append((text[position:],))
    return ["".join(parts) for parts in product(*pieces)]


def _values(name: str, values: Mapping[str, Sequence[str]]) -> Sequence[str]:
    found = values.get(name)
    if isinstance(found, str):
        found = [found]
    if not found:
        given = ", ".join(sorted(values)) or "none"
        raise RuleError(f"placeholder %{name}% has no value; give it one or more (placeholders with values: {given})")
    return [str(value) for value in found]


_SIGMA_TOKEN = re.compile(r"\\([*?\\])|(\*)|(\?)|([^*?\\]+|\\)", re.DOTALL)


def _quoted(value: str) -> str:
    """The regular expression that finds what the Sigma string ``value`` means."""
    out = []
    for escaped, anything, single, literal in _SIGMA_TOKEN.findall(value):
        out.append(".*" if anything else "." if single else re.escape(escaped or literal))
    return "".join(out)
