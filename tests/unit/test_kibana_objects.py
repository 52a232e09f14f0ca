"""Kibana's saved objects against a stored description of their types, and the requests that import them against a double.

None of this was tried in a Kibana: what is checked is the form, that every reference is there, and that every field exists in our mapping.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from engine.documents.ecs import SEVERITY
from engine.errors import SinkError, TransientSinkError
from engine.sinks import make_sink
from engine.sinks.elastic.incident_mappings import incident_mappings
from engine.sinks.elastic.kibana import INCIDENTS, OBJECTS, RULE, saved_objects
from engine.sinks.elastic.mappings import mappings
from engine.sinks.elastic.templates import incident_index, index, stream
from engine.sinks.elasticsearch import ElasticsearchSink
from tests.elasticsearch_double import serve
from tests.outbox import configured

SCHEMA = json.loads((Path(__file__).resolve().parents[1] / "data/kibana_saved_objects.json").read_text(encoding="utf-8"))
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "object": dict, "array": list, "boolean": bool, "number": (int, float),
}  # fmt: skip


def objects(name: str, namespace: str = "default") -> list[dict[str, Any]]:
    return [json.loads(line) for line in saved_objects(name, namespace).splitlines()]


def check(value: Mapping[str, Any], needed: Mapping[str, str], known: Mapping[str, str] | None = None) -> None:
    """``value`` has what is needed and nothing that is not known, with these types."""
    kinds = {**(known or {}), **needed}
    assert set(needed) <= set(value), set(needed) - set(value)
    assert set(value) <= set(kinds), set(value) - set(kinds)
    for name, item in value.items():
        assert isinstance(item, TYPES[kinds[name]]), name
        assert kinds[name] == "boolean" or not isinstance(item, bool), name


def at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value[part]
    return value


def fields(mapping: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, field in mapping["properties"].items():
        yield f"{prefix}{name}"
        if "properties" in field:
            yield from fields(field, f"{prefix}{name}.")


KNOWN_FIELDS = {*fields(mappings()), "___records___"}
KNOWN = {OBJECTS: KNOWN_FIELDS, INCIDENTS: {*fields(incident_mappings()), "___records___"}}
TITLES = {OBJECTS: {stream("default"), index("default")}, INCIDENTS: {incident_index("default")}}


@pytest.mark.parametrize("each", [*objects(OBJECTS), *objects(INCIDENTS)], ids=lambda each: str(each["id"]))
def test_saved_objects_have_the_form_of_their_type(each: dict[str, Any]) -> None:
    check(each, SCHEMA["envelope"])
    kind = SCHEMA["types"][each["type"]]
    check(each["attributes"], kind["needed"], kind["known"])
    for path in kind["text"]:
        json.loads(at(each["attributes"], path))
    for reference in each["references"]:
        check(reference, SCHEMA["reference"])


@pytest.mark.parametrize("name", KNOWN)
def test_all_references_are_there_and_all_ids_are_ours(name: str) -> None:
    made = objects(name)
    ids = {(each["type"], each["id"]) for each in made}
    assert len(ids) == len(made)
    assert all(identity.startswith("crosswind-") for _, identity in ids)
    assert {(each["type"], each["id"]) for one in made for each in one["references"]} <= ids
    titles = {each["attributes"]["title"] for each in made if each["type"] == "index-pattern"}
    assert titles == TITLES[name]


def test_no_object_of_incidents_takes_the_place_of_one_of_alerts() -> None:
    ids, titles = ([{at(each, path) for each in objects(name)} for name in KNOWN] for path in ("id", "attributes.title"))
    assert not ids[0] & ids[1]
    assert not titles[0] & titles[1]


@pytest.mark.parametrize("name", KNOWN)
def test_charts_use_operations_and_fields_that_exist(name: str) -> None:
    for each in objects(name):
        if each["type"] != "lens":
            continue
        state = each["attributes"]["state"]
        check({name: state[name] for name in SCHEMA["lens"]["state"]}, SCHEMA["lens"]["state"])
        assert each["attributes"]["visualizationType"] in SCHEMA["lens"]["visualizations"]
        for layer, content in state["datasourceStates"]["formBased"]["layers"].items():
            assert f"indexpattern-datasource-layer-{layer}" in {reference["name"] for reference in each["references"]}
            assert content["columnOrder"] == list(content["columns"])
            for column in content["columns"].values():
                assert column["sourceField"] in KNOWN[name]
                assert column["dataType"] == SCHEMA["lens"]["operations"][column["operationType"]]
        used = json.dumps(state["visualization"])
        assert all(f'"{column}"' in used for column in content["columns"])


@pytest.mark.parametrize("name", KNOWN)
def test_the_search_shows_fields_that_exist(name: str) -> None:
    [search] = [each for each in objects(name) if each["type"] == "search"]
    assert {*search["attributes"]["columns"], *(field for field, _ in search["attributes"]["sort"])} <= KNOWN[name]


@pytest.mark.parametrize("name", KNOWN)
def test_the_panels_of_the_dashboard_do_not_overlap_and_refer_to_objects(name: str) -> None:
    [dashboard] = [each for each in objects(name) if each["type"] == "dashboard"]
    taken: set[tuple[int, int]] = set()
    panels = json.loads(dashboard["attributes"]["panelsJSON"])
    for panel in panels:
        check(panel, SCHEMA["panel"])
        grid = panel["gridData"]
        cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < SCHEMA["columns_of_the_dashboard"]
        taken |= cells
    assert {f"{panel['panelIndex']}:{panel['panelRefName']}" for panel in panels} == {each["name"] for each in dashboard["references"]}


def test_the_rule_promotes_by_the_time_of_delivery_and_keeps_our_severities() -> None:
    [rule] = objects(RULE)
    check(rule, SCHEMA["rule"]["needed"], SCHEMA["rule"]["known"])
    assert rule["index"] == [stream("default")]
    assert rule["timestamp_override"] == "event.ingested"
    assert {each["field"] for each in rule["severity_mapping"] + rule["risk_score_mapping"]} <= KNOWN_FIELDS
    assert [(int(each["value"]), each["severity"]) for each in rule["severity_mapping"]] == [
        (number, level.word) for level, number in sorted(SEVERITY.items())
    ]
    assert [each["severity"] for each in rule["severity_mapping"]] == SCHEMA["rule"]["severities"]


def test_another_namespace_has_objects_of_its_own() -> None:
    text = saved_objects(OBJECTS, "prod") + saved_objects(INCIDENTS, "prod") + saved_objects(RULE, "prod")
    assert b"-default" not in text
    assert index("prod").encode() in text
    assert stream("prod").encode() in text


@contextmanager
def kibana(status: int, body: dict[str, Any]) -> Iterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    """A Kibana that gives one answer to everything, and what it was asked."""
    asked: list[tuple[str, dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked.append((self.path, headers, self.rfile.read(int(headers["content-length"]))))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 the name is the library's
            """Quiet."""

    with serve(Handler) as port:
        yield f"http://127.0.0.1:{port}", asked


def sink(url: str, **options: object) -> ElasticsearchSink:
    made = make_sink(configured("siem", "elasticsearch", hosts="http://h", kibana=url, **options))
    assert isinstance(made, ElasticsearchSink)
    return made


def test_all_files_are_imported_with_the_credentials_of_the_sink() -> None:
    with kibana(200, {"success": True, "successCount": 9}) as (url, asked):
        said = sink(f"{url}/base/", api_key="a2V5", kibana_space="soc").kibana.install("prod")
    assert said == [f"{name}: 9 objects imported into Kibana" for name in (OBJECTS, INCIDENTS, RULE)]
    assert [path for path, _, _ in asked] == [
        *["/base/s/soc/api/saved_objects/_import?overwrite=true"] * 2,
        "/base/s/soc/api/detection_engine/rules/_import?overwrite=true",
    ]
    for name, (_, headers, body) in zip((OBJECTS, INCIDENTS, RULE), asked, strict=True):
        assert headers["kbn-xsrf"] == "crosswind"
        assert headers["authorization"] == "ApiKey a2V5"
        message = BytesParser().parsebytes(b"content-type: " + headers["content-type"].encode() + b"\r\n\r\n" + body)
        [part] = [each for each in message.walk() if not each.is_multipart()]
        assert part.get_filename() == name
        assert bytes(part.get_payload(decode=True)).strip() == saved_objects(name, "prod").strip()


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (401, {"message": "who are you"}, SinkError, "401.*who are you"),
        (503, {"message": "not ready"}, TransientSinkError, "503.*not ready"),
        (200, {"success": False, "errors": [{"id": "x", "error": {"type": "conflict"}}]}, SinkError, "did not import all.*conflict"),
    ],
)
def test_what_kibana_refuses_is_told(status: int, body: dict[str, Any], error: type[Exception], message: str) -> None:
    with kibana(status, body) as (url, _), pytest.raises(error, match=message):
        sink(url, username="eve", password="pass").kibana.install("default")


def test_a_kibana_that_is_away_is_told() -> None:
    with pytest.raises(TransientSinkError, match="cannot be reached"):
        sink("http://127.0.0.1:9").kibana.install("default")
