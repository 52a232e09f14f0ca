"""Rust regular expressions as RE2 reads them: the common part rewritten, anything the two read differently refused by name."""

from __future__ import annotations

import re

from engine.errors import UnsupportedFeature

_DIGIT = (
    r"\p{Nd}\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{16130}-\x{16139}\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1e5f1}-\x{1e5fa}"
)
_SPACE = r"\t-\r\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
_NO_SPACE = (
    r"\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}"
    r"\x{2060}-\x{2fff}\x{3001}-\x{10ffff}"
)
_WORD = (
    r"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189}\x{200c}\x{200d}"
    r"\x{897}\x{1c89}-\x{1c8a}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc}\x{105c0}-\x{105f3}\x{10d40}-\x{10d65}\x{10d69}-\x{10d6d}\x{10d6f}-\x{10d85}"
    r"\x{10ec2}-\x{10ec4}\x{10efc}\x{11380}-\x{11389}\x{1138b}\x{1138e}\x{11390}-\x{113b5}\x{113b7}-\x{113c0}\x{113c2}\x{113c5}\x{113c7}-\x{113ca}"
    r"\x{113cc}-\x{113d3}\x{113e1}-\x{113e2}\x{116d0}-\x{116e3}\x{11bc0}-\x{11be0}\x{11bf0}-\x{11bf9}\x{11f5a}\x{13460}-\x{143fa}"
    r"\x{16100}-\x{16139}\x{16d40}-\x{16d6c}\x{16d70}-\x{16d79}\x{18cff}\x{1ccf0}-\x{1ccf9}\x{1e5d0}-\x{1e5fa}\x{2ebf0}-\x{2ee5d}"
)
"""What Rust means by these. RE2 alone would mean ASCII, and its classes lack the characters of recent years."""

_OUTSIDE = {"d": f"[{_DIGIT}]", "D": f"[^{_DIGIT}]", "s": f"[{_SPACE}]", "S": f"[^{_SPACE}]", "w": f"[{_WORD}]", "W": f"[^{_WORD}]"}
_INSIDE = {"d": _DIGIT, "s": _SPACE, "S": _NO_SPACE, "w": _WORD}
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a"}
_HEX = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|[xuU]\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))")
_GROUP = re.compile(r"\(\?(?:P?<[A-Za-z_][A-Za-z0-9_.\[\]]*>|([ims]*(?:-[ims]+)?)([:)]))")
_REPEAT = re.compile(r"(?:[*+?]|\{([0-9]+)(?:,([0-9]*))?\})\??")
_MOST = 1000
"""RE2 repeats no more often."""


def translate(pattern: str) -> tuple[str, str | None]:
    r"""``pattern`` in RE2 syntax, with the same matches, and None where that holds for any text.

    Otherwise it holds for ASCII text only (``\b``), and the second expression, without those parts, is found wherever the pattern is.
    Raises UnsupportedFeature naming what RE2 reads differently.
    """
    strict = _Translator(pattern, "\\b", "\\B").run()
    loose = _Translator(pattern, "(?:)", "(?:)").run()
    return strict, None if strict == loose else loose


class _Translator:
    """One pass over one pattern."""

    def __init__(self, pattern: str, *boundaries: str) -> None:
        self._pattern = pattern
        self._boundaries = dict(zip("bB", boundaries, strict=True))
        self._at = 0
        self._repeatable = False

    def run(self) -> str:
        parts = []
        while self._at < len(self._pattern):
            parts.append(self._next())
        return "".join(parts)

    def _refuse(self, what: str) -> UnsupportedFeature:
        return UnsupportedFeature(f"SQL cannot run the regular expression {self._pattern!r} as a scan does: DuckDB reads {what} differently")

    def _next(self) -> str:
        character = self._pattern[self._at]
        if character == "\\":
            return self._escape()
        if character == "[":
            self._repeatable = True
            return self._class()
        if character == "(":
            return self._group()
        if character in "*+?{":
            return self._repeat()
        self._at += 1
        if character in ".)":
            self._repeatable = True
            return character
        if character in "^$|":
            self._repeatable = False
            return character
        self._repeatable = True
        return _literal(character)

    def _escape(self) -> str:
        character = self._pattern[self._at + 1 : self._at + 2]
        if character in ("A", "z"):
            self._at += 2
            self._repeatable = False
            return "\\" + character
        if character in self._boundaries and self._pattern[self._at + 2 : self._at + 3] != "{":
            self._at += 2
            self._repeatable = False
            return self._boundaries[character]
        self._repeatable = True
        if character in _OUTSIDE:
            self._at += 2
            return _OUTSIDE[character]
        return _literal(self._escaped())

    def _escaped(self) -> str:
        """The character an escape stands for."""
        match = _HEX.match(self._pattern, self._at)
        if match is not None:
            self._at = match.end()
            return chr(int(next(group for group in match.groups() if group is not None), 16))
        character = self._pattern[self._at + 1 : self._at + 2]
        if character in _CONTROL:
            self._at += 2
            return _CONTROL[character]
        if not character or not character.isascii() or character.isalnum() or character in "<>":
            raise self._refuse(f"\\{character}")
        self._at += 2
        return character

    def _group(self) -> str:
        self._repeatable = False
        if self._pattern[self._at + 1 : self._at + 2] != "?":
            self._at += 1
            return "(?:"
        match = _GROUP.match(self._pattern, self._at)
        if match is None:
            raise self._refuse(self._pattern[self._at : self._at + 4])
        self._at = match.end()
        return match[0] if match[2] else "(?:"

    def _repeat(self) -> str:
        match = _REPEAT.match(self._pattern, self._at)
        if match is None or not self._repeatable:
            raise self._refuse(f"the repetition {self._pattern[self._at :][:5]}")
        if any(int(bound) > _MOST for bound in match.groups() if bound):
            raise self._refuse(f"more than {_MOST} repetitions ({match[0]})")
        self._at = match.end()
        self._repeatable = False
        return match[0]

    def _class(self) -> str:
        """A bracketed class, every character spelled by its code."""
        self._at += 1
        parts = ["["]
        if self._pattern[self._at : self._at + 1] == "^":
            parts.append("^")
            self._at += 1
        first = True
        while True:
            rest = self._pattern[self._at :]
            if rest[:1] == "]" and not first:
                self._at += 1
                return "".join([*parts, "]"])
            if rest[:1] in ("", "[") or rest[:2] in ("&&", "--", "~~"):
                raise self._refuse(f"{rest[:2]!r} inside a class")
            parts.append(self._member(rest))
            first = False

    def _member(self, rest: str) -> str:
        if rest[0] == "\\" and rest[1:2] in ("d", "D", "s", "S", "w", "W"):
            if rest[1] not in _INSIDE:
                raise self._refuse(f"\\{rest[1]} inside a class")
            self._at += 2
            return _INSIDE[rest[1]]
        start = self._one()
        rest = self._pattern[self._at :]
        if rest[:1] == "-" and rest[1:2] not in ("]", "-", ""):
            self._at += 1
            return f"{_literal(start)}-{_literal(self._one())}"
        return _literal(start)

    def _one(self) -> str:
        if self._pattern[self._at] == "\\":
            return self._escaped()
        character = self._pattern[self._at]
        if character == "[":
            raise self._refuse("'[' inside a class")
        self._at += 1
        return character


def _literal(character: str) -> str:
    return character if character.isascii() and (character.isalnum() or character in ' "/:,;=@<>%&!~`_#') else f"\\x{{{ord(character):x}}}"
