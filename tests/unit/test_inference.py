"""Reading request and response bodies, stream chunks, cut-off text, model names and guardrail verdicts of all providers."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.inference import bodies
from connectors.inference.exchange import reply, request
from connectors.inference.models import maker, model_name, model_version
from connectors.inference.otlp import attributes, plain_value
from connectors.inference.partial import complete, decode
from connectors.inference.verdicts import azure_findings, bedrock_findings, gemini_verdict, policy, verdict


@pytest.mark.parametrize(
    ("body", "system", "user", "tool"),
    [
        ("just text", [], ["just text"], []),
        ('[{"role":"user","content":"in text"}]', [], ["in text"], []),
        ({"system": "S", "messages": [{"role": "user", "content": [{"type": "text", "text": "U"}]}]}, ["S"], ["U"], []),
        ({"system": [{"text": "S"}], "messages": [{"role": "user", "content": [{"text": "U"}]}]}, ["S"], ["U"], []),
        ({"messages": [{"role": "developer", "content": "D"}, {"role": "user", "content": "U"}]}, ["D"], ["U"], []),
        ({"messages": [{"role": "assistant", "content": "old"}, {"role": "user", "content": "U"}]}, [], ["U"], []),
        ({"messages": [{"role": "Intruder", "content": "odd role"}]}, [], ["odd role"], []),
        ({"messages": [{"content": "no role"}]}, [], ["no role"], []),
        ({"messages": [{"role": "tool", "tool_call_id": "c", "content": "result"}]}, [], [], ["result"]),
        ({"messages": [{"role": "user", "content": [{"toolResult": {"content": [{"json": {"a": 1}}, {"text": "t"}]}}]}]}, [], [], ['{"a": 1}\nt']),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "r"}, {"type": "text", "text": "U"}]}]}, [], ["U"], ["r"]),
        ({"messages": [{"role": "user", "content": [{"document": {"name": "d", "source": {"text": "doc"}}}]}]}, [], [], ["doc"]),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "AA"}}]}]}, [], [], []),
        ({"contents": [{"role": "user", "parts": [{"text": "U"}]}], "systemInstruction": {"parts": [{"text": "S"}]}}, ["S"], ["U"], []),
        ({"contents": [{"role": "function", "parts": [{"functionResponse": {"name": "f", "response": {"x": 1}}}]}]}, [], [], ['{"x": 1}']),
        ({"contents": "U"}, [], ["U"], []),
        ({"instances": [{"context": "S", "messages": [{"author": "user", "content": "U"}]}]}, ["S"], ["U"], []),
        ({"prompt": "\n\nHuman: hi\n\nAssistant:"}, [], ["\n\nHuman: hi\n\nAssistant:"], []),
        ({"prompt": ["one", "two"]}, [], ["one", "two"], []),
        ({"inputText": "U"}, [], ["U"], []),
        (
            {"preamble": "S", "chat_history": [{"role": "USER", "message": "first"}, {"role": "CHATBOT", "message": "x"}], "message": "last"},
            ["S"],
            ["first", "last"],
            [],
        ),
        ({"message": "U", "documents": [{"snippet": "from a page"}]}, [], ["U"], ['{"snippet": "from a page"}']),
        ({"instructions": "S", "input": [{"role": "user", "content": "U"}, {"type": "function_call_output", "output": "O"}]}, ["S"], ["U"], ["O"]),
        ({"input": ["a", "b"]}, [], ["a", "b"], []),
        ({"input": [1, 2, 3]}, [], [], []),
        (
            [
                {"role": "user", "parts": [{"type": "text", "content": "U"}]},
                {"role": "tool", "parts": [{"type": "tool_call_response", "response": "O"}]},
            ],
            [],
            ["U"],
            ["O"],
        ),
        ({"text_prompts": [{"text": "a cat", "weight": 1}]}, [], ["a cat"], []),
        (None, [], [], []),
        (7, [], [], []),
        ({"messages": 7, "system": 3.5}, ["3.5"], [], []),
    ],
)
def test_request_sorts_texts_by_who_said_them(body: Any, system: list[str], user: list[str], tool: list[str]) -> None:
    said = request(body)
    assert (said.system, said.user, said.tool) == (system, user, tool)


@pytest.mark.parametrize(
    ("body", "text", "finish"),
    [
        ("plain", "plain", []),
        ({"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "A"}], "stop_reason": "end_turn"}, "A", ["end_turn"]),
        ({"completion": " A", "stop_reason": "stop_sequence"}, " A", ["stop_sequence"]),
        ({"output": {"message": {"role": "assistant", "content": [{"text": "A"}]}}, "stopReason": "end_turn"}, "A", ["end_turn"]),
        ({"results": [{"outputText": "A", "tokenCount": 1, "completionReason": "FINISH"}]}, "A", ["FINISH"]),
        ({"text": "A", "finish_reason": "COMPLETE", "chat_history": [{"role": "USER", "message": "U"}]}, "A", ["COMPLETE"]),
        ({"id": "g", "prompt": "U", "generations": [{"text": "A", "finish_reason": "MAX_TOKENS"}]}, "A", ["MAX_TOKENS"]),
        ({"generation": "A", "stop_reason": "stop"}, "A", ["stop"]),
        ({"outputs": [{"text": "A", "stop_reason": "length"}]}, "A", ["length"]),
        ({"completions": [{"data": {"text": "A"}, "finishReason": {"reason": "endoftext"}}]}, "A", ["endoftext"]),
        ({"choices": [{"text": "A", "stop_reason": "stop"}]}, "A", ["stop"]),
        (
            {"choices": [{"message": {"content": "A"}, "finish_reason": "stop"}, {"message": {"content": "B"}, "finish_reason": "length"}]},
            "A\nB",
            ["stop", "length"],
        ),
        ({"choices": [{"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}]}, "No.", ["stop"]),
        ({"candidates": [{"content": {"parts": [{"text": "A"}, {"thought": True, "text": "hm"}]}, "finishReason": "STOP"}]}, "A", ["STOP"]),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, None, ["SAFETY"]),
        ({"predictions": [{"content": "A"}]}, "A", []),
        (
            {
                "object": "response",
                "status": "incomplete",
                "incomplete_details": {"reason": "max_output_tokens"},
                "output": [{"type": "message", "content": [{"type": "output_text", "text": "A"}]}],
            },
            "A",
            ["max_output_tokens"],
        ),
        ([{"role": "assistant", "parts": [{"type": "text", "content": "A"}], "finish_reason": "stop"}], "A", ["stop"]),
        ({"error": {"code": "x", "message": "refused"}}, None, []),
        ({}, None, []),
        (None, None, []),
        ([1, "x", None], None, []),
    ],
)
def test_reply_reads_text_and_stop_reason(body: Any, text: str | None, finish: list[str]) -> None:
    answer = reply(body)
    assert (answer.text, answer.finish) == (text, finish)


CALL = {"name": "f", "arguments": {"a": 1}, "id": "c"}
TEXT_CALL = {"name": "f", "arguments": '{"a":1}', "id": "c"}


@pytest.mark.parametrize(
    ("body", "call"),
    [
        ({"content": [{"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}]}, CALL),
        ({"output": {"message": {"content": [{"toolUse": {"toolUseId": "c", "name": "f", "input": {"a": 1}}}]}}}, CALL),
        ({"choices": [{"message": {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}]}}]}, TEXT_CALL),
        ({"choices": [{"message": {"function_call": {"name": "f", "arguments": '{"a":1}', "id": "c"}}}]}, TEXT_CALL),
        ({"output": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}'}]}, TEXT_CALL),
        ({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {"a": 1}, "id": "c"}}]}}]}, CALL),
        ({"tool_calls": [{"name": "f", "parameters": {"a": 1}, "id": "c"}]}, CALL),
        ([{"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}]}], CALL),
        (
            [
                {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a"'}}]}}]},
                {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}}]},
            ],
            TEXT_CALL,
        ),
        (
            [
                {"contentBlockStart": {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "c", "name": "f"}}}},
                {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"a":1}'}}}},
            ],
            TEXT_CALL,
        ),
        (
            [
                {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "c", "name": "f", "input": {}}},
                {"type": "content_block_delta", "index": 1, "delta": {"partial_json": '{"a":1}'}},
            ],
            TEXT_CALL,
        ),
    ],
)
def test_tool_calls_have_one_form(body: Any, call: dict[str, Any]) -> None:
    assert reply(body).said.calls == [call]


@pytest.mark.parametrize(
    ("chunks", "text", "finish"),
    [
        ([{"outputText": "a "}, {"outputText": "b", "completionReason": "FINISH"}, "[DONE]"], "a b", ["FINISH"]),
        ([{"generation": "a "}, {"generation": "b", "stop_reason": "stop"}], "a b", ["stop"]),
        ([{"outputs": [{"text": "a "}]}, {"outputs": [{"text": "b", "stop_reason": "stop"}]}], "a b", ["stop"]),
        ([{"completion": "a "}, {"completion": "b", "stop_reason": "stop_sequence"}], "a b", ["stop_sequence"]),
        (
            [{"event_type": "text-generation", "text": "a"}, {"event_type": "stream-end", "response": {"text": "a b"}, "finish_reason": "COMPLETE"}],
            "a b",
            [],
        ),
        (
            [
                {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "a b"}}}},
                {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}},
            ],
            "a b",
            ["COMPLETE"],
        ),
        (
            [
                {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "a "}}},
                {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": "b"}}},
                {"messageStop": {"stopReason": "end_turn"}},
            ],
            "a b",
            ["end_turn"],
        ),
        (
            [
                {"candidates": [{"content": {"parts": [{"text": "a "}]}}]},
                {"candidates": [{"content": {"parts": [{"text": "b"}]}, "finishReason": "STOP"}]},
            ],
            "a b",
            ["STOP"],
        ),
        ([{"type": "response.output_text.delta", "item_id": "m", "delta": "a b"}], "a b", []),
        (
            'data: {"choices":[{"index":0,"delta":{"content":"a "}}]}\n\n'
            'data: {"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n',
            "a b",
            ["stop"],
        ),
    ],
)
def test_stream_chunks_are_joined(chunks: Any, text: str, finish: list[str]) -> None:
    answer = reply(chunks)
    assert (answer.text, answer.finish) == (text, finish)


def test_tokens_ids_and_latency_come_from_whichever_chunk_has_them() -> None:
    answer = reply(
        [
            {
                "type": "message_start",
                "message": {"id": "m", "model": "claude-x", "usage": {"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 3}},
            },
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
            {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 5, "outputTokenCount": 9, "invocationLatency": 70}},
        ]
    )
    assert (answer.uid, answer.model, answer.prompt_tokens, answer.completion_tokens) == ("m", "claude-x", 5, 9)
    assert (answer.total_tokens, answer.cached_tokens, answer.latency_ms) == (14, 3, 70.0)


@pytest.mark.parametrize("cut", range(2, 78))
def test_text_that_was_cut_off_never_hides_what_is_there(cut: int) -> None:
    body = '{"messages":[{"role":"user","content":"one \\"two\\" \\u00e9 three"}],"n":12,"b":true}'
    found = decode(body[:cut])
    assert isinstance(found, dict)
    shown = "".join(request(found).user)
    assert 'one "two" é three'.startswith(shown)
    if cut > 46:
        assert shown.startswith("one")


@pytest.mark.parametrize(
    ("block", "user", "tool"),
    [
        ({"type": "text", "text": "a"}, ["a"], []),
        ({"type": "text", "text": ["a", {"text": "b"}]}, ["a", "b"], []),
        ({"type": "text", "content": "a"}, ["a"], []),
        ({"type": "thinking", "text": "a"}, [], []),
        ({"type": "document", "text": "a"}, [], ["a"]),
        ({"type": 5, "text": "a"}, ["a"], []),
        ({"type": "text", "text": "a", "toolResult": {"content": "b"}}, [], ["b"]),
        ({"text": "a", "thought": True}, [], []),
    ],
)
def test_a_block_is_plain_text_only_where_nothing_else_is_in_it(block: Any, user: list[str], tool: list[str]) -> None:
    found = request({"messages": [{"role": "user", "content": [block]}]})
    assert (found.user, found.tool) == (user, tool)


def test_counts_come_from_the_first_place_that_has_a_number() -> None:
    found = reply(
        {"usage": {"input_tokens": None, "prompt_tokens": "7", "output_tokens": True}, "outputTokens": 3, "meta": {"tokens": {"inputTokens": 9}}}
    )
    assert (found.prompt_tokens, found.completion_tokens, found.total_tokens) == (7, 3, 10)
    assert reply({"usage": {"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}}}).cached_tokens == 2


def test_what_is_no_json_stays_text() -> None:
    assert decode("[INST] hello [/INST]") == "[INST] hello [/INST]"
    assert complete("]") is None
    assert decode("plain") == "plain"


def test_parameters_say_how_without_what() -> None:
    body = {
        "messages": [{"role": "user", "content": "secret"}],
        "inferenceConfig": {"maxTokens": 9, "temperature": 0},
        "toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]},
    }
    found = bodies.parameters(body)
    assert found is not None
    assert {key: found[key] for key in ("max_tokens", "temperature", "tools")} == {"max_tokens": 9, "temperature": 0, "tools": ["f"]}
    assert "secret" not in str(found)
    assert bodies.parameters({"max_tokens_to_sample": -1}) == {"max_tokens": -1}


def test_a_changed_tool_definition_changes_its_hash_and_key_order_does_not() -> None:
    first = bodies.definition_hash([{"name": "f", "description": "reads"}])
    assert first == bodies.definition_hash([{"description": "reads", "name": "f"}])
    assert first != bodies.definition_hash([{"name": "f", "description": "reads and sends"}])


@pytest.mark.parametrize(
    ("uid", "route", "name", "made_by", "version"),
    [
        ("us.anthropic.claude-3-5-sonnet-20240620-v1:0", None, "anthropic.claude-3-5-sonnet-20240620-v1:0", "anthropic", "v1:0"),
        ("arn:aws:bedrock:eu-west-1:111122223333:inference-profile/eu.amazon.nova-pro-v1:0", None, "amazon.nova-pro-v1:0", "amazon", "v1:0"),
        ("arn:aws:bedrock:eu-west-1:111122223333:provisioned-model/abc123", "bedrock", "abc123", "amazon", None),
        ("bedrock/anthropic.claude-v2", "bedrock", "anthropic.claude-v2", "anthropic", "v2"),
        ("gpt-4o-2024-08-06", "azure", "gpt-4o-2024-08-06", "openai", "2024-08-06"),
        ("publishers/google/models/gemini-2.0-flash-001", None, "gemini-2.0-flash-001", "google", "001"),
        ("claude-sonnet-4@20250514", "vertex_ai", "claude-sonnet-4@20250514", "anthropic", "20250514"),
        ("chat", "azure", "chat", "openai", None),
        ("chat", None, "chat", None, None),
        ("command-r", "cohere", "command-r", "cohere", None),
        (None, "groq", None, "groq", None),
        (5, None, None, None, None),
    ],
)
def test_model_names_are_the_same_for_all_sources(uid: Any, route: str | None, name: str | None, made_by: str | None, version: str | None) -> None:
    assert (model_name(uid), maker(uid, route), model_version(uid)) == (name, made_by, version)


def test_a_detection_that_was_let_through_is_told_from_one_that_was_blocked() -> None:
    def trace(action: str) -> dict[str, Any]:
        return {"inputAssessment": {"gr": {"contentPolicy": {"filters": [{"type": "PROMPT_ATTACK", "confidence": "HIGH", "action": action}]}}}}

    for action in ("BLOCKED", "NONE"):
        found = verdict(bedrock_findings(trace(action)))
        assert found is not None
        assert (found["action"], found["policies"]) == (action, ["PROMPT_ATTACK"])


def test_what_was_looked_for_and_not_found_is_no_finding() -> None:
    filters = [{"type": "HATE", "confidence": "NONE", "action": "NONE", "detected": False}]
    grounding = [{"type": "GROUNDING", "threshold": 0.5, "score": 0.9, "action": "NONE"}]
    assert bedrock_findings({"outputs": [{"gr": {"contentPolicy": {"filters": filters}, "contextualGroundingPolicy": {"filters": grounding}}}]}) == []
    assert verdict([], checked=True) == {"action": "ALLOWED", "policies": [], "detail": None}
    assert verdict([]) is None


def test_matched_text_never_reaches_the_verdict() -> None:
    entity = {"type": "EMAIL", "match": "bob@example.com", "action": "ANONYMIZED"}
    found = verdict(bedrock_findings({"input": {"gr": {"sensitiveInformationPolicy": {"piiEntities": [entity]}}}}))
    assert found is not None
    assert found["action"] == "MASKED"
    assert "bob" not in str(found)


def test_azure_low_severity_counts_only_when_filtered() -> None:
    low = {"choices": [{"content_filter_results": {"violence": {"filtered": False, "severity": "low"}}}]}
    assert azure_findings(low) == ([], True)
    low["choices"][0]["content_filter_results"]["violence"]["filtered"] = True
    assert [item["verdict"] for item in azure_findings(low)[0]] == ["BLOCKED"]
    assert azure_findings({"choices": []}) == ([], False)


def test_gemini_block_reasons_become_policies() -> None:
    found = gemini_verdict({"promptFeedback": {"blockReason": "MODEL_ARMOR", "blockReasonMessage": "violated Prompt Injection filters"}})
    assert found is not None
    assert (found["action"], found["policies"]) == ("BLOCKED", ["PROMPT_ATTACK"])
    assert gemini_verdict({"candidates": [{"finishReason": "STOP"}]}) is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("HARM_CATEGORY_HATE_SPEECH", "HATE"),
        ("self_harm", "SELF_HARM"),
        ("hate/threatening", "HATE"),
        ("pi_and_jailbreak", "PROMPT_ATTACK"),
        ("weather", "OTHER"),
    ],
)
def test_policies_have_one_vocabulary(name: str, kind: str) -> None:
    assert policy(name) == kind


def test_otlp_values_become_plain() -> None:
    listed = [
        {"key": "a", "value": {"intValue": "5"}},
        {"key": "b", "value": {"kvlistValue": {"values": [{"key": "c", "value": {"arrayValue": {"values": [{"boolValue": True}]}}}]}}},
    ]
    assert attributes(listed) == {"a": 5, "b": {"c": [True]}}
    assert plain_value({"arrayValue": {}}) == []
    assert attributes("no list") == {}
