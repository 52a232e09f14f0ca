"""The sink `webhook`: one signed POST a state of an alert or incident, as JSON or as a text that Slack and its kin show."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.documents.delivered import Layout
from engine.documents.output import json_line
from engine.errors import SinkError, TransientSinkError
from engine.sinks.base import Delivery, Outcome, SinkSettings, interrupted, told
from engine.sinks.options import Options
from engine.sinks.retrying import REFUSED, TRANSIENT, Backoff, Breaker, Clock, never, retry_after

if TYPE_CHECKING:
    import urllib3

SIGNATURE = "X-Crosswind-Signature"
_LONGEST_TEXT = 3000
_NAMED = 4
_FAULT = frozenset({400, 409, 410, 411, 413, 414, 415, 422, 431})


class WebhookSink:
    """POSTs to ``url``. With a ``secret`` every attempt is signed anew, over its time and its body, so that nobody can alter or replay it later."""

    layout = Layout.NDJSON

    def __init__(self, settings: SinkSettings) -> None:
        options = Options(settings)
        self.name = settings.name
        self.url = options.need("url", str)
        self._secret = secret.encode() if (secret := options.get("secret", str)) else None
        self.style = options.need("style", str)
        self.ca_certs = options.get("ca_certs", Path)
        self.proxy = options.get("proxy", str)
        self.timeout = options.need("timeout", float)
        self.backoff = Backoff()
        self.breaker = Breaker()

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        import urllib3

        options: dict[str, Any] = {"timeout": self.timeout, "cert_reqs": "CERT_REQUIRED"}
        if self.ca_certs:
            options["ca_certs"] = str(self.ca_certs)
        return urllib3.ProxyManager(self.proxy, **options) if self.proxy else urllib3.PoolManager(**options)

    def install(self) -> list[str]:
        return ["nothing to install"]

    def test(self) -> list[str]:
        """Ask for the host alone: a POST would be shown to people."""
        import urllib3

        try:
            answer = self._pool.request("HEAD", self.url, retries=False, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise TransientSinkError(f"sink {self.name}: cannot be reached: {_told(error)}") from error
        return [f"the host answers ({answer.status} to HEAD)"]

    def send(self, deliveries: Sequence[Delivery], now: datetime, stopped: Callable[[], bool] = never) -> Outcome:
        outcome, clock = Outcome(), Clock(now)
        for delivery in deliveries:
            if not self._wanted(delivery):
                outcome.delivered.append(delivery.id)
                continue
            self._deliver(delivery, clock, outcome, stopped)
            if outcome.stopped is not None:
                break
        return outcome

    def close(self) -> None:
        if "_pool" in self.__dict__:
            self._pool.clear()
            del self._pool

    def _wanted(self, delivery: Delivery) -> bool:
        """People are told of what is new, rose or ended, not of every event that joins an alert; machines get every state."""
        return self.style == "json" or delivery.first or delivery.change is not None

    def _deliver(self, delivery: Delivery, clock: Clock, outcome: Outcome, stopped: Callable[[], bool]) -> None:
        try:
            body = self._body(delivery)
        except (TypeError, ValueError) as error:
            outcome.dead.append((delivery.id, told(f"the document is no JSON: {error}")))
            return
        for attempt in range(1, self.backoff.attempts + 1):
            if stopped():
                outcome.stopped = interrupted(self.name)
                return
            if not self.breaker.allows():
                outcome.stopped = TransientSinkError(f"sink {self.name}: not asked again for now: it failed several times in a row")
                return
            status, reason, pause = self._post(delivery, body, clock)
            if status is not None and 200 <= status < 300:
                outcome.delivered.append(delivery.id)
                return
            if status in _FAULT:
                outcome.dead.append((delivery.id, reason))
                return
            if status is not None and status not in TRANSIENT:
                hint = "check url and secret" if status in REFUSED else "it is no address that takes alerts"
                outcome.stopped = SinkError(f"sink {self.name}: {reason}; {hint}")
                return
            if attempt < self.backoff.attempts and self.breaker.allows():
                self.backoff.wait(attempt, pause, stopped)
        outcome.retry.append((delivery.id, reason))

    def _post(self, delivery: Delivery, body: bytes, clock: Clock) -> tuple[int | None, str, float | None]:
        import urllib3

        headers = {"content-type": "application/json", "user-agent": "crosswind", "idempotency-key": f"{delivery.uid}-{delivery.revision}"}
        if self._secret is not None:
            headers[SIGNATURE] = sign(self._secret, body, int(clock.now().timestamp()))
        try:
            answer = self._pool.request("POST", self.url, body=body, headers=headers, retries=False, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            self.breaker.failure()
            return None, f"cannot be reached: {_told(error)}", None
        if answer.status in TRANSIENT:
            self.breaker.failure()
        else:
            self.breaker.success()
        return (
            answer.status,
            f"answered {answer.status}: {told(answer.data.decode('utf-8', 'replace'))}",
            retry_after(answer.headers.get("retry-after")),
        )

    def _body(self, delivery: Delivery) -> bytes:
        document = dict(delivery.document)
        return json_line({"text": self._text(document, delivery)} if self.style == "slack" else document).encode()

    def _text(self, document: Mapping[str, Any], delivery: Delivery) -> str:
        return (incident_text if delivery.incident else slack_text)(document, delivery.change)


def sign(secret: bytes, body: bytes, at: int) -> str:
    """``t=<seconds>,v1=<HMAC-SHA256 of "<seconds>.<body>" in hex>``: the receiver compares both, and refuses an old time."""
    return f"t={at},v1={hmac.new(secret, f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"


def incident_text(document: Mapping[str, Any], change: str | None) -> str:
    """The same of an incident: level, score, title, who did what, and where to look on."""
    state = change or (document["state"] if document["state"] != "live" else None)
    lines = [f"*[{_text(document['level']).upper()} {document['score']:g}] {_text(document['title'])}*" + (f" ({_text(state)})" if state else "")]
    if document["principals"]:
        lines.append("by " + ", ".join(_text(each["entity"]) for each in document["principals"][:_NAMED]))
    if document["tactics"]:
        lines.append(" → ".join(_text(each["tactic"]) for each in document["tactics"]))
    span = f"{_text(document['first_time'])} to {_text(document['last_time'])}"
    lines.append(f"{document['alerts']} alerts, {document['events']} events, {span} · incident {_text(document['uid'])}")
    text = "\n".join(lines)
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"


def slack_text(document: Mapping[str, Any], change: str | None) -> str:
    """What a person has to read: level, title, what is news, why, and where to look on. Texts of logs can make no link and call nobody."""
    state = change or (document["state"] if document["state"] not in ("live", "open") else None)
    lines = [
        f"*[{_text(document['level']).upper()}] {_text(document['rule']['title'])}*" + (f" ({_text(state)})" if state else ""),
        _text(document["reason"]),
    ]
    if document.get("why"):
        lines.append(_text(document["why"]))
    lines.append(f"{document['count']} events, {_text(document['first_time'])} to {_text(document['last_time'])} · alert {_text(document['uid'])}")
    text = "\n".join(lines)
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"


def _text(value: object) -> str:
    text = " ".join(str(value).split())
    for character, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("*", "\u2217"), ("`", "\u02cb"), ("@", "@\u200b")):
        text = text.replace(character, written)
    return text


def _told(error: Exception) -> str:
    """Without the address: that of a webhook is often a secret itself."""
    return told(type(error).__name__)
