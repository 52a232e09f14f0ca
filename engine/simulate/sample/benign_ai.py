"""An ordinary day with models: the assistant, the applications, the agent."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from engine.simulate import texts
from engine.simulate.native import bedrock, ids, writer
from engine.simulate.native.actors import AWS_HOME, SDK, Person
from engine.simulate.native.aws import AwsCaller, service
from engine.simulate.native.entries import Entry, Record
from engine.simulate.native.gcp import GcpCaller, Target
from engine.simulate.native.litellm import VirtualKey
from engine.simulate.native.otel import Span, message, said
from engine.simulate.native.vertex import endpoint
from engine.simulate.sample.feeds import Stage
from engine.simulate.sample.rhythm import PEOPLE, after, moments
from engine.simulate.sample.world import AWS_DATA, AWS_NAT, AWS_PROD, AWS_SECOND, AZURE_IP, GCP_IP, OFFICE_IP, POD_IP

SONNET = "anthropic.claude-3-5-sonnet-20240620-v1:0"
PROFILE = "us.anthropic.claude-3-5-sonnet-20241022-v2:0"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
NOVA = "amazon.nova-lite-v1:0"
GEMINI = "gemini-2.0-flash-001"
THROTTLED = ("ThrottlingException", "Too many requests, please wait before trying again.")


class Sessions:
    """Role sessions of workloads: each is renewed when an hour old."""

    def __init__(self, stage: Stage, rng: random.Random) -> None:
        self.stage = stage
        self.rng = rng
        self._open: dict[tuple[str, str, datetime], AwsCaller] = {}

    def task(self, when: datetime, account: str, role: str) -> AwsCaller:
        """The session of a container task."""
        slot = when.replace(minute=0, second=0, microsecond=0)
        if (account, role, slot) not in self._open:
            who, _ = self.stage.feeds.trail.assume(
                slot,
                service("ecs-tasks.amazonaws.com", account),
                self.stage.world.role(account, role),
                ids.hexes(self.rng, 32),
                ip=AWS_NAT[account],
                agent=SDK,
            )
            self._open[account, role, slot] = who
        return self._open[account, role, slot]

    def pod(self, when: datetime) -> AwsCaller:
        """The session of the agent's pod, by its Kubernetes service account."""
        slot = when.replace(minute=0, second=0, microsecond=0)
        if (AWS_PROD, "support-agent", slot) not in self._open:
            provider = f"arn:aws:iam::{AWS_PROD}:oidc-provider/oidc.eks.{AWS_HOME}.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
            subject = "system:serviceaccount:agents:support-agent"
            identity = {
                "type": "WebIdentityUser",
                "principalId": f"{provider}:sts.amazonaws.com:{subject}",
                "userName": subject,
                "identityProvider": provider,
            }
            token = {"subjectFromWebIdentityToken": subject, "provider": provider, "audience": "sts.amazonaws.com"}
            who, _ = self.stage.feeds.trail.assume(
                slot,
                AwsCaller(identity, AWS_PROD, POD_IP, SDK),
                self.stage.world.role(AWS_PROD, "support-agent"),
                f"botocore-session-{int(slot.timestamp())}",
                name="AssumeRoleWithWebIdentity",
                result=token,
            )
            self._open[AWS_PROD, "support-agent", slot] = who
        return self._open[AWS_PROD, "support-agent", slot]


def key_of(person: Person) -> VirtualKey:
    """A person's key of the LiteLLM gateway."""
    return VirtualKey(person.litellm_hash, f"assistant-{person.name}", person.upn, f"team-{person.job}")


def ask_assistant(stage: Stage, sessions: Sessions, when: datetime, person: Person, ip: str, prompt: str, answer: str) -> tuple[Entry, Entry, Entry]:
    """A question to the internal assistant: its records in LiteLLM, CloudTrail and the Bedrock invocation log."""
    call = bedrock.converse(SONNET, prompt, answer, system=texts.SYSTEM)
    who = sessions.task(when, AWS_PROD, "assistant-gateway")
    trail, log = stage.feeds.bedrock_call(when + timedelta(seconds=0.4), who, call)
    messages = [{"role": "system", "content": texts.SYSTEM}, {"role": "user", "content": prompt}]
    request = trail.record["requestID"]
    gateway = stage.feeds.litellm.completion(when, key_of(person), ip, "bedrock", SONNET, messages, answer, request=request)
    return gateway, trail, log


