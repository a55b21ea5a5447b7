"""Every format, compared as a whole with what it has to be."""

from __future__ import annotations

import functools
import json
import os
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from kfp_k8s_manifest import validate_text
from kfp_k8s_manifest.findings import FileResult, Finding, PassedOver, Report, Severity
from kfp_k8s_manifest.render import FORMATS, render

ERROR = Finding(
    rule="crd-type",
    severity=Severity.ERROR,
    message="spec.displayName must be a string, not 8.",
    path=("spec", "displayName"),
    value=8,
    hint='Write it in quotes: "08".',
    cluster_message="spec.displayName: Invalid value",
    kind="PipelineVersion",
    namespace="team-a",
    name="train-v1",
    file="dir/a b.yaml",
    line=7,
    column=16,
)
WARNING = Finding(
    rule="component-unused",
    severity=Severity.WARNING,
    message="100% odd,\nname: \x1b[31m<red> & more",
    path=("spec", "pipelineSpec", "components", "comp-a"),
    kind="PipelineVersion",
    name="train-v1",
    file="dir/a b.yaml",
    line=9,
)
UNREAD = Finding(
    rule="file-unreadable",
    severity=Severity.ERROR,
    message="it cannot be read: permission denied",
    file="secret.yaml",
)
REPORT = Report(
    target="2.17",
    findings=(ERROR, WARNING, UNREAD),
    files=(
        FileResult(name="dir/a b.yaml", objects=2, skipped=1),
        FileResult(name="good.yaml", objects=1, skipped=0),
        FileResult(name="other.yaml", objects=0, skipped=3),
        FileResult(name="secret.yaml", objects=0, skipped=0),
    ),
    excerpts={("dir/a b.yaml", 7): "  displayName: 08", ("dir/a b.yaml", 9): "\tcomp-a: {}"},
)
EMPTY = Report(target="portable", findings=(), files=())


def test_text() -> None:
    assert render(REPORT, "text") == (
        "dir/a b.yaml:7:16: error[crd-type]: spec.displayName must be a string, not 8.\n"
        "  7 |   displayName: 08\n"
        "    |                ^\n"
        "  in PipelineVersion team-a/train-v1\n"
        '  fix: Write it in quotes: "08".\n'
        "  the cluster says: spec.displayName: Invalid value\n"
        "\n"
        "dir/a b.yaml:9: warning[component-unused]: 100% odd,\\nname: \\x1b[31m<red> & more\n"
        "  9 | \\tcomp-a: {}\n"
        "  in PipelineVersion train-v1, spec.pipelineSpec.components[comp-a]\n"
        "\n"
        "secret.yaml: error[file-unreadable]: it cannot be read: permission denied\n"
        "\n"
        "3 objects in 4 files (4 of other kinds skipped), target 2.17: invalid; 2 errors,"
        " 1 warning, 1 file could not be checked.\n"
    )


def test_text_in_colours() -> None:
    text = render(Report(target="2.17", findings=(ERROR,), files=()), "text", color=True)
    assert text.startswith(
        "\033[1mdir/a b.yaml:7:16\033[0m: \033[31merror[crd-type]\033[0m: spec.displayName"
    )


@pytest.mark.parametrize(
    ("line", "column", "shown", "caret"),
    [
        ("a: b", 4, "a: b", 3),
        ("字: b", 4, "字: b", 4),
        ("e\u0301: b", 5, "e\u0301: b", 3),
        ("\t: b", 4, "\\t: b", 4),
        ("x" * 80 + "Y" + "z" * 80, 81, "…" + "x" * 60 + "Y" + "z" * 39 + "…", 61),
        ("x" * 100, 1, "x" * 100, 0),
        ("x" * 101, 1, "x" * 100 + "…", 0),
        ("ab", 3, "ab", 2),
    ],
)
def test_the_caret_stands_under_the_column(line: str, column: int, shown: str, caret: int) -> None:
    finding = Finding(
        rule="r", severity=Severity.NOTE, message="m", file="f", line=1, column=column
    )
    report = Report(target="kep", findings=(finding,), files=(), excerpts={("f", 1): line})
    assert render(report, "text").splitlines()[1:3] == [f"  1 | {shown}", "    | " + " " * caret + "^"]  # fmt: skip


