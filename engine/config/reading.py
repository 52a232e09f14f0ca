"""crosswind.toml and the environment → `Config`, with everything that is wrong and where every value comes from."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from engine.config import kinds
from engine.config.keys import NAMED, SECTIONS, Key, named_keys, variable
from engine.config.model import Config, JobConfig, Options, Secret, SinkConfig, SourceConfig, Unresolved
from engine.config.places import places
from engine.errors import ConfigError

FILE = "crosswind.toml"
MAX_BYTES = 4 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_REFERENCES = ("env", "file")


@dataclass(frozen=True, slots=True)
class Setting:
    """One effective value. ``path`` is its section and key, ``shown`` what may be seen of it, ``origin`` a file:line, a variable or ``default``."""

    path: tuple[str, ...]
    shown: object
    origin: str


@dataclass(frozen=True, slots=True)
class Read:
    """What was read. ``config`` is None where ``problems`` keep it from being used."""

    config: Config | None
    settings: tuple[Setting, ...]
    problems: tuple[str, ...]
    unused: tuple[str, ...]
    """Variables of the environment that look like settings and are none."""
    places: Mapping[tuple[str, ...], str]
    """file:line of sections and keys."""


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration in ``path`` (None: $CROSSWIND_CONFIG, else crosswind.toml here), with the variables of ``environ`` on top.

    Raises ConfigError, which names the file and line, for the first thing that is wrong.
    """
    read = read_config(path, environ)
    if read.config is None:
        more = len(read.problems) - 1
        raise ConfigError(read.problems[0] + (f" (and {more} more: `crosswind config check` lists them)" if more else ""))
    return read.config


def read_config(path: Path | None, environ: Mapping[str, str]) -> Read:
    """As `load_config`, with all problems instead of the first. Raises ConfigError where there is no file, or none that can be read as TOML."""
    chosen = path or (Path(environ["CROSSWIND_CONFIG"]) if environ.get("CROSSWIND_CONFIG") else None)
    given = chosen or Path(FILE)
    if chosen is None and environ.get("CROSSWIND_LAKE") and not given.exists():
        reader = _Reader(None, {}, {}, environ)
    else:
        text = _text(given)
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            line = re.search(r" \(at line (\d+), column \d+\)", str(error))
            place = f"{given}:{line[1]}" if line else str(given)
            raise ConfigError(f"{place}: not valid TOML: {str(error).replace(line[0], '') if line else error}") from error
        except RecursionError as error:
            raise ConfigError(f"{given}: nested too deeply to be a configuration") from error
        reader = _Reader(given, document, places(text), environ)
    return reader.read()


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_BYTES >> 20} MiB; this is no configuration")
        return data.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist; `crosswind config init` writes one, --config FILE or $CROSSWIND_CONFIG names another") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8") from error


def near(word: str, known: Sequence[str]) -> str:
    """``; did you mean …?`` for a word that is none of ``known``, or the known ones where none is like it."""
    found = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else f"; there is {', '.join(known)}"