def run_agent(
    stage: Stage, sessions: Sessions, rng: random.Random, when: datetime, question: str, answer: str, tools: list[tuple[str, Record, str]]
) -> tuple[list[Entry], list[Entry]]:
    """One run of the support agent: it asks the model, runs ``tools`` (name, arguments, result) and asks again.

    Returns the spans (root, then per tool a chat and a tool span, then the last chat) and the Bedrock invocation records, one a chat.
    """
    who = sessions.pod(when)
    conversation = ids.guid(rng)
    common: Record = {"gen_ai.provider.name": "aws.bedrock", "gen_ai.conversation.id": conversation, "gen_ai.agent.name": "support-agent"}
    history: list[Record] = [{"role": "user", "content": [{"text": question}]}]
    messages: list[Record] = [message("user", said(question))]
    spans = [Span("invoke_agent support-agent", when, 4.0 + 3 * len(tools), {"gen_ai.operation.name": "invoke_agent", **common})]
    logs: list[Entry] = []
    moment = when
    for number, (name, arguments, result) in enumerate([*tools, ("", {}, "")]):
        moment = after(rng, moment, 0.4, 0.9)
        uid = f"tooluse_{ids.letters(rng, 16)}"
        call = bedrock.converse(HAIKU, "", answer, system=texts.AGENT_SYSTEM, history=tuple(history), stop="tool_use" if name else "end_turn")
        if name and isinstance(call.output, dict):
            block = {"toolUse": {"toolUseId": uid, "name": name, "input": arguments}}
            call.output["output"]["message"]["content"] = [block]
        trail, log = stage.feeds.bedrock_call(moment, who, call)
        logs.append(log)
        part: Record = {"type": "tool_call", "id": uid, "name": name, "arguments": arguments} if name else said(answer)
        reply = message("assistant", part) | {"finish_reason": "tool_call" if name else "stop"}
        chat: Record = {
            "gen_ai.operation.name": "chat",
            **common,
            "gen_ai.request.model": HAIKU,
            "gen_ai.response.model": HAIKU,
            "gen_ai.response.finish_reasons": [reply["finish_reason"]],
            "gen_ai.usage.input_tokens": call.prompt_tokens,
            "gen_ai.usage.output_tokens": call.completion_tokens,
            "gen_ai.input.messages": writer.text(messages),
            "gen_ai.output.messages": writer.text([reply]),
            "aws.request_id": trail.record["requestID"],
        }
        spans.append(Span(f"chat {HAIKU}", moment, 1.1, chat))
        if not name:
            break
        moment = moment + timedelta(seconds=1.2 + number * 0.1)
        tool: Record = {
            "gen_ai.operation.name": "execute_tool",
            **common,
            "gen_ai.tool.name": name,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": uid,
            "gen_ai.tool.call.arguments": writer.text(arguments),
            "gen_ai.tool.call.result": result,
        }
        spans.append(Span(f"execute_tool {name}", moment, 0.6, tool))
        moment += timedelta(seconds=0.7)
        history.append({"role": "assistant", "content": [{"toolUse": {"toolUseId": uid, "name": name, "input": arguments}}]})
        history.append({"role": "user", "content": [{"toolResult": {"toolUseId": uid, "content": [{"text": result}], "status": "success"}}]})
        messages = [*messages, message("assistant", part), message("tool", {"type": "tool_call_response", "id": uid, "response": result})]
    return stage.feeds.otel.trace(spans), logs


def live(stage: Stage, rng: random.Random, sessions: Sessions) -> None:
    """Fill every inference log for the whole simulation."""
    _assistant(stage, rng, sessions)
    _applications(stage, rng, sessions)
    _azure(stage, rng)
    _vertex(stage, rng)
    for when in moments(rng, stage, 12):
        prompt, answer = texts.task(rng)
        number = rng.randrange(10_000, 99_999)
        order = ("lookup_order", {"order": number}, writer.text({"order": number, "state": "sent", "place": rng.choice(texts.PLACES)}))
        run_agent(stage, sessions, rng, when, f"Customer question about order {number}: {prompt}", answer, [order])


def _assistant(stage: Stage, rng: random.Random, sessions: Sessions) -> None:
    people = list(stage.world.people.values())
    for when in moments(rng, stage, 24, PEOPLE):
        person = rng.choice(people)
        prompt, answer = texts.task(rng)
        ask_assistant(stage, sessions, when, person, rng.choice((OFFICE_IP, person.home_ip)), prompt, answer)
    writer_ = stage.world.people["julia.lindqvist"]
    ask_assistant(stage, sessions, stage.at(0, 10, 12, 31), writer_, OFFICE_IP, *texts.AWARENESS)
    nightly = VirtualKey(ids.hexes(rng, 64), "catalogue-nightly", "svc-catalogue", "team-batch")
    for when in moments(rng, stage, 12):
        prompt, answer = texts.caption(rng)
        provider, model = rng.choice((("azure", "gpt-4o-mini"), ("vertex_ai", GEMINI)))
        error = ("429", "RateLimitError") if rng.random() < 0.04 else None
        content = [{"role": "user", "content": prompt}]
        stage.feeds.litellm.completion(when, nightly, AWS_NAT[AWS_PROD], provider, model, content, answer, latency=0.7, error=error)