@pytest.mark.parametrize(
    ("report", "strict", "line"),
    [
        (EMPTY, False, "0 objects in 0 files, target portable: nothing to check."),
        (
            Report(target="2.16", findings=(), files=(FileResult(name="a", objects=1, skipped=0),)),
            False,
            "1 object in 1 file, target 2.16: valid.",
        ),
        (
            Report(target="2.16", findings=(WARNING,), files=()),
            False,
            "0 objects in 0 files, target 2.16: valid; 1 warning.",
        ),
        (
            Report(target="2.16", findings=(WARNING,), files=()),
            True,
            "0 objects in 0 files, target 2.16: invalid; 1 warning.",
        ),
    ],
)
def test_summary(report: Report, strict: bool, line: str) -> None:
    assert render(report, "text", strict=strict).splitlines()[-1] == line


def test_json() -> None:
    text = render(REPORT, "json")
    assert json.loads(text) == {
        "version": 1,
        "target": "2.17",
        "findings": [
            {
                "rule": "crd-type",
                "severity": "error",
                "file": "dir/a b.yaml",
                "line": 7,
                "column": 16,
                "kind": "PipelineVersion",
                "namespace": "team-a",
                "name": "train-v1",
                "field": "spec.displayName",
                "value": 8,
                "message": "spec.displayName must be a string, not 8.",
                "hint": 'Write it in quotes: "08".',
            },
            {
                "rule": "component-unused",
                "severity": "warning",
                "file": "dir/a b.yaml",
                "line": 9,
                "column": None,
                "kind": "PipelineVersion",
                "namespace": "",
                "name": "train-v1",
                "field": "spec.pipelineSpec.components[comp-a]",
                "value": None,
                "message": "100% odd,\nname: \x1b[31m<red> & more",
                "hint": "",
            },
            {
                "rule": "file-unreadable",
                "severity": "error",
                "file": "secret.yaml",
                "line": None,
                "column": None,
                "kind": "",
                "namespace": "",
                "name": "",
                "field": "",
                "value": None,
                "message": "it cannot be read: permission denied",
                "hint": "",
            },
        ],
        "summary": {
            "files": 4,
            "objects": 3,
            "skipped": 4,
            "files_skipped": 0,
            "errors": 2,
            "warnings": 1,
            "notes": 0,
        },
    }
    assert render(EMPTY, "json") == (
        '{\n  "version": 1,\n  "target": "portable",\n  "findings": [],\n  "summary": {"files": 0,'
        ' "objects": 0, "skipped": 0, "files_skipped": 0, "errors": 0, "warnings": 0,'
        ' "notes": 0}\n}\n'
    )


def test_json_shows_any_value() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    for value, shown in ((float("nan"), "nan"), (deep, "(not shown)")):
        finding = Finding(rule="r", severity=Severity.NOTE, message="m", value=value)
        report = Report(target="kep", findings=(finding,), files=())
        assert json.loads(render(report, "json"))["findings"][0]["value"] == shown


def test_github() -> None:
    assert render(REPORT, "github") == (
        "::error file=dir/a b.yaml,line=7,col=16,title=crd-type::spec.displayName must be a"
        ' string, not 8. Write it in quotes: "08". (PipelineVersion team-a/train-v1)\n'
        "::warning file=dir/a b.yaml,line=9,title=component-unused::100%25 odd,%0Aname:"
        " \x1b[31m<red> & more (PipelineVersion train-v1)\n"
        "::error file=secret.yaml,title=file-unreadable::it cannot be read: permission denied\n"
        "3 objects in 4 files (4 of other kinds skipped), target 2.17: invalid; 2 errors,"
        " 1 warning, 1 file could not be checked.\n"
    )


