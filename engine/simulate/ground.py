"""The record makers of one company side by side, and the calls that leave a record in several logs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.simulate.company import Company
from engine.simulate.native import azure, bedrock, entra, gcp, ids, litellm, openai, otel, vertex, writer
from engine.simulate.native.aws import AwsCaller, CloudTrail
from engine.simulate.native.entries import Entry, Record
from engine.simulate.native.gcp import GcpCaller, Target

PREDICT = "google.cloud.aiplatform.v1.PredictionService.GenerateContent"


@dataclass(frozen=True, slots=True)
class Ground:
    """One maker per log. Entries pile up in the makers until `drain` takes them."""

    company: Company
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
    def build(cls, seed: int, part: str, company: Company) -> Ground:
        """``part`` keeps the ids of several grounds of one seed apart."""
        logs = ("cloudtrail", "bedrock", "activity", "entra", "openai", "gcp", "vertex", "litellm", "otel")
        draws = {log: ids.generator(seed, f"{part} {log}") for log in logs}
        return cls(
            company,
            CloudTrail(draws["cloudtrail"], ids.plain_key),
            bedrock.InvocationLog(draws["bedrock"]),
            azure.ActivityLog(draws["activity"], company.tenant, company.subscription),
            entra.Directory(draws["entra"], company.tenant),
            openai.OpenAILog(draws["openai"], company.openai[0], company.apim),
            gcp.AuditLog(draws["gcp"], company.project),
            vertex.RequestResponse(draws["vertex"], company.project),
            litellm.Gateway(draws["litellm"]),
            otel.Collector(draws["otel"], "assistant-agent"),
        )

    def piles(self) -> tuple[list[Entry], ...]:
        """The lists in which the makers collect their entries."""
        makers = (self.trail, self.invocations, self.activity, self.directory, self.openai, self.gcp, self.vertex, self.litellm, self.otel)
        return tuple(maker.entries for maker in makers)

    def drain(self) -> list[Entry]:
        """Everything made since the last time, and forgets it."""
        found = [entry for pile in self.piles() for entry in pile]
        for pile in self.piles():
            pile.clear()
        self.otel.forget()
        return found

    def converse(
        self,
        when: datetime,
        who: AwsCaller,
        call: bedrock.Exchange,
        *,
        region: str,
        error: tuple[str, str] | None = None,
        bearer: bool = False,
        guardrail: Record | None = None,
    ) -> tuple[Entry, Entry]:
        """A Bedrock call in CloudTrail and in the invocation log, joined by requestID = requestId."""
        profile = call.model.split(".")[0] in ("us", "eu", "apac")
        serving = region.rsplit("-", 1)[0] + "-2" if profile else ""
        extra: Record = {"inferenceRegion": serving} if serving else {}
        if bearer:
            extra["callWithBearerToken"] = True
        asked: Record = {"modelId": call.model} | ({"guardrailIdentifier": guardrail["id"], "guardrailVersion": "DRAFT"} if guardrail else {})
        trail = self.trail.call(when, who, "bedrock", call.operation, region=region, params=asked, error=error, extra=extra or None)
        code = error[0] if error else ""
        arn, request = who.identity["arn"], trail.record["requestID"]
        log = self.invocations.invoked(when, who.account, region, arn, request, call, error=code, inference_region=serving)
        return trail, log

    def generate(self, when: datetime, who: GcpCaller, model: str, prompt: str, answer: str, *, code: int = 0) -> list[Entry]:
        """A Gemini call: its audit entry and, when it was answered, its request-response row."""
        name = vertex.endpoint(model, self.company.project)
        labels = (("service", "aiplatform.googleapis.com"), ("method", PREDICT))
        target = Target(name, "aiplatform.endpoints.predict", "audited_resource", labels)
        request = {"@type": "type.googleapis.com/google.cloud.aiplatform.v1.GenerateContentRequest", "model": name}
        found = [self.gcp.call(when, who, "aiplatform", PREDICT, target, log="data_access", request=request, code=code)]
        if not code:
            found.append(self.vertex.row(when, model, prompt, answer))
        return found

    def agent_run(
        self, when: datetime, who: AwsCaller, model: str, question: str, answer: str, tools: list[tuple[str, Record, str]], region: str
    ) -> None:
        """A run of the agent: a model call, a tool call for each of ``tools`` (name, arguments, result), and the last model call."""
        rng = self.otel.rng
        common: Record = {"gen_ai.provider.name": "aws.bedrock", "gen_ai.conversation.id": ids.guid(rng), "gen_ai.agent.name": self.otel.service}
        messages: list[Record] = [otel.message("user", otel.said(question))]
        history: list[Record] = [{"role": "user", "content": [{"text": question}]}]
        root = {"gen_ai.operation.name": "invoke_agent", **common}
        spans = [otel.Span(f"invoke_agent {self.otel.service}", when, 4.0 + 3 * len(tools), root)]
        for name, arguments, result in [*tools, ("", {}, "")]:
            when = ids.later(when, rng, 0.4, 0.9)
            uid = f"tooluse_{ids.letters(rng, 16)}"
            call = bedrock.converse(model, "", answer, history=tuple(history), stop="tool_use" if name else "end_turn")
            block = {"toolUse": {"toolUseId": uid, "name": name, "input": arguments}}
            if name and isinstance(call.output, dict):
                call.output["output"]["message"]["content"] = [block]
            trail, _ = self.converse(when, who, call, region=region)
            part: Record = {"type": "tool_call", "id": uid, "name": name, "arguments": arguments} if name else otel.said(answer)
            reply = otel.message("assistant", part) | {"finish_reason": "tool_call" if name else "stop"}
            chat: Record = {"gen_ai.operation.name": "chat", **common, "gen_ai.request.model": model, "gen_ai.response.model": model}
            chat |= {"gen_ai.response.finish_reasons": [reply["finish_reason"]], "aws.request_id": trail.record["requestID"]}
            chat |= {"gen_ai.usage.input_tokens": call.prompt_tokens, "gen_ai.usage.output_tokens": call.completion_tokens}
            chat |= {"gen_ai.input.messages": writer.text(messages), "gen_ai.output.messages": writer.text([reply])}
            spans.append(otel.Span(f"chat {model}", when, 1.1, chat))
            if not name:
                break
            when = ids.later(when, rng, 1.2, 1.6)
            tool: Record = {"gen_ai.operation.name": "execute_tool", **common, "gen_ai.tool.name": name, "gen_ai.tool.type": "function"}
            tool |= {"gen_ai.tool.call.id": uid, "gen_ai.tool.call.arguments": writer.text(arguments), "gen_ai.tool.call.result": result}
            spans.append(otel.Span(f"execute_tool {name}", when, 0.6, tool))
            when = ids.later(when, rng, 0.7, 0.9)
            history.append({"role": "assistant", "content": [block]})
            history.append({"role": "user", "content": [{"toolResult": {"toolUseId": uid, "content": [{"text": result}], "status": "success"}}]})
            messages += [otel.message("assistant", part), otel.message("tool", {"type": "tool_call_response", "id": uid, "response": result})]
        self.otel.trace(spans)
