"""CloudTrail in bulk: a session does what it is in the habit of doing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import orjson

from engine.simulate.company import Company
from engine.simulate.delivery import micros
from engine.simulate.native import ids
from engine.simulate.native.aws import SOURCE, AwsCaller, CloudTrail
from engine.simulate.personas.habits import Failure, Habit
from engine.simulate.personas.scene import Scene
from engine.simulate.stamp import Template, place, slot

BUCKETS = ("training", "models", "reports", "state")
RETRIED = frozenset(("ThrottlingException",))


@dataclass(frozen=True, slots=True)
class Actor:
    """A caller as templates want it: JSON texts. ``role`` fills names in habits."""

    account: str
    slots: dict[str, str]
    internal: bool

    @classmethod
    def of(cls, who: AwsCaller, company: Company, role: str) -> Actor:
        identity = orjson.dumps(who.identity).decode()
        slots = {"identity": identity, "open": identity[:-1], "account": who.account, "ip": who.ip, "agent": who.agent, "role": role}
        slots |= {"org": company.org.split("-")[0], **{name: company.buckets[name] for name in BUCKETS}}
        return cls(who.account, slots, who.ip.endswith((".amazonaws.com", "Internal")))


class Habits:
    """A set of habits as templates."""

    def __init__(self, trail: CloudTrail, habits: Iterable[Habit]) -> None:
        self.habits = list(habits)
        self.weights = list(accumulate(habit.weight for habit in self.habits))
        self._trail = trail
        self._made: dict[tuple[int, str, bool], Template] = {}

    def template(self, number: int, failure: Failure | None, internal: bool) -> Template:
        key = (number, failure[1] if failure else "", internal)
        if key not in self._made:
            self._made[key] = _template(self._trail, self.habits[number], failure, internal)
        return self._made[key]


def _fill(value: Any) -> Any:
    """Names in braces become slots."""
    if isinstance(value, str):
        for name in ("account", "region", "role", "org", "n", *BUCKETS):
            value = value.replace("{" + name + "}", slot(name))
        return value
    if isinstance(value, list):
        return [_fill(item) for item in value]
    return {key: _fill(item) for key, item in value.items()} if isinstance(value, dict) else value


def _template(trail: CloudTrail, habit: Habit, failure: Failure | None, internal: bool) -> Template:
    who = AwsCaller(place("identity"), slot("account"), slot("ip"), slot("agent"))
    more: dict[str, Any] = {}
    params, extra = _fill(habit.params), None
    if habit.data:
        more |= {"managementEvent": False, "eventCategory": "Data"}
        bucket = params["bucketName"]
        params["Host"] = f"{bucket}.s3.amazonaws.com"
        extra = {"SignatureVersion": "SigV4", "AuthenticationMethod": "AuthHeader", "bytesTransferredIn": 0, "bytesTransferredOut": 0}
        extra["bytesTransferredIn" if habit.write else "bytesTransferredOut"] = place("n")
        more["resources"] = [{"accountId": slot("account"), "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"}]
        if "key" in params:
            more["resources"].insert(0, {"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{bucket}/{params['key']}"})
    error = failure[1:] if failure else None
    entry = trail.call(
        ids.EPOCH,
        who,
        habit.service,
        habit.name,
        region=slot("region"),
        params=params,
        extra=extra,
        error=error,
        write=habit.write,
        **(more | {"eventTime": slot("time"), "eventID": slot("event"), "requestID": slot("request")}),
    )
    trail.entries.pop()
    record = dict(entry.record)
    if habit.via or internal:
        record.pop("tlsDetails", None)
    made = Template(record)
    if habit.via:
        made.format = made.format.replace("%(identity)s", f'%(open)s,"invokedBy":"{habit.via}"}}')
        for name in ("ip", "agent"):
            made.format = made.format.replace(f"%({name})s", habit.via)
    return made


def act(scene: Scene, who: Actor, habits: Habits, times: int, region: str, *, since: float = 0.0, until: float = 3590.0) -> None:
    """``times`` calls of a session between two seconds of the scene's hour; calls that were throttled are tried again."""
    rng, draw, delivery = scene.rng, scene.draw, scene.delivery
    base, head = micros(scene.hour), f"{scene.hour:%Y-%m-%dT%H:}"
    dark = "aws.data_events" in delivery.dark
    for number in rng.choices(range(len(habits.habits)), cum_weights=habits.weights, k=times):
        habit = habits.habits[number]
        if habit.data and dark:
            continue
        failure = next((failure for failure in habit.errors if rng.random() < failure[0]), None)
        second = rng.uniform(since, until)
        where = "us-east-1" if habit.service == "iam" else region
        values = {**who.slots, "region": where, "n": str(rng.randrange(10000, 99999))}
        for tried in (failure, None) if failure and failure[1] in RETRIED else (failure,):
            whole = int(second)
            values["time"] = f"{head}{whole // 60:02d}:{whole % 60:02d}Z"
            values["event"] = draw.guid()
            values["request"] = draw.hexes(16).upper() if habit.service == "s3" else draw.guid()
            published = base + int((second + rng.uniform(120, 590)) * 1_000_000)
            delivery.take(SOURCE, (who.account, where), published, habits.template(number, tried, who.internal).stamp(values))
            second = min(second + rng.uniform(0.8, 4), 3599.0)


def service_event(scene: Scene, account: str, region: str, service: str, name: str, details: dict[str, Any]) -> None:
    """Something AWS did by itself: an ``AwsServiceEvent`` without a caller's session."""
    record = {"accountId": account, "invokedBy": service}
    who = AwsCaller(record, account, service, service)
    entry = scene.ground.trail.call(
        scene.at(), who, service.split(".")[0], name, region=region, eventType="AwsServiceEvent", serviceEventDetails=details
    )
    for field in ("requestParameters", "requestID"):
        entry.record.pop(field, None)
