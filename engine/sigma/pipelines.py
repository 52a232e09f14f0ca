"""Processing pipelines of pySigma: files or installed ones, applied to the detections of each rule before our tree is built.

What would leave the text of a pipeline is refused: templates, files, commands and addresses it names. So is what only shapes the text of queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections, SigmaLevel, SigmaLogSource, SigmaRule, SigmaRuleTag, SigmaStatus
from sigma.types import SigmaFieldReference

from engine.errors import RuleError, UsageError
from engine.sigma.metadata import DEFAULT_LEVEL, LEVELS, STATUSES, group_by_of, id_of, optional_text, texts, word_of
from engine.sigma.modifiers import Cased, CasedFieldReference
from engine.sigma.tree import LogSource
from engine.sigma.yamltext import MAX_CHARACTERS, Map, documents, plain

_OUTSIDE = frozenset({"file_placeholders", "http_placeholders", "command_placeholders"})
_OUTSIDE_CLASSES = frozenset({"FilePlaceholderTransformation", "HTTPPlaceholderTransformation", "CommandPlaceholderTransformation"})
_TEXTUAL = ("postprocessing", "finalizers")
_TEMPLATE_KEYS = frozenset({"allow_template_vars", "vars_allowed_paths", "allow_external_sources", "policy"})
BROKEN = (SigmaError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What pySigma raises over a pipeline, or a rule in it, that is wrong."""


@dataclass(slots=True)
class Application:
    """One rule on its way through a pipeline: called with its detections, it changes them, and what stands here of the rule."""

    pipeline: ProcessingPipeline
    rule: SigmaRule
    logsource: LogSource
    group_by: tuple[str, ...] | None
    placeholders: dict[str, list[str]] = field(default_factory=dict)

    def __call__(self, detections: SigmaDetections) -> SigmaDetections:
        """The detections as the pipeline leaves them. Raises RuleError where it refuses the rule."""
        self.rule.detection = detections
        try:
            changed = self.pipeline.apply(self.rule)
        except BROKEN as error:
            raise RuleError(f"the processing pipeline refuses this rule: {error}") from None
        assert isinstance(changed, SigmaRule)
        source = changed.logsource
        lowered = [None if part is None else str(part).lower() for part in (source.category, source.product, source.service)]
        self.logsource = LogSource(*lowered)
        if self.group_by is not None:
            self.group_by = tuple(dict.fromkeys(changed.fields))
        for detection in changed.detection.detections.values():
            _keep_cased(detection)
        return changed.detection


def _keep_cased(detection: SigmaDetection | SigmaDetectionItem) -> None:
    """Mapping a field makes its references anew and forgets that they mind the case."""
    if isinstance(detection, SigmaDetection):
        for part in detection.detection_items:
            _keep_cased(part)
    elif Cased in detection.modifiers:
        detection.value = [
            CasedFieldReference(value.field, value.starts_with, value.ends_with) if isinstance(value, SigmaFieldReference) else value
            for value in detection.value
        ]


class Pipelines:
    """Several pipelines joined into one, those of lower priority first. Belongs to one `load`: pySigma keeps state in it."""

    def __init__(self, given: Sequence[str | Path]) -> None:
        """``given``: files, or names of installed pipelines. Raises UsageError."""
        read = [_read(each) for each in given]
        try:
            self.pipeline = sum(sorted(read, key=lambda pipeline: pipeline.priority), ProcessingPipeline())
        except BROKEN as error:
            raise UsageError(f"processing pipelines cannot be joined: {error}") from None
        self.placeholders: Mapping[str, Sequence[str]] = {
            str(name): [str(value) for value in (values if isinstance(values, list) else [values])]
            for name, values in self.pipeline.vars.items()
            if any(type(item.transformation).__name__ == "ValueListPlaceholderTransformation" for item in self.pipeline.items)
        }
        """Values of ``|expand`` that the pipeline brings."""

    def on(self, content: Map, title: str, logsource: LogSource) -> Application:
        """The way of the rule or filter ``content`` through them."""
        group_by = group_by_of(content)
        rule = SigmaRule(
            title=title,
            name=optional_text(content, "name"),
            description=optional_text(content, "description"),
            author=optional_text(content, "author"),
            level=SigmaLevel[(word_of(content, "level", LEVELS) or DEFAULT_LEVEL).upper()],
            fields=list(group_by or ()),
            logsource=SigmaLogSource(logsource.category, logsource.product, logsource.service),
            custom_attributes=plain(content),
        )
        describe(rule, id_of(content) or "", word_of(content, "status", STATUSES), texts(content, "tags"))
        return Application(self.pipeline, rule, logsource, group_by)


