"""What guardrails and content filters said, in one form for all providers.

A verdict is ``{"action", "policies", "detail"}``:

* ``action``: ``BLOCKED`` (request or answer was refused), ``MASKED`` (let through with parts replaced), ``NONE`` (a policy detected something and let
  it through), ``ALLOWED`` (checked, and nothing was detected or recorded).
* ``policies``: what was detected, each once, in order of appearance, from: PROMPT_ATTACK, JAILBREAK, INDIRECT_ATTACK, HATE, INSULTS, SEXUAL,
  VIOLENCE, MISCONDUCT, SELF_HARM, TOPIC, WORD, SENSITIVE_INFORMATION, GROUNDING, REASONING, PROTECTED_MATERIAL, TOOL, OTHER.
* ``detail``: ``guardrail`` (its id or name) and ``findings``, each with ``policy``, ``verdict`` (the action on this one) and, where known, ``name``
  (topic, filter or kind of entity, never the matched text), ``confidence`` and ``where`` (input or output).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from connectors.inference.partial import decode

Finding = dict[str, Any]

_POLICIES = {
    "promptattack": "PROMPT_ATTACK",
    "promptinjection": "PROMPT_ATTACK",
    "piandjailbreak": "PROMPT_ATTACK",
    "jailbreak": "JAILBREAK",
    "indirectattack": "INDIRECT_ATTACK",
    "hate": "HATE",
    "hatespeech": "HATE",
    "insults": "INSULTS",
    "insult": "INSULTS",
    "harassment": "INSULTS",
    "profanity": "WORD",
    "sexual": "SEXUAL",
    "sexuallyexplicit": "SEXUAL",
    "violence": "VIOLENCE",
    "misconduct": "MISCONDUCT",
    "dangerouscontent": "MISCONDUCT",
    "dangerous": "MISCONDUCT",
    "illicit": "MISCONDUCT",
    "selfharm": "SELF_HARM",
    "topic": "TOPIC",
    "customtopics": "TOPIC",
    "word": "WORD",
    "blocklist": "WORD",
    "customblocklists": "WORD",
    "sensitiveinformation": "SENSITIVE_INFORMATION",
    "personallyidentifiableinformation": "SENSITIVE_INFORMATION",
    "pii": "SENSITIVE_INFORMATION",
    "spii": "SENSITIVE_INFORMATION",
    "sdp": "SENSITIVE_INFORMATION",
    "grounding": "GROUNDING",
    "relevance": "GROUNDING",
    "ungroundedmaterial": "GROUNDING",
    "protectedmaterialtext": "PROTECTED_MATERIAL",
    "protectedmaterialcode": "PROTECTED_MATERIAL",
    "recitation": "PROTECTED_MATERIAL",
    "tool": "TOOL",
    "taskadherence": "TOOL",
}
_ACTIONS = {
    "blocked": "BLOCKED",
    "intervened": "BLOCKED",
    "guardrailintervened": "BLOCKED",
    "anonymized": "MASKED",
    "masked": "MASKED",
    "none": "NONE",
}
STOPPED = frozenset(
    ("contentfilter", "guardrailintervened", "safety", "blocklist", "prohibitedcontent", "spii", "recitation", "modelarmor", "jailbreak")
)
"""Stop reasons (`plain`) that mean a filter ended the answer."""


def plain(word: Any) -> str:
    """A name without case, spaces and punctuation, for comparing what providers spell in their own ways."""
    return re.sub(r"[^a-z0-9]", "", word.lower()) if isinstance(word, str) else ""


def policy(name: Any) -> str:
    """The policy of the small vocabulary that a provider's name means, OTHER for all others."""
    word = plain(name).removeprefix("harmcategory")
    if word in _POLICIES:
        return _POLICIES[word]
    parts = re.split(r"[^a-z0-9]+", name.lower()) if isinstance(name, str) else []
    within = (found for known, found in _POLICIES.items() if len(known) > 4 and known in word)
    return next(within, next((_POLICIES[part] for part in parts if part in _POLICIES), "OTHER"))


def finding(kind: str, verdict: str, *, name: Any = None, confidence: Any = None, where: str | None = None) -> Finding:
    """One thing a policy detected."""
    values = {"policy": kind, "verdict": verdict, "name": name, "confidence": confidence, "where": where}
    return {key: value for key, value in values.items() if value not in (None, "")}


def verdict(findings: list[Finding], *, blocked: bool = False, checked: bool = False, guardrail: Any = None) -> dict[str, Any] | None:
    """The verdict over all ``findings``; None when no guardrail was at work. ``blocked``: the provider says so itself; ``checked``: one ran."""
    if not (findings or blocked or checked):
        return None
    actions = {item["verdict"] for item in findings}
    if "BLOCKED" in actions or (blocked and "MASKED" not in actions):
        action = "BLOCKED"
    elif "MASKED" in actions:
        action = "MASKED"
    else:
        action = "NONE" if findings else "ALLOWED"
    detail = {"guardrail": guardrail, "findings": findings}
    return {
        "action": action,
        "policies": list(dict.fromkeys(item["policy"] for item in findings)),
        "detail": {key: value for key, value in detail.items() if value} or None,
    }


def filtered_stop(reasons: list[str]) -> list[Finding]:
    """Findings for stop reasons that name a filter, for providers that say no more."""
    return [finding(policy(reason), "BLOCKED", name=reason, where="output") for reason in reasons if plain(reason) in STOPPED]


# --- Amazon Bedrock -------------------------------------------------------------------------------------------------------------------------

