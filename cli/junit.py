"""The results of a corpus as JUnit XML, as CI servers read it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ..session.words import visible
from .check_job import Checked

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold (section 2.2)."""


def junit_xml(results: Sequence[Checked], seconds: float) -> bytes:
    """A `testsuite` with a `testcase` for each recording."""
    failures = [one for one in results if one.verdict in ("diverged", "incomplete")]
    errors = [one for one in results if one.verdict == "error"]
    suite = Element(
        "testsuite",
        name="realtape",
        tests=str(len(results)),
        failures=str(len(failures)),
        errors=str(len(errors)),
        skipped="0",
        time=f"{seconds:.3f}",
    )
    for one in results:
        path = PurePath(one.name)
        case = SubElement(
            suite,
            "testcase",
            classname=_text(str(path.parent)),
            name=_text(path.name),
            time=f"{one.seconds:.3f}",
        )
        if one.page:
            properties = SubElement(case, "properties")
            SubElement(properties, "property", name="realtape_page", value=_text(one.page))
        if one.verdict != "same":
            tag = "error" if one.verdict == "error" else "failure"
            failure = SubElement(case, tag, type=one.verdict, message=_text(one.problem))
            failure.text = _text(one.text)
        printed = f"same, but {one.remark}\n{one.text}\n" if one.remark else ""
        printed += one.printed
        if printed:
            SubElement(case, "system-out").text = _text(printed)
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    return tostring(root, encoding="utf-8", xml_declaration=True)


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", visible(text, lines=True))
