"""Everything about a configuration that can be tried without a network: paths, rules, secrets, schedules."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from connectors.sources import SOURCES
from connectors.transports.files import STDIN
from engine import bundled
from engine.config import Config, JobConfig, SinkConfig, SourceConfig
from engine.config.model import Options
from engine.config.reading import Read, near
from engine.errors import ConfigError, CrosswindError
from engine.report.config_view import ConfigFinding
from engine.report.findings import Severity
from engine.sigma.cache import load_cached

_ERROR, _WARNING = Severity.ERROR, Severity.WARNING
_OTHERS_MAY_READ = stat.S_IRGRP | stat.S_IROTH
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def check_config(read: Read, commands: Sequence[str]) -> list[ConfigFinding]:
    """What is wrong with what was read, errors of the file first. ``commands`` are those a job may run."""
    found = [ConfigFinding(_ERROR, problem) for problem in read.problems]
    found += [ConfigFinding(_WARNING, f"${name} is set, but is no setting of this configuration") for name in read.unused]
    config = read.config
    if config is None:
        return found
    place = read.places.get
    found += _file(config)
    found += _checked(_stores(config), None)
    for source in config.sources:
        found += _checked(_source(source), place(("source", source.name)))
    found += _checked(_rules(config), place(("rules",)))
    for sink in config.sinks:
        found += [ConfigFinding(_ERROR, reason) for reason in _unresolved(sink)]
        found += _checked(_sink(sink), place(("sink", sink.name)))
    found += _secret_files(read, config)
    for job in config.jobs:
        found += _checked(_job(job, commands), place(("job", job.name)))
    if not config.sources:
        found.append(ConfigFinding(_WARNING, "no [source.NAME]: `crosswind run` has nothing to read"))
    return found


Found = Iterator[tuple[Severity, str]]


def _checked(found: Found, place: str | None) -> list[ConfigFinding]:
    return [ConfigFinding(severity, message, place) for severity, message in found]


def _file(config: Config) -> list[ConfigFinding]:
    if config.path is not None and os.stat(config.path).st_mode & _OTHERS_MAY_WRITE:
        message = "others may write to it, and so decide what crosswind reads and where alerts go: chmod go-w"
        return [ConfigFinding(_WARNING, message, str(config.path))]
    return []


def _stores(config: Config) -> Found:
    if config.lake.exists() and not config.lake.is_dir():
        yield _ERROR, f"lake: {config.lake} is not a folder"
    elif reason := _not_writable(config.lake):
        yield _ERROR, f"lake: {reason}"
    scheme, sign, _ = config.state.partition("://")
    if not sign:
        state = Path(config.state)
        if state.is_dir():
            yield _ERROR, f"state: {state} is a folder; name a file in it"
        elif reason := _not_writable(state):
            yield _ERROR, f"state: {reason}"
        elif state.exists() and state.stat().st_mode & _OTHERS_MAY_READ:
            yield _WARNING, f"state: others may read {state}, which holds evidence from logs: chmod 600"
    elif scheme.split("+")[0] == "postgresql":
        if find_spec("psycopg") is None:
            yield _ERROR, "state: PostgreSQL needs psycopg: pip install 'crosswind[postgres]'"
    elif scheme.split("+")[0] != "sqlite":
        yield _ERROR, f"state: {scheme}:// is neither a path nor postgresql://"


def _not_writable(path: Path) -> str | None:
    """Why nothing can be written at or below ``path``, which need not exist yet."""
    at = path
    while not at.exists():
        if at.parent == at:
            return f"{path} has no folder to be made in"
        at = at.parent
    if at != path and not at.is_dir():
        return f"{path} cannot be made: {at} is not a folder"
    return None if os.access(at, os.W_OK) else f"{at} may not be written to"


def _source(source: SourceConfig) -> Found:
    for path in source.path:
        if Path(path).name == STDIN:
            yield _ERROR, "standard input cannot be read again and again; `crosswind scan -` reads it once"
        elif not os.path.lexists(path):
            if not glob.has_magic(path):
                yield _ERROR, f"{path} does not exist"
            elif next(glob.iglob(path, recursive=True, include_hidden=True), None) is None:
                yield _WARNING, f"{path} matches no file now"
        elif not os.access(path, os.R_OK):
            yield _ERROR, f"{path} may not be read"
    if source.source is not None and source.source not in SOURCES:
        yield _ERROR, f"unknown source {source.source!r}{near(source.source, SOURCES)}"


def _rules(config: Config) -> Found:
    paths = [bundled.detections(), *config.rules] if config.builtin else list(config.rules)
    if not paths:
        yield _WARNING, "no rules: builtin is false and there are no paths"
        return
    try:
        loaded = load_cached(paths, placeholders=config.variables, pipelines=config.pipelines)
    except CrosswindError as error:
        yield _ERROR, str(error)
        return
    for refused in loaded.errors:
        yield _ERROR, str(refused)
    for note in loaded.notes:
        yield _WARNING, note


def _sink(sink: SinkConfig) -> Found:
    options = sink.options
    certificates = options.get("ca_certs")
    if isinstance(certificates, Path) and not os.access(certificates, os.R_OK):
        yield _ERROR, f"ca_certs: {certificates} cannot be read"
    if options.get("verify_certs") is False:
        yield _WARNING, "verify_certs is false: whoever answers at that address gets the alerts and the credentials"
    path = options.get("path")
    if sink.type == "file" and isinstance(path, Path) and (unwritable := _not_writable(path)):
        yield _ERROR, unwritable
    addresses = options.get("hosts") or (() if _unresolved(sink) else (options.get("url"),))
    if isinstance(addresses, tuple) and any(str(each).startswith("http://") for each in addresses):
        yield _WARNING, "http:// sends alerts and credentials unencrypted"


def _unresolved(sink: SinkConfig) -> list[str]:
    return sink.options.unresolved() if isinstance(sink.options, Options) else []


def _secret_files(read: Read, config: Config) -> list[ConfigFinding]:
    base = config.path.absolute().parent if config.path else Path.cwd()
    found: list[ConfigFinding] = []
    for setting in read.settings:
        target = setting.shown.get("file") if isinstance(setting.shown, dict) and setting.path[-1] != "variables" else None
        path = base / Path(str(target)).expanduser() if target else None
        if path is not None and path.exists() and path.stat().st_mode & _OTHERS_MAY_READ:
            found.append(ConfigFinding(_WARNING, f"{setting.path[-1]}: others may read {path}: chmod 600", setting.origin))
    return found


def _job(job: JobConfig, commands: Sequence[str]) -> Found:
    from engine.pipeline.watch.serve import CHECK, refused
    from engine.schedule.service import first_due
    from engine.schedule.triggers import trigger

    known = (*commands, CHECK)
    if job.command[0] not in known:
        yield _ERROR, f"{job.command[0]!r} is no command of crosswind{near(job.command[0], known)}"
    elif reason := refused(job):
        yield _ERROR, reason
    try:
        first_due(job, trigger(job), None, datetime.now(UTC))
    except ConfigError as error:
        yield _ERROR, str(error).partition("]: ")[2] or str(error)
    if job.every is not None and job.jitter >= job.every:
        yield _WARNING, "jitter is not shorter than every: runs may change their order"
