"""What may not leave: prompts, answers, system and tool texts, and credentials wherever they stand.

Pure functions over texts and JSON; every pattern starts at a token boundary and has no nested repetition, so time grows with the length of the text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from engine import jsontext

CREDENTIAL = "[redacted: credential]"
CONTENT_COLUMNS = frozenset({"message_context.prompt_text", "message_context.response_text", "x.ai.system_text", "x.ai.tool_text"})
CONTENT_JSON_COLUMNS = frozenset({"x.ai.tool_calls", "x.ai.guardrail"})
_PARTICULAR = CONTENT_COLUMNS | CONTENT_JSON_COLUMNS | {"raw_data", "status_detail"}
"""Columns in which more than credentials is hidden."""
_DEEPEST = 64
_LONG = 256
"""A text this long in the record of an inference call is taken for content, whatever its key."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_START = r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))"
_TOKENS: dict[str, str] = {
    "private_key": r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[^-]|-(?!----))*+(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?",
    "github_token": _START + r"(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
    "gitlab_token": _START + r"glpat-[A-Za-z0-9_.-]{16,}",
    "google_key": _START + r"(?:AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_.-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})",
    "slack_token": _START + r"(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}",
    "bedrock_key": _START + r"(?:ABSK[A-Za-z0-9+/=]{20,}|bedrock-api-key-[A-Za-z0-9+/=_-]{16,})",
    "model_key": _START + r"sk-[A-Za-z0-9_-]{16,}",
    "hub_token": _START + r"(?:hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{40,}|dapi[a-f0-9]{32})",
    "json_web_token": _START + r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
    "session_token": _START + r"(?:FwoGZXIvYXdz|FQoGZXIvYXdz|IQoJb3JpZ2lu)[A-Za-z0-9/+=]{20,}",
}
_NAMES = (
    r"aws_secret_access_key|aws_session_token|secret_?access_?key|session_?token|client_?secret|shared_?access_?key|account_?key|api[_-]?key|subscription[_-]?key|functions[_-]?key|access_?token"
    r"|refresh_?token|id_?token|x-amz-signature|x-amz-security-token|x-api-key|authorization|password|passwd|pwd|(?<!:)secret|sig"
)
_ASSIGNED = (
    rf"(?<![A-Za-z0-9])(?P<name>(?:{_NAMES})\\*[\"']?\s{{0,4}}(?:[=:]|%3[dD])\s{{0,4}}\\*[\"']?(?:(?:bearer|basic|sigv4)\s{{1,4}})?)"
    r"(?P<value>[^\s\"'\\&,;<>\[]{6,})"
)
_CREDENTIALS = re.compile(
    "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _TOKENS.items())
    + r"|(?:(?<![A-Za-z0-9/+_-])|(?<=\\[nrt]))(?P<aws_secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=_-])"
    + r"|(?P<scheme>://[^\s/:@\"']{0,128}:)(?P<userinfo>[^\s/@\"']{1,256})(?=@)"
    + r"|(?P<bearer>(?<![A-Za-z0-9])[Bb]earer\s{1,4})(?P<token>[A-Za-z0-9._~+/=-]{16,})"
    + f"|(?i:{_ASSIGNED})"
)
_MARKS = _words(
    """
    -----begin ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- aiza ya29. gocspx- xox xapp- absk bedrock-api-key- sk- hf_ npm_ pypi- dapi eyj
    fwogzxivyxdz fqogzxivyxdz iqojb3jpz2lu bearer secret token key x-amz- authorization passw pwd sig
    """
)
_RUN_LENGTH = 40
_RUN = re.compile(rf"[A-Za-z0-9/+]{{{_RUN_LENGTH}}}")
_KEY_ID = re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])")
_SECRET_KEYS = _words(
    """
    password passwd secret sessiontoken secretaccesskey authorization clientsecret accesstoken refreshtoken idtoken apikey xapikey privatekey
    secretstring secretbinary masterkey connectionstring sharedaccesskey accountkey keymaterial newpassword oldpassword masteruserpassword
    secrettext cookie setcookie credentialspassword
    """
)
_SECRET_ENDS = ("password", "passwd", "secret", "apikey", "secretkey", "secretaccesskey", "privatekey", "subscriptionkey", "connectionstring")
"""Names of variables and parameters: ``DB_PASSWORD``, ``adminUserPassword``, ``AZURE_OPENAI_API_KEY``."""
_NAMING = ("name", "key", "Name", "Key", "parameterKey", "ParameterKey")
_NAMING_KEYS = frozenset(_NAMING)
_OPENERS = frozenset("{[")
_CONTENT_KEYS = _words(
    """
    messages message content contents text texts prompt prompts input inputs output outputs inputbodyjson outputbodyjson inputtext outputtext
    completion completions response responses requestbody responsebody backendrequestbody backendresponsebody system systeminstruction
    systeminstructions systemprompt instructions generation generations results result arguments args toolcalls tooluse toolresult toolinput
    tooloutput query question answer documents thinking reasoning reasoningcontent delta candidates parts fullrequest fullresponse request
    errorstr errormessage stacktrace traceback description
    choices body payload chunk chunks functioncall functionresponse parameters proxyserverrequest matchedtext match detail trace guardrailtrace
    """
)
_CONTENT_MARKS = (
    "ai.response",
    "ai.prompt",
    "gen_ai.prompt",
    "gen_ai.completion",
    "messages",
    "system_instructions",
    "tool.call",
    "tool.definitions",
    "prompt",
    "input.value",
    "output.value",
)
_SAFE_KEYS = _words(
    """
    role type model modelid id object name finishreason stopreason inputcontenttype outputcontenttype contenttype action policies status
    calltype callid toolcallid tooluseid responseid modelversion servicetier key created index
    """
)
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:/@+-]{1,100}")
_SHORTEST = 6
"""No pattern matches fewer characters."""
_SHORT = 256
_QUOTED = re.compile(r"[\"'`{\[\n]")
_LONGEST_MESSAGE = 160