def describe(rule: SigmaRule | SigmaCorrelationRule, uid: str, status: str | None, tags: Sequence[str]) -> None:
    """Give ``rule`` what pySigma has a form of its own for, as far as it is of that form."""
    with suppress(ValueError):
        rule.id = UUID(uid)
    if status is not None:
        rule.status = SigmaStatus[status.upper()]
    for tag in tags:
        with suppress(SigmaError, ValueError):
            rule.tags.append(SigmaRuleTag.from_str(tag))


def _read(given: str | Path) -> ProcessingPipeline:
    path = Path(given)
    installed = {} if isinstance(given, Path) or path.is_file() else _installed()
    try:
        if str(given) in installed:
            found = installed[str(given)]
            pipeline: ProcessingPipeline = found() if callable(found) else found
        elif path.is_file():
            pipeline = ProcessingPipeline.from_dict(_content(path))
        else:
            names = ", ".join(sorted(installed or _installed())) or "none"
            raise UsageError(f"no processing pipeline {str(given)!r}: there is no such file, and the installed pipelines are: {names}")
    except BROKEN as error:
        raise UsageError(f"processing pipeline {given}: {error}") from None
    if pipeline.postprocessing_items or pipeline.finalizers:
        raise UsageError(f"processing pipeline {given}: postprocessing and finalizers shape the text of queries; here there is none, remove them")
    for name in _classes(pipeline.items):
        if name in _OUTSIDE_CLASSES:
            raise UsageError(f"processing pipeline {given}: {name} reads from outside, which is refused; use value_placeholders and vars")
    return pipeline


def _installed() -> dict[str, Any]:
    from sigma.plugins import InstalledSigmaPlugins  # imports every backend and HTTP client there is

    found = InstalledSigmaPlugins.autodiscover(include_backends=False, include_validators=False)
    return dict(found.pipelines)


def _content(path: Path) -> dict[str, Any]:
    """What a pipeline file says, nothing of it run. Raises UsageError."""
    try:
        with path.open("rb") as file:
            text = file.read(4 * MAX_CHARACTERS + 1).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"processing pipeline {path}: cannot be read: {error}") from None
    found = list(documents(text, str(path)))  # refuses tags, bombs and doubled keys
    if len(found) != 1 or isinstance(found[0], RuleError):
        broken = next((str(each) for each in found if isinstance(each, RuleError)), f"{path} holds {len(found)} YAML documents, not one")
        raise UsageError(f"processing pipeline: {broken}")
    content: dict[str, Any] = yaml.safe_load(text)  # as pySigma reads it: yes and no are booleans here
    for key in _TEXTUAL:
        if content.get(key):
            raise UsageError(f"processing pipeline {path}: {key!r} shapes the text of queries; here there is none, remove it")
    for part in _maps(content.get("transformations", [])):
        kind = part.get("type")
        if isinstance(kind, str) and kind in _OUTSIDE:
            raise UsageError(f"processing pipeline {path}: {kind!r} reads from outside, which is refused; use value_placeholders and vars")
        if "template" in part and part.get("template") is not False and "vars" in part:
            raise UsageError(f"processing pipeline {path}: template variables ('vars') run code, which is refused")
        if unsafe := sorted(_TEMPLATE_KEYS & part.keys()):
            raise UsageError(f"processing pipeline {path}: {unsafe[0]!r} cannot be set here: pipelines are plain data and read nothing else")
    return content


def _maps(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _maps(each)


def _classes(items: Sequence[Any]) -> Iterator[str]:
    for item in items:
        transformation = item.transformation
        yield type(transformation).__name__
        nested = getattr(transformation, "_nested_pipeline", None)
        if nested is not None:
            yield from _classes(nested.items)