def test_github_escapes_the_name_of_a_file() -> None:
    finding = Finding(
        rule="r", severity=Severity.NOTE, message="m", file="a,b:c%\n::error::.yaml", line=1
    )
    report = Report(target="kep", findings=(finding,), files=())
    assert render(report, "github").splitlines()[0] == (
        "::notice file=a%2Cb%3Ac%25%0A%3A%3Aerror%3A%3A.yaml,line=1,title=r::m"
    )
    stdin = Report(target="kep", findings=(finding.at(file="<stdin>", line=3),), files=())
    assert render(stdin, "github").splitlines()[0] == "::notice line=3,title=r::m"


def test_junit() -> None:
    assert render(REPORT, "junit") == (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<testsuites name="kfp-k8s" tests="4" failures="1" errors="1" skipped="1">\n'
        '  <testsuite name="kfp-k8s validate --target 2.17" tests="4" failures="1" errors="1"'
        ' skipped="1">\n'
        '    <testcase classname="kfp-k8s" name="dir/a b.yaml">\n'
        '      <failure type="crd-type" message="spec.displayName must be a string, not 8.">'
        "7:16: error[crd-type]: spec.displayName must be a string, not 8. Write it in quotes:"
        ' "08". (PipelineVersion team-a/train-v1)</failure>\n'
        "      <system-out>9: warning[component-unused]: 100% odd,\nname: \ufffd[31m&lt;red&gt;"
        " &amp; more (PipelineVersion train-v1)</system-out>\n"
        "    </testcase>\n"
        '    <testcase classname="kfp-k8s" name="good.yaml"/>\n'
        '    <testcase classname="kfp-k8s" name="other.yaml">\n'
        '      <skipped message="no Pipeline or PipelineVersion in it"/>\n'
        "    </testcase>\n"
        '    <testcase classname="kfp-k8s" name="secret.yaml">\n'
        '      <error type="file-unreadable" message="it cannot be read: permission denied">'
        "error[file-unreadable]: it cannot be read: permission denied</error>\n"
        "    </testcase>\n"
        "  </testsuite>\n</testsuites>\n"
    )


def test_junit_under_strict_and_with_odd_characters() -> None:
    finding = Finding(
        rule="r", severity=Severity.WARNING, message='\x00"<&>\n\ud800]]>', file="a\n\"'.yaml"
    )
    file = FileResult(name=finding.file, objects=1, skipped=0)
    report = Report(target="kep", findings=(finding, finding), files=(file,))
    root = ET.fromstring(render(report, "junit", strict=True))
    case = root.find("testsuite/testcase")
    assert case is not None
    assert case.get("name") == "a\n\"'.yaml"
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == '\ufffd"<&>\n\ufffd]]> (and 1 more)'
    assert ET.fromstring(render(report, "junit")).get("failures") == "0"


def sarif(report: Report) -> Any:
    return json.loads(render(report, "sarif"))


def test_sarif() -> None:
    log = sarif(REPORT)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["component-unused", "crd-type", "file-unreadable"]
    assert run["results"][0] == {
        "ruleId": "crd-type",
        "ruleIndex": 1,
        "level": "error",
        "message": {"text": 'spec.displayName must be a string, not 8. Write it in quotes: "08".'},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "dir/a%20b.yaml"},
                    "region": {"startLine": 7, "startColumn": 16},
                },
                "logicalLocations": [
                    {
                        "kind": "member",
                        "fullyQualifiedName": "PipelineVersion/team-a/train-v1/spec.displayName",
                    }
                ],
            }
        ],
    }
    assert [result["ruleId"] for result in run["results"]] == ["crd-type", "component-unused"]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    (missed,) = invocation["toolExecutionNotifications"]
    assert missed["descriptor"] == {"id": "file-unreadable", "index": 2}
    assert missed["level"] == "error"


@pytest.mark.parametrize("report", [REPORT, EMPTY])
def test_sarif_fits_the_schema_of_the_standard(report: Report) -> None:
    """The models of `pydantic-sarif` are generated from the schema; they refuse unknown fields."""
    if not os.environ.get("CI"):
        pytest.importorskip("pydantic_sarif")
    from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Log

    Log.model_validate_json(render(report, "sarif"))
    broken = sarif(report)
    broken["runs"][0]["bogus"] = 1
    with pytest.raises(ValueError, match="bogus"):
        Log.model_validate(broken)