def _applications(stage: Stage, rng: random.Random, sessions: Sessions) -> None:
    """Services that call Bedrock themselves."""
    feeds = stage.feeds
    for when in moments(rng, stage, 150):
        prompt, answer = texts.ticket(rng)
        error = THROTTLED if rng.random() < 0.01 else None
        call = bedrock.claude(HAIKU, prompt, answer, f"msg_bdrk_{ids.letters(rng, 20)}")
        feeds.bedrock_call(when, sessions.task(when, AWS_PROD, "orders-api"), call, error=error)
    for when in moments(rng, stage, 90):
        prompt, answer = texts.caption(rng)
        feeds.bedrock_call(when, sessions.task(when, AWS_PROD, "search-indexer"), bedrock.nova(NOVA, prompt, answer))
    for when in moments(rng, stage, 40):
        prompt, answer = texts.task(rng)
        call = bedrock.claude(HAIKU, prompt, answer, f"msg_bdrk_{ids.letters(rng, 20)}", stream=True)
        feeds.bedrock_call(when, sessions.task(when, AWS_DATA, "report-writer"), call, region=AWS_SECOND)
    for when in moments(rng, stage, 14, PEOPLE):
        prompt, answer = texts.task(rng)
        feeds.bedrock_call(when, sessions.task(when, AWS_DATA, "report-writer"), bedrock.converse(PROFILE, prompt, answer))
    when = stage.at(0, 13, 20, 5)
    book = f"Write one line that says what this handbook is about.\n{texts.handbook(rng, bedrock.LARGE)}"
    answer = "How the shop teams handle orders, returns and questions."
    feeds.bedrock_call(when, sessions.task(when, AWS_DATA, "report-writer"), bedrock.converse(PROFILE, book, answer))


def _azure(stage: Stage, rng: random.Random) -> None:
    """The shop's search goes through the gateway, whose managed identity calls the account; the backend calls it directly."""
    feeds, world = stage.feeds, stage.world
    backend = world.principals["sp-assistant-backend"]
    for when in moments(rng, stage, 50):
        status = 429 if rng.random() < 0.02 else 200
        feeds.openai.request(when, AZURE_IP, backend.oid, status=status, length=rng.randrange(500, 2400))
    for when in moments(rng, stage, 14):
        prompt, answer = texts.task(rng)
        messages = [{"role": "system", "content": texts.SYSTEM}, {"role": "user", "content": prompt}]
        feeds.openai.gateway(when, AWS_NAT[AWS_PROD], messages, answer, subscription="shop-search")
        feeds.openai.request(after(rng, when, 0.1, 0.4), AZURE_IP, world.managed_identity)


def _vertex(stage: Stage, rng: random.Random) -> None:
    who = GcpCaller(stage.world.service_account("vertex-runner"), GCP_IP, "google-genai-sdk/1.5.0 gl-python/3.12.9")
    for when in moments(rng, stage, 45):
        prompt, answer = texts.caption(rng)
        generate(stage, when, who, prompt, answer)


def generate(stage: Stage, when: datetime, who: GcpCaller, prompt: str, answer: str) -> tuple[Entry, Entry]:
    """A Gemini call: its audit entry and its request-response row."""
    name = endpoint(GEMINI)
    labels = (("service", "aiplatform.googleapis.com"), ("method", "google.cloud.aiplatform.v1.PredictionService.GenerateContent"))
    request = {"@type": "type.googleapis.com/google.cloud.aiplatform.v1.GenerateContentRequest", "model": name}
    response = {"@type": "type.googleapis.com/google.cloud.aiplatform.v1.GenerateContentResponse"}
    audit = stage.feeds.gcp.call(
        when,
        who,
        "aiplatform",
        "google.cloud.aiplatform.v1.PredictionService.GenerateContent",
        Target(name, "aiplatform.endpoints.predict", "audited_resource", labels),
        log="data_access",
        request=request,
        response=response,
    )
    return audit, stage.feeds.vertex.row(when, GEMINI, prompt, answer)
