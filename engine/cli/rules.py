"""`crosswind rules …`: check, test, list, show, explain, count and begin rules."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import Pipelines, Variables

rules = typer.Typer(
    no_args_is_help=True,
    help="Check, test, list, explain and write rules. Without PATH these commands look at the built-in detections.",
)

Paths = Annotated[list[Path] | None, typer.Argument(metavar="[PATH]…", help="Rule files or directories. Default: the built-in detections.")]
Beside = Annotated[list[Path] | None, typer.Option("--rules", metavar="PATH", help="Rules to look at instead of the built-in ones. May be repeated.")]


class Format(StrEnum):
    table = "table"
    json = "json"


class CoverageFormat(StrEnum):
    table = "table"
    json = "json"
    navigator = "navigator"


Form = Annotated[Format, typer.Option("--format", help="For people, or one JSON document.")]


@rules.command()
def check(paths: Paths = None, pipelines: Pipelines = None, variables: Variables = None, form: Form = Format.table) -> int:
    """Say what is wrong with rules: what does not load or compile, fields that cannot exist, unknown tags, log sources nobody has.

    Each finding has its place. Exit code 3 when there are errors; warnings and hints cost nothing.
    """
    from engine.documents.destination import open_output
    from engine.pipeline.authoring.lint import check as run
    from engine.report.findings import write_findings
    from engine.report.rule_files import rule_files

    checked = run(rule_files(paths, pipelines, variables))
    with open_output(None) as stream:
        write_findings(checked, form.value, stream)
    return checked.exit_code


@rules.command("test")
def try_(
    paths: Paths = None,
    pipelines: Pipelines = None,
    variables: Variables = None,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write the results as JUnit XML.")] = None,
) -> int:
    """Run the tests that stand in rules: records each must or must not match.

    A test goes the way of a scan: the record is recognised, normalised and run through the compiled rule. Exit code 3 when a test failed.
    """
    from engine.documents.destination import check_outputs, open_output
    from engine.pipeline.authoring.testing import run_tests
    from engine.report.rule_files import rule_files
    from engine.report.rule_tests import write_junit, write_tested

    check_outputs(junit=junit)
    tested = run_tests(rule_files(paths, pipelines, variables))
    with open_output(None) as stream:
        write_tested(tested, stream)
    if junit is not None:
        write_junit(tested, junit)
    return tested.exit_code


@rules.command("list")
def list_(
    paths: Paths = None,
    product: Annotated[str | None, typer.Option("--product", help="Only rules for this product: aws, azure, gcp, ai, cloud, …")] = None,
    service: Annotated[str | None, typer.Option("--service", help="Only rules for this service: cloudtrail, signinlogs, …")] = None,
    level: Annotated[str | None, typer.Option("--level", help="Only rules of this level.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Only rules with this tag: attack.t1552, t1552, owasp.llm01-2025.")] = None,
    form: Form = Format.table,
) -> int:
    """List rules, correlations and filters as they stand in their files."""
    from engine.documents.destination import open_output
    from engine.documents.escaping import safe_text
    from engine.report.rule_files import rule_files
    from engine.report.rule_list import Wanted, list_rules, write_list

    listed, errors = list_rules(rule_files(paths), Wanted(product, service, level, tag))
    with open_output(None) as stream:
        write_list(listed, form.value, stream)
    sys.stderr.write("".join(f"{safe_text(str(error))}\n" for error in errors))
    return 3 if errors else 0


@rules.command()
def explain(
    rule: Annotated[str, typer.Argument(metavar="ID|NAME|TITLE|FILE", help="The rule.")],
    events: Annotated[list[str], typer.Argument(metavar="EVENT.json…", help="Records as their provider writes them; `-` is standard input.")],
    beside: Beside = None,
    source: Annotated[str | None, typer.Option("--source", help="Take the records for those of this source.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Explain at most so many records.")] = 10,
    show_content: Annotated[bool, typer.Option("--show-content", help="Do not redact prompts, completions and credentials.")] = False,
    pipelines: Pipelines = None,
    variables: Variables = None,
    form: Form = Format.table,
) -> int:
    """Say why a rule matches records or does not: its condition, part by part, true or false, with the value each part saw."""
    from engine.documents.destination import open_output
    from engine.documents.escaping import safe_text
    from engine.pipeline.authoring.explain import explain as run
    from engine.report.explanation import write_explanation
    from engine.report.rule_files import rule_files

    files = rule_files(beside, pipelines, variables)
    explanation = run(files, rule, events, source=source, limit=limit, show_content=show_content, stdin=sys.stdin.buffer)
    with open_output(None) as stream:
        write_explanation(explanation, form.value, stream)
    sys.stderr.write("".join(f"{safe_text(problem)}\n" for problem in explanation.problems))
    return explanation.exit_code


@rules.command()
def show(
    rule: Annotated[str, typer.Argument(metavar="ID|NAME|TITLE|FILE", help="A rule or correlation.")],
    beside: Beside = None,
    pipelines: Pipelines = None,
    variables: Variables = None,
    form: Form = Format.table,
) -> int:
    """Show a rule: the sources that feed it, where its fields are found there, its condition, its tags by name, its correlations."""
    from engine.documents.destination import open_output
    from engine.pipeline.authoring.show import show as run
    from engine.report.rule_files import rule_files
    from engine.report.rule_view import write_views

    views = run(rule_files(beside, pipelines, variables), rule)
    with open_output(None) as stream:
        write_views(views, form.value, stream)
    return 0


@rules.command()
def coverage(
    paths: Paths = None,
    inputs: Annotated[
        list[str] | None, typer.Option("--input", metavar="PATH", help="Logs to tell apart the rules that cannot fire on them. May be repeated.")
    ] = None,
    pipelines: Pipelines = None,
    variables: Variables = None,
    form: Annotated[CoverageFormat, typer.Option("--format", help="For people, JSON, or a layer for the ATT&CK Navigator.")] = CoverageFormat.table,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file.")] = None,
) -> int:
    """Count the rules for each tactic and technique of ATT&CK and ATLAS and each risk of the OWASP lists for LLM applications and agents."""
    from engine.documents.destination import check_outputs, open_output
    from engine.documents.escaping import safe_text
    from engine.pipeline.authoring.coverage import cover
    from engine.report.coverage import write_coverage
    from engine.report.rule_files import rule_files

    check_outputs(output=output)
    found, errors = cover(rule_files(paths, pipelines, variables), inputs or (), sys.stdin.buffer)
    with open_output(output) as stream:
        write_coverage(found, form.value, stream)
    sys.stderr.write("".join(f"{safe_text(error)}\n" for error in errors))
    return 3 if errors else 0


@rules.command()
def new(
    logsource: Annotated[
        str, typer.Option("--logsource", metavar="PRODUCT/SERVICE", help="What the rule is for: aws/cloudtrail, ai, cloud, …")
    ] = "aws/cloudtrail",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file, which must not exist yet.")] = None,
) -> int:
    """Write a first version of a rule, with tests, that loads and passes them as it is."""
    from engine.documents.destination import check_outputs, open_output
    from engine.errors import UsageError
    from engine.pipeline.authoring.template import template

    check_outputs(output=output)
    if output is not None and output.exists():
        raise UsageError(f"{output} exists already; choose another file with -o")
    text = template(logsource, datetime.now(UTC).date())
    with open_output(output) as stream:
        stream.write(text)
    return 0