_LISTS = (
    ("topicPolicy", "topics", "TOPIC", "name"),
    ("contentPolicy", "filters", None, "type"),
    ("wordPolicy", "customWords", "WORD", None),
    ("wordPolicy", "managedWordLists", "WORD", "type"),
    ("sensitiveInformationPolicy", "piiEntities", "SENSITIVE_INFORMATION", "type"),
    ("sensitiveInformationPolicy", "regexes", "SENSITIVE_INFORMATION", "name"),
    ("contextualGroundingPolicy", "filters", "GROUNDING", "type"),
    ("automatedReasoningPolicy", "findings", "REASONING", None),
)


def bedrock_findings(value: Any, where: str | None = None) -> list[Finding]:
    """Everything detected in a Bedrock guardrail trace or answer of ApplyGuardrail, however its assessments are nested."""
    return list(_assessed(value, where))


def _assessed(value: Any, where: str | None) -> Iterator[Finding]:
    if isinstance(value, list):
        for item in value:
            yield from _assessed(item, where)
    elif isinstance(value, dict):
        for group, key, kind, name in _LISTS:
            inner = value.get(group)
            for item in inner.get(key) or [] if isinstance(inner, dict) and isinstance(inner.get(key), list) else []:
                if isinstance(item, dict) and item.get("detected") is not False:
                    action = _ACTIONS.get(plain(item.get("action")), "NONE")
                    if not (kind == "GROUNDING" and action == "NONE") and item.get("confidence") != "NONE":
                        label = item.get(name) if name else None
                        yield finding(kind or policy(item.get("type")), action, name=label, confidence=item.get("confidence"), where=where)
        for key, inner in value.items():
            if isinstance(inner, (dict, list)) and not key.endswith("Policy"):
                side = "input" if plain(key) in ("input", "inputassessment") else "output" if plain(key).startswith("output") else where
                yield from _assessed(inner, side)


# --- Azure OpenAI ---------------------------------------------------------------------------------------------------------------------------


def azure_findings(value: Any, where: str | None = None) -> tuple[list[Finding], bool]:
    """What Azure content filters detected anywhere in a response body, and whether any filter result was there at all.

    Severity ``low`` that was not filtered is below what Azure acts on and counts as not detected.
    """
    findings: list[Finding] = []
    seen = _azure(decode(value), where, findings)
    return findings, seen


def _azure(value: Any, where: str | None, findings: list[Finding]) -> bool:
    seen = False
    if isinstance(value, list):
        for item in value:
            seen |= _azure(item, where, findings)
    elif isinstance(value, dict):
        source = value.get("source_type")
        side = {"prompt": "input", "completion": "output"}.get(source, where) if isinstance(source, str) else where
        for key, inner in value.items():
            if key in ("content_filter_results", "content_filter_result") and isinstance(inner, dict):
                findings.extend(_azure_results(inner, side))
                seen = True
            elif isinstance(inner, (dict, list)):
                below = "input" if key in ("prompt_filter_results", "prompt_annotations", "error") else "output" if key in ("choices",) else side
                seen |= _azure(inner, below, findings)
    return seen


def _azure_results(results: dict[str, Any], where: str | None) -> Iterator[Finding]:
    for name, result in results.items():
        if isinstance(result, dict):
            filtered = result.get("filtered") is True
            severity = result.get("severity")
            if filtered or result.get("detected") is True or severity in ("medium", "high"):
                confidence = severity.upper() if isinstance(severity, str) else None
                action = "MASKED" if filtered and result.get("redacted") is True else "BLOCKED" if filtered else "NONE"
                yield finding(policy(name), action, name=name, confidence=confidence, where=where)


# --- Google Gemini --------------------------------------------------------------------------------------------------------------------------


def gemini_verdict(body: Any) -> dict[str, Any] | None:
    """The verdict of a Gemini answer (or list of stream chunks): safety ratings, block reasons, and stop reasons that name a filter."""
    findings: list[Finding] = []
    checked = False
    blocked = False
    for chunk in body if isinstance(body, list) else [body]:
        if not isinstance(chunk, dict):
            continue
        feedback = chunk.get("promptFeedback") or chunk.get("prompt_feedback")
        if isinstance(feedback, dict):
            checked |= _ratings(feedback, "input", findings)
            reason = feedback.get("blockReason") or feedback.get("block_reason")
            if isinstance(reason, str):
                blocked = True
                message = feedback.get("blockReasonMessage") or feedback.get("block_reason_message")
                findings.append(finding(_armor(reason, message), "BLOCKED", name=reason, where="input"))
        candidates = chunk.get("candidates")
        for candidate in candidates if isinstance(candidates, list) else []:
            if isinstance(candidate, dict):
                checked |= _ratings(candidate, "output", findings)
                reason = candidate.get("finishReason") or candidate.get("finish_reason")
                findings.extend(filtered_stop([reason] if isinstance(reason, str) else []))
    named = [item for item in findings if item["policy"] != "OTHER"]
    return verdict(named or findings, blocked=blocked or any(item["verdict"] == "BLOCKED" for item in findings), checked=checked)


def _armor(reason: str, message: Any) -> str:
    found = policy(reason)
    return policy(message) if found == "OTHER" and isinstance(message, str) else found


def _ratings(holder: dict[str, Any], where: str, findings: list[Finding]) -> bool:
    ratings = holder.get("safetyRatings") or holder.get("safety_ratings")
    if not isinstance(ratings, list):
        return False
    for rating in ratings:
        if isinstance(rating, dict):
            probability = rating.get("probability")
            blocked = rating.get("blocked") is True
            if blocked or probability in ("MEDIUM", "HIGH"):
                found = finding(
                    policy(rating.get("category")), "BLOCKED" if blocked else "NONE", name=rating.get("category"), confidence=probability, where=where
                )
                if found not in findings:
                    findings.append(found)
    return True
