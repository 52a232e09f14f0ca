"""All logs of Example Corp side by side, and the calls that leave a record in several of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.simulate.native import azure, bedrock, entra, gcp, ids, litellm, openai, otel, vertex
from engine.simulate.native.actors import AWS_HOME
from engine.simulate.native.aws import SOURCE as CLOUDTRAIL
from engine.simulate.native.aws import AwsCaller, CloudTrail
from engine.simulate.native.entries import Entry
from engine.simulate.sample.world import World


@dataclass(frozen=True, slots=True)
class Feeds:
    """One writer per log."""

    trail: CloudTrail
    invocations: bedrock.InvocationLog
    activity: azure.ActivityLog
    directory: entra.Directory
    openai: openai.OpenAILog
    gcp: gcp.AuditLog
    vertex: vertex.RequestResponse
    litellm: litellm.Gateway
    otel: otel.Collector

    @classmethod
    def build(cls, seed: int, world: World) -> Feeds:
        return cls(
            CloudTrail(ids.generator(seed, "cloudtrail")),
            bedrock.InvocationLog(ids.generator(seed, "bedrock")),
            azure.ActivityLog(ids.generator(seed, "activity"), world.tenant, world.subscription),
            entra.Directory(ids.generator(seed, "entra"), world.tenant),
            openai.OpenAILog(ids.generator(seed, "openai"), world.openai, world.gateway),
            gcp.AuditLog(ids.generator(seed, "gcp")),
            vertex.RequestResponse(ids.generator(seed, "vertex")),
            litellm.Gateway(ids.generator(seed, "litellm")),
            otel.Collector(ids.generator(seed, "otel"), "support-agent"),
        )

    def bedrock_call(
        self,
        when: datetime,
        who: AwsCaller,
        call: bedrock.Exchange,
        *,
        region: str = AWS_HOME,
        error: tuple[str, str] | None = None,
    ) -> tuple[Entry, Entry]:
        """A model call in CloudTrail and in the invocation log, joined by requestID = requestId."""
        profile = call.model.startswith(("us.", "eu."))
        serving = "us-west-2" if profile else ""
        extra = {"inferenceRegion": serving} if serving else None
        asked = {"modelId": call.model}
        trail = self.trail.call(when, who, "bedrock", call.operation, region=region, params=asked, error=error, extra=extra)
        log = self.invocations.invoked(
            when,
            who.account,
            region,
            who.identity["arn"],
            trail.record["requestID"],
            call,
            error=error[0] if error else "",
            inference_region=serving,
        )
        return trail, log

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Every object of every log: relative path and bytes."""
        for folder, feed in (
            ("aws/cloudtrail", self.trail.files()),
            ("aws/bedrock", self.invocations.files()),
            ("azure", self.activity.files()),
            ("azure", self.directory.files()),
            ("azure", self.openai.files()),
            ("gcp", self.gcp.files()),
            ("gcp", self.vertex.files()),
            ("litellm", self.litellm.files()),
            ("otel", self.otel.files()),
        ):
            for path, data in feed:
                yield f"{folder}/{path}", data

    def counts(self) -> dict[str, int]:
        """Records delivered per source, second deliveries included. Call after `files` was read to its end."""
        entries = [
            *self.invocations.delivered(),
            *self.activity.entries,
            *self.directory.entries,
            *self.openai.delivered(),
            *self.gcp.entries,
            *self.vertex.entries,
            *self.litellm.entries,
            *self.otel.entries,
        ]
        return dict(sorted((Counter(entry.source for entry in entries) | {CLOUDTRAIL: self.trail.records()}).items()))


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a story plays: the world, its logs, and the calendar."""

    seed: int
    start: datetime
    days: int
    scale: float
    world: World
    feeds: Feeds

    @property
    def end(self) -> datetime:
        return self.start + timedelta(days=self.days)

    def at(self, day: int, hour: int, minute: int = 0, second: float = 0.0) -> datetime:
        """A moment, counted from the start of the simulation; day 0 is the first."""
        return self.start + timedelta(days=day, hours=hour, minutes=minute, seconds=second)
