"""Write a class as JUnit's XML: a suite a student, a case an exercise.

The elements and attributes are those that every reader of the format knows.
https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from autograder.grading.exports.marks import final_points, number
from autograder.plain_text import plain_line

if TYPE_CHECKING:
    from autograder.grading.report.results import ExerciseResult, StudentResult


def junit_xml(rows: Sequence[StudentResult]) -> bytes:
    """Return the file for a class.

    What is ungraded or could not be read is skipped with its reason; it is neither passed nor
    failed, and its suite has no score.
    """
    suites = [_suite(row) for row in rows]
    root = ElementTree.Element("testsuites")
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    root.extend(suites)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _suite(row: StudentResult) -> ElementTree.Element:
    points = final_points(row)
    cases = [_case(exercise) for exercise in row.exercises]
    suite = ElementTree.Element("testsuite", name=plain_line(row.student))
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", "0")
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    about = {"status": row.status, "max_score": number(row.max_score)}
    if points is not None:
        about["score"] = number(points)
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in about.items():
        ElementTree.SubElement(properties, "property", name=name, value=value)
    suite.extend(cases)
    return suite


def _case(exercise: ExerciseResult) -> ElementTree.Element:
    lesson, _, name = exercise.id.partition(".")
    case = ElementTree.Element(
        "testcase", classname=plain_line(lesson), name=plain_line(name or lesson)
    )
    message = plain_line(exercise.message)
    if exercise.counted is None:
        ElementTree.SubElement(case, "skipped", message=message)
        return case
    if exercise.outcome != "passed" and exercise.counted < exercise.max_points:
        failure = ElementTree.SubElement(case, "failure", type=plain_line(exercise.outcome))
        failure.set("message", message)
    told = ElementTree.SubElement(case, "system-out")
    told.text = f"{number(exercise.counted)} of {number(exercise.max_points)} points"
    return case