def redact_text(text: str) -> str:
    """``text`` with every credential in it replaced; identifiers, AWS key ids among them, stay."""
    if len(text) < _SHORTEST:
        return text
    return _remembered(text) if len(text) <= _SHORT else _replaced(text)


@lru_cache(maxsize=1 << 15)
def _remembered(text: str) -> str:
    """Short values repeat from alert to alert: regions, services, names."""
    return _replaced(text)


def _replaced(text: str) -> str:
    return _CREDENTIALS.sub(_replace, text) if may_hold_credentials(text) else text


def may_hold_credentials(text: str) -> bool:
    """Whether ``text`` has what every credential has; to look for that takes a tenth of the time of looking for credentials."""
    folded = text.lower() if text.isascii() else text.casefold()
    for mark in _MARKS:  # a loop: this is asked of every text of every alert
        if mark in folded:
            return True
    return "://" in text or (len(text) >= _RUN_LENGTH and _RUN.search(text) is not None)


def _replace(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if match["aws_secret"] is not None and not _random(match["aws_secret"]):
        return match[0]
    if kind == "userinfo":
        return match["scheme"] + CREDENTIAL
    if kind == "token":
        return match["bearer"] + CREDENTIAL
    if match["value"] is not None:
        return match["name"] + CREDENTIAL
    return CREDENTIAL


def _random(text: str) -> bool:
    """Whether 40 base64 characters look like a secret key, not like a digest, a word or a path."""
    kinds = (any(map(str.isupper, text)), any(map(str.islower, text)), any(map(str.isdigit, text)))
    return all(kinds) and text.count("/") <= 4 and len(set(text)) >= 16


def mask(key_id: str) -> str:
    """An AWS key id with its middle hidden: ``AKIA************MPLE``."""
    return f"{key_id[:4]}{'*' * 12}{key_id[-4:]}"


def redact_content(text: str) -> str:
    """What stands for a prompt, an answer or another private text: its length, a short digest, and which credentials it holds, masked."""
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
    held = [mask(key) for key in _KEY_ID.findall(text)]
    for match in _CREDENTIALS.finditer(text):
        if match["aws_secret"] is None or _random(match["aws_secret"]):
            kind = next((kind for kind in (*_TOKENS, "aws_secret") if match[kind] is not None), "credential")
            held.append(kind.replace("_", " "))
    found = sorted(set(held))[:5]
    return f"[redacted: {len(text)} characters, sha256 {digest}{'; holds ' + ', '.join(found) if found else ''}]"


def redact_json(text: str, *, content: bool) -> str:
    """JSON ``text`` (a record, say) with credentials replaced and, with ``content``, the private texts of an inference record. Structure stays.

    What is no JSON, or too deep, is treated as one text.
    """
    try:
        value = jsontext.parse(text)
        return jsontext.dump(_walk(value, content, inside=False, depth=0)).encode("utf-8", "replace").decode()
    except (ValueError, RecursionError):
        return redact_content(text) if content else redact_text(text)


def _walk(value: Any, content: bool, *, inside: bool, depth: int, key: str = "") -> Any:
    if depth > _DEEPEST:
        return "[redacted: too deep]"
    kind = type(value)
    if kind is str:
        return _string(value, content, inside=inside, depth=depth, key=key)
    if kind is dict:
        if not _NAMING_KEYS.isdisjoint(value):
            named = next((value[name] for name in _NAMING if isinstance(value.get(name), str)), None)
            if named is not None and _secret(_plain(named.rpartition(".")[2])):
                return {name: item if item == named else _hidden(item) for name, item in value.items()}
        return _members(value, content, inside, depth + 1)
    if kind is list:
        return [_walk(item, content, inside=inside, depth=depth + 1, key=key) for item in value]
    return value


def _members(value: dict[str, Any], content: bool, inside: bool, depth: int) -> dict[str, Any]:
    pair = content and isinstance(value.get("key"), str) and _private(value["key"])
    made = {}
    for name, item in value.items():
        shown, plain, secret = _named(name) if len(name) <= _SHORT else _named.__wrapped__(name)
        if secret and type(item) is not dict:
            made[shown] = _hidden(item)
        else:
            within = inside or (pair and name != "key") or (content and _private(name))
            made[shown] = _walk(item, content, inside=within, depth=depth, key=plain)
    return made


@lru_cache(maxsize=1 << 12)
def _named(name: str) -> tuple[str, str, bool]:
    """The name of a member as it is shown, its plain form, and whether it names a secret. Names repeat from record to record."""
    plain = _plain(name)
    return redact_text(name), plain, _secret(plain)


def _secret(plain: str) -> bool:
    return plain in _SECRET_KEYS or plain.endswith(_SECRET_ENDS)


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _hidden(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    return value if value is None or isinstance(value, bool) or value == "" else CREDENTIAL


def _string(text: str, content: bool, *, inside: bool, depth: int, key: str) -> str:
    if inside and not (key in _SAFE_KEYS and _IDENTIFIER.fullmatch(text)):
        embedded = _embedded(text, lambda value: _walk(value, content, inside=True, depth=depth + 1))
        return embedded if embedded is not None else redact_content(text) if text else text
    if text.lstrip()[:1] in _OPENERS:
        embedded = _embedded(text, lambda value: _walk(value, content, inside=False, depth=depth + 1))
        if embedded is not None:
            return embedded
    return redact_content(text) if content and len(text) > _LONG else redact_text(text)


def _embedded(text: str, walk: Callable[[Any], Any]) -> str | None:
    """JSON that stands in a string, walked; None where ``text`` is no object or list."""
    if text.lstrip()[:1] not in _OPENERS:
        return None
    try:
        return jsontext.dump(walk(jsontext.parse(text)))
    except (ValueError, RecursionError):
        return None


def _plain(name: str) -> str:
    return _plain_name(name) if len(name) <= _SHORT else _plain_name.__wrapped__(name)


@lru_cache(maxsize=1 << 12)
def _plain_name(name: str) -> str:
    """Names of members repeat from record to record."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _private(name: str) -> bool:
    lowered = name.lower()
    return _plain(lowered.rpartition(".")[2]) in _CONTENT_KEYS or any(mark in lowered for mark in _CONTENT_MARKS if "token" not in lowered)


def names_content(path: str) -> bool:
    """Whether what stands at a record path of an inference log may be a private text."""
    return any(_private(segment) for segment in path.split(".")) or _private(path)


def is_inference(evidence: Mapping[str, Any]) -> bool:
    """Whether an event is one of an inference source, whose record holds prompts and answers."""
    source = str(evidence.get("x.source", ""))
    marks = ("x.ai.", "ai_model.", "message_context.")
    return any(name.startswith(marks) for name in evidence) or any(word in source for word in ("ai.", "bedrock", "openai", "vertex", "otel"))


def redact_evidence(evidence: Mapping[str, Any], *, show_content: bool = False) -> dict[str, Any]:
    """The columns of an event as they may be shown: content columns and ``raw_data`` redacted, credentials replaced everywhere."""
    if show_content:
        return dict(evidence)
    inference = is_inference(evidence)
    return {name: _column(name, value, inference) for name, value in evidence.items()}


def _column(name: str, value: Any, inference: bool) -> Any:
    if not isinstance(value, str):
        return [_column(name, item, inference) for item in value] if isinstance(value, (list, tuple)) else value
    if name not in _PARTICULAR:
        return redact_text(value)
    if name in CONTENT_COLUMNS:
        return redact_content(value)
    if name == "status_detail" and inference:
        return _told(value)
    if name == "raw_data":
        return redact_json(value, content=inference)
    if name in CONTENT_JSON_COLUMNS:
        return redact_content_json(value)
    return redact_text(value)


def _told(text: str) -> str:
    """What an error message of an inference call says before it quotes: providers repeat the prompt in it."""
    said = _QUOTED.split(text, maxsplit=1)[0][:_LONGEST_MESSAGE]
    return redact_text(text) if said == text else f"{redact_text(said.rstrip())} {redact_content(text[len(said) :])}".strip()


def redact_content_json(text: str) -> str:
    """JSON ``text`` that is content as a whole, such as a list of messages: what names things in it stays."""
    embedded = _embedded(text, lambda value: _walk(value, True, inside=True, depth=0))
    return redact_content(text) if embedded is None else embedded