def test_an_unknown_format_is_refused() -> None:
    assert FORMATS == ("text", "json", "sarif", "github", "junit")
    with pytest.raises(KeyError):
        render(EMPTY, "xml")


LONG = "x" * 1_000_000
LONG_KEYS = json.dumps(
    {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": "PipelineVersion",
        "metadata": {"name": LONG, "namespace": f"{LONG}!", "labels": {LONG: LONG, "b": LONG}},
        "spec": {
            LONG: 1,
            "pipelineName": LONG,
            "pipelineSpec": {LONG: {LONG: 1}, "root": LONG},
        },
    }
)


@functools.cache
def long_report() -> Report:
    return validate_text(LONG_KEYS)


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_report_is_not_as_long_as_the_names_in_a_manifest(format_name: str) -> None:
    report = long_report()
    assert len(report.findings) > 5
    text = render(report, format_name)
    # Of a message, a hint and what the cluster says there are at most 2,000 characters, and SARIF
    # holds the documentation of the rules besides.
    assert len(text) < 20_000 * len(report.findings)
    assert max(map(len, text.splitlines())) < 20_000
    assert "x" * 200 in text
    assert "x" * 2_000 not in text


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_long_message_keeps_its_end(format_name: str) -> None:
    finding = Finding(
        rule="kind", severity=Severity.ERROR, message=f"begin {LONG} end", hint="h" * 3000
    )
    text = render(Report(target="kep", findings=(finding,), files=()), format_name)
    assert "begin xxx" in text
    assert "xxx end" in text
    assert "h" * 2001 not in text
    assert len(text) < 30_000


WHOLE = Finding(
    rule="nothing-to-check", severity=Severity.ERROR, message="There is nothing.", hint="Name it."
)
WITHOUT_FILE = Report(
    target="kep",
    findings=(WHOLE,),
    files=(FileResult(name="a.yaml", objects=0, skipped=1),),
    passed_over=(PassedOver(name="t<s>.json", reason='no "YAML"'),),
)


def test_what_concerns_no_file_and_what_is_skipped() -> None:
    summary = (
        "0 objects in 1 file (1 of other kinds and 1 other file skipped), target kep: invalid;"
        " 1 error.\n"
    )
    assert render(WITHOUT_FILE, "text") == (
        f"error[nothing-to-check]: There is nothing.\n  fix: Name it.\n\n{summary}"
    )
    assert render(WITHOUT_FILE, "github") == (
        f"::error title=nothing-to-check::There is nothing. Name it.\n{summary}"
    )
    assert json.loads(render(WITHOUT_FILE, "json"))["summary"]["files_skipped"] == 1
    suites = ET.fromstring(render(WITHOUT_FILE, "junit"))
    assert dict(suites.attrib) == {
        "name": "kfp-k8s",
        "tests": "3",
        "failures": "1",
        "errors": "0",
        "skipped": "2",
    }
    assert [(case.get("name"), [each.tag for each in case]) for case in suites[0]] == [
        ("a.yaml", ["skipped"]),
        ("(all files)", ["failure"]),
        ("t<s>.json", ["skipped"]),
    ]
    assert suites[0][2][0].get("message") == 'no "YAML"'
    (run,) = json.loads(render(WITHOUT_FILE, "sarif"))["runs"]
    # Services for code scanning refuse a result without a place.
    assert run["results"] == []
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["message"]["text"] == "There is nothing."
    assert notification["descriptor"]["id"] == "nothing-to-check"


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_name_of_a_file_may_be_any_bytes(format_name: str) -> None:
    name = os.fsdecode(b"caf\xe9.yaml")
    finding = Finding(rule="kind", severity=Severity.ERROR, message="m", file=name, line=1)
    report = Report(
        target="kep",
        findings=(finding,),
        files=(FileResult(name=name, objects=1, skipped=0),),
        excerpts={(name, 1): name},
    )
    render(report, format_name).encode("utf-8")
