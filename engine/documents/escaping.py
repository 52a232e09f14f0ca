"""Values of logs are hostile: what a terminal, a spreadsheet or a line reader would obey is made visible instead."""

from __future__ import annotations

import re

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]")
_FORMULA = frozenset("=+-@＝＋－＠")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def safe_text(text: str) -> str:
    """``text`` on one line, its control, invisible and direction-changing characters written out as their hexadecimal escape."""
    return _UNSAFE.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def csv_cell(text: str) -> str:
    """``text`` for a spreadsheet: `safe_text`, and an apostrophe before what would start a formula."""
    starts = text[:1] in ("\t", "\r") or text.lstrip()[:1] in _FORMULA
    return f"'{safe_text(text)}" if text and starts else safe_text(text)


def safe_json(text: str) -> str:
    """JSON ``text`` on one line with the same values, written so that a terminal obeys none of its characters."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def safe_lines(text: str) -> str:
    """As `safe_text`, line breaks and tabs kept: for pages, where they end nothing."""
    return _UNSAFE.sub(lambda match: match[0] if match[0] in "\n\t" else _visible(match), text)