@dataclass
class _Reader:
    """Reads section by section and collects what is wrong."""

    file: Path | None
    document: dict[str, Any]
    lines: Mapping[tuple[str, ...], int]
    environ: Mapping[str, str]
    settings: list[Setting] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    used: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def read(self) -> Read:
        known = (*SECTIONS, *NAMED)
        for name in self.document:
            if name not in known:
                self._wrong((name,), f"unknown section {_shown_name(name)}{near(name, known)}")
        sections = {name: self._section((name,), keys, self._table((name,), self.document.get(name, {}))) for name, keys in SECTIONS.items()}
        named = {kind: self._named(kind) for kind in NAMED}
        config = None if self.problems else self._config(sections, named)
        prefixes = tuple(f"CROSSWIND_{name.upper()}_" for name in known)
        referenced = {setting.shown["env"] for setting in self.settings if isinstance(setting.shown, dict) and "env" in setting.shown}
        unused = tuple(name for name in sorted(self.environ) if name.startswith(prefixes) and name not in self.used and name not in referenced)
        where = {path: f"{self.file}:{line}" for path, line in self.lines.items()}
        return Read(config, tuple(self.settings), tuple(self.problems), unused, where)

    # --- sections ---

    def _named(self, section: str) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        tables = self.document.get(section, {})
        if not isinstance(tables, dict):
            self._wrong((section,), f"write [{section}.NAME], a section for each {section}, not [[{section}]]")
            return found
        for name, given in tables.items():
            path = (section, name)
            if not isinstance(given, dict):
                self._wrong(path, f"{name} does not stand in a section; write [{section}.NAME] above it, with a name for the {section}")
            elif not _NAME.fullmatch(name):
                self._wrong(path, f"{_shown_name(name)} is no name: letters, digits, - and _, at most 64")
            else:
                type_ = self.environ.get(variable(*path, "type")) or given.get("type")
                keys = named_keys(section, type_ if isinstance(type_, str) else None)
                found[name] = self._section(path, keys, given)
        return found

    def _table(self, path: tuple[str, ...], given: object) -> dict[str, Any]:
        if isinstance(given, dict):
            return given
        self._wrong(path, f"[{'.'.join(path)}] is a section that stands once, with its settings below it")
        return {}

    def _section(self, path: tuple[str, ...], keys: tuple[Key, ...], given: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        names = [key.name for key in keys]
        if path[0] != "sink" or len(names) > 1:  # without a known type nobody knows its keys
            for name in given:
                if name not in names:
                    self._wrong((*path, name), f"unknown key {_shown_name(name)} in [{'.'.join(path)}]{near(name, names)}")
        for key in keys:
            value = self._value((*path, key.name), key, given)
            if value is not None:
                values[key.name] = value
            elif key.required and key.name not in given and variable(*path, key.name) not in self.used:
                self._wrong(path, f"[{'.'.join(path)}] needs {key.name} ({key.kind.word})")
        return values

    # --- values ---

    def _value(self, path: tuple[str, ...], key: Key, given: dict[str, Any]) -> Any:
        name = variable(*path)
        if text := self.environ.get(name):
            if name in self.used:
                self.problems.append(f"${name} could mean {'.'.join(self.used[name])} or {'.'.join(path)}; give one of them another name")
                return None
            self.used[name] = path
            try:
                value = key.kind.convert(key.kind.parse(text), Path.cwd())
            except ValueError as error:
                self.problems.append(f"${name}: {key.name} {error}")
                return None
            self._record(path, key, key.kind.parse(text), value, f"${name}")
            return Secret(value) if key.kind.secret else value
        raw = given.get(key.name, key.default)
        if raw is None:
            return None
        origin = self._place(path) if key.name in given else "default"
        if key.kind.reference and isinstance(raw, dict):
            return self._reference(path, key, raw, origin)
        return self._literal(path, key, raw, origin)

    def _literal(self, path: tuple[str, ...], key: Key, raw: object, origin: str) -> Any:
        hint = f'write {key.name} = {{ env = "{variable(*path)}" }} or {{ file = "path" }}'
        if key.kind.secret:
            self._wrong(path, f"{key.name} is a secret and does not belong in this file; {hint}")
            return None
        try:
            value = key.kind.convert(raw, self._base())
        except ValueError as error:
            self._wrong(path, f"{key.name} {error}")
            return None
        if any(isinstance(text, str) and kinds.has_password(text) for text in (raw if isinstance(raw, list) else [raw])):
            way = hint if key.kind.reference else "use the settings there are for it"
            self._wrong(path, f"{key.name} has a password in it, which does not belong in this file; {way}")
            return None
        self._record(path, key, raw, value, origin)
        return value

    def _reference(self, path: tuple[str, ...], key: Key, raw: dict[str, Any], origin: str) -> Any:
        """A value that stands elsewhere. Only that of the state must be there now: no command works without it."""
        ((kind, target), *others) = raw.items() if raw else ((None, None),)
        if others or kind not in _REFERENCES or not isinstance(target, str) or not target:
            self._wrong(path, f'{key.name}: a reference is {{ env = "NAME" }} or {{ file = "path" }}')
            return None
        self.settings.append(Setting(path, {kind: target}, origin))
        try:
            text = self._secret(kind, target)
        except ValueError as error:
            reason = f"{origin}: {key.name}: {error}"
        else:
            try:
                return Secret(key.kind.convert(text, self._base()))
            except ValueError as error:
                reason = f"{origin}: {key.name} {error}"
        if path[0] == "sink":
            return Unresolved(reason)
        self.problems.append(reason)
        return None

    def _secret(self, kind: str, target: str) -> str:
        if kind == "env":
            if not (text := self.environ.get(target)):
                raise ValueError(f"the environment variable {target} is not set")
            return text
        file = self._base() / Path(target).expanduser()
        try:
            with file.open("rb") as stream:
                text = stream.read(64 * 1024).decode().strip()
        except OSError as error:
            raise ValueError(f"{file} cannot be read: {error.strerror or error}") from error
        except UnicodeDecodeError:
            raise ValueError(f"{file} is not UTF-8") from None
        if not text:
            raise ValueError(f"{file} is empty")
        return text

    def _record(self, path: tuple[str, ...], key: Key, raw: object, value: object, origin: str) -> None:
        """Remember what may be seen of a value: paths as they are resolved, nothing of what may be secret."""
        shown = raw
        if key.kind.secret:
            shown = "***"
        elif key.kind is kinds.ADDRESS:
            shown = kinds.masked(str(value))
        elif isinstance(value, Path):
            shown = str(value)
        elif isinstance(value, tuple):
            shown = [kinds.without_password(str(each)) for each in value]
        elif isinstance(raw, str):
            shown = kinds.without_password(str(raw if key.kind is not kinds.STATE else value))
        self.settings.append(Setting(path, shown, origin))

    # --- the whole ---

    def _config(self, sections: Mapping[str, Mapping[str, Any]], named: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Config | None:
        for name, job in named["job"].items():
            if ("every" in job) == ("cron" in job):
                self._wrong(("job", name), f"[job.{name}] needs every or cron, and not both")
        for name, sink in named["sink"].items():
            self._check_sink(name, sink)
        rules, limits = sections["rules"], sections["limits"]
        if limits["horizon"] > limits["hit_retention"]:
            self._wrong(("limits", "horizon"), "horizon is longer than hit_retention: late data cannot revise results whose hits are gone")
        lake: Path = sections["lake"]["path"]
        state = sections["state"].get("url")
        if state is None:
            state = str(lake.parent / "state.db")
            self.settings.insert(1, Setting(("state", "url"), state, "default"))
        if self.problems:
            return None
        return Config(
            path=self.file,
            lake=lake,
            state=state,
            sources=tuple(SourceConfig(name, **values) for name, values in named["source"].items()),
            rules=rules["paths"],
            builtin=rules["builtin"],
            pipelines=rules["pipelines"],
            variables=rules["variables"],
            min_level=rules["min_level"],
            horizon=limits["horizon"],
            hit_retention=limits["hit_retention"],
            sinks=tuple(
                SinkConfig(name, sink["type"], Options({k: v for k, v in sink.items() if k != "type"})) for name, sink in named["sink"].items()
            ),
            jobs=tuple(JobConfig(name, **values) for name, values in named["job"].items()),
            show_content=sections["redaction"]["show_content"],
            jobs_threads=limits.get("threads"),
        )

    def _check_sink(self, name: str, sink: Mapping[str, Any]) -> None:
        path = ("sink", name)
        if "api_key" in sink and ("username" in sink or "password" in sink):
            self._wrong(path, f"[sink.{name}] has api_key and username: the server takes one of them")
        elif ("username" in sink) != ("password" in sink):
            self._wrong(path, f"[sink.{name}] needs username and password together")
        if sink.get("style") == "slack" and not isinstance(sink.get("url"), (Secret, Unresolved)) and variable(*path, "url") not in self.used:
            way = f'write url = {{ env = "{variable(*path, "url")}" }} or {{ file = "path" }}'
            self._wrong((*path, "url"), f"the address of a Slack webhook is a secret and does not belong in this file; {way}")

    def _base(self) -> Path:
        return Path(os.path.abspath(self.file)).parent if self.file else Path.cwd()

    def _place(self, path: tuple[str, ...]) -> str:
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), None)
        return f"{self.file}:{line}" if line else str(self.file or "environment")

    def _wrong(self, path: tuple[str, ...], message: str) -> None:
        self.problems.append(f"{self._place(path)}: {message}")


def _shown_name(name: str) -> str:
    return repr(name) if len(name) <= 80 else repr(name[:77] + "…")
