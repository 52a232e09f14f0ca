"""Every error crosswind raises on purpose.

* CrosswindError
  x UsageError            wrong arguments: exit 2
    + TimeFormatError     a time that cannot be parsed
    + ConfigError         crosswind.toml, or what it refers to, is wrong
  x InputError            one object or record that could not be read: counted, named, exit 3
    + TransportError      the bytes could not be had (missing, unreadable, corrupt compression)
      . TransientTransportError  another time they may be: gone, not allowed, no longer what was planned
    + LimitError          a size, ratio, depth or length limit was passed
    + EnvelopeError       the bytes hold no records that crosswind knows
  x RuleError             one rule, filter or correlation that was refused: counted, named, exit 3
    + UnsupportedFeature  the rule asks for something that is refused by design
    + UnknownField        a field that cannot exist in the rule's log source
  x MappingError          a source mapping of ours is wrong: a defect of crosswind
  x SinkError             an output that could not be written: exit 3
    + TransientSinkError  it may work when tried again
  x StateError            the state database or the lake cannot be used: exit 3
    + LeaseError          another process is at work on it
  x EngineError           a promise of crosswind's own was broken: a defect

Every message names the thing, the place and the way out. Whether trying again may help belongs to the class (``transient``), not to the caller.
"""

from __future__ import annotations

from typing import ClassVar


class CrosswindError(Exception):
    """Base of all errors that are meant for the person at the terminal."""

    transient: ClassVar[bool] = False


class UsageError(CrosswindError):
    """The command line is wrong."""


class TimeFormatError(UsageError):
    """A time on the command line that is neither RFC 3339 nor relative."""


class ConfigError(UsageError):
    """The configuration is wrong."""


class InputError(CrosswindError):
    """One object or record of the input that could not be processed."""


class TransportError(InputError):
    """The bytes of an object could not be read."""


class TransientTransportError(TransportError):
    """The bytes could not be had now: the object is gone, may not be read, or is no longer what was planned."""

    transient = True


class LimitError(InputError):
    """An object or record is larger or deeper than crosswind accepts."""


class EnvelopeError(InputError):
    """An object's bytes are not in any shape crosswind knows."""


class RuleError(CrosswindError):
    """One Sigma document that was refused. ``path`` and ``line`` say where it stands, ``rule`` is its title or id where known."""

    def __init__(self, message: str, *, rule: str | None = None, path: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.rule = rule
        self.path = path
        self.line = line

    def __str__(self) -> str:
        place = self.path or ""
        if place and self.line is not None:
            place = f"{place}:{self.line}"
        name = f"rule {self.rule!r}: " if self.rule else ""
        return f"{place}: {name}{self.message}" if place else f"{name}{self.message}"


class UnsupportedFeature(RuleError):
    """The rule uses something crosswind refuses by design, such as look-around in a regular expression."""


class UnknownField(RuleError):
    """The rule reads a field that cannot exist in its log source."""


class MappingError(CrosswindError):
    """A mapping file of a source is not consistent."""


class SinkError(CrosswindError):
    """An output could not be written."""


class TransientSinkError(SinkError):
    """An output could not be written now: it was away, busy or slow."""

    transient = True


class StateError(CrosswindError):
    """The state database or the lake cannot be used as it is."""


class LeaseError(StateError):
    """Another process holds what only one may hold."""

    transient = True


class EngineError(CrosswindError):
    """A promise crosswind makes to itself did not hold; please report it."""
