"""The SDK's own realtime tests, without and with a RecordingModel under every session: they must not notice.

    python tests/sdk_suite/run.py [--sdk 0.24.0]

Downloads the SDK's source by pip into a temporary folder, makes an environment there, runs the suite
twice, and prints both counts and the tests that differ. Takes about two minutes. Exit code 0: only tests
differ that ask whether the session's model is the very object that they made.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
REQUIREMENTS = (
    "pytest",
    "pytest-asyncio",
    "pytest-mock",
    "inline-snapshot",
    "httpx",
    "fastapi<1",
    "twilio>=9,<10",
)
IDENTITY = frozenset(
    {
        "tests.realtime.test_runner::test_run_preserves_falsey_custom_model",
        "tests.realtime.test_session::test_property_and_send_helpers_and_enter_alias",
    }
)
"""Assert `session.model is model`: what no wrapper can be."""

Outcomes = dict[str, str]


def main(arguments: Sequence[str]) -> int:
    """Run the suite twice; 0 if only the tests of IDENTITY differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sdk", default=version("openai-agents"), metavar="VERSION")
    sdk: str = parser.parse_args(arguments).sdk
    with tempfile.TemporaryDirectory(prefix="realtape-sdk-suite-") as folder:
        work = Path(folder)
        source = download(sdk, work)
        python = make_environment(sdk, work)
        without = run_suite(python, source, work / "without.xml")
        store = work / "suite.db"
        recorded = run_suite(python, source, work / "recorded.xml", store)
        say(f"openai-agents {sdk}, tests/realtime")
        say(f"without a recorder: {told(without)}")
        say(f"recorded:           {told(recorded)}")
        say(f"in the log:         {contents(store)}")
    differing = sorted(
        name for name in without.keys() | recorded.keys() if without.get(name) != recorded.get(name)
    )
    for name in differing:
        reason = " (asks for the object itself)" if name in IDENTITY else ""
        say(f"  {name}: {without.get(name)} → {recorded.get(name)}{reason}")
    return 0 if without and set(differing) <= IDENTITY else 1


def download(sdk: str, work: Path) -> Path:
    """The SDK's source distribution, unpacked: its tests are nowhere else."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wanted = ["--no-deps", "--no-binary", "openai-agents", f"openai-agents=={sdk}"]
    subprocess.run([*pip, "download", *wanted, "--dest", str(work)], check=True)
    [archive] = work.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(work, filter="data")
    return work / archive.name.removesuffix(".tar.gz")


def make_environment(sdk: str, work: Path) -> Path:
    """An environment with that SDK, what its tests need, and this checkout."""
    subprocess.run([sys.executable, "-m", "venv", str(work / "venv")], check=True)
    python = work / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    subprocess.run([*pip, f"openai-agents=={sdk}", *REQUIREMENTS, "--editable", str(REPOSITORY)], check=True)
    return python


def run_suite(python: Path, source: Path, report: Path, store: Path | None = None) -> Outcomes:
    """What became of each test; recorded to `store`, if there is one."""
    # From its source folder, not as installed: some tests look for their own paths in tracebacks.
    paths = [str(source / "src")]
    command = [str(python), "-m", "pytest", "tests/realtime", "-q", "-p", "no:cacheprovider"]
    command.append(f"--junitxml={report}")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("REALTAPE_")}
    if store is not None:
        paths.append(str(HERE))
        command += ["-p", "recording_plugin"]
        environment["REALTAPE_SUITE_STORE"] = str(store)
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    subprocess.run(command, cwd=source, env=environment, check=False, stdout=subprocess.DEVNULL)
    outcomes: Outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):  # written by the pytest that we started
        name = f"{case.get('classname')}::{case.get('name')}"
        outcomes[name] = next(
            (child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed"
        )
    return outcomes


def told(outcomes: Outcomes) -> str:
    """The outcomes, counted."""
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(Counter(outcomes.values()).items()))


def contents(store: Path) -> str:
    """That something was recorded at all, and nothing lost."""
    connection = sqlite3.connect(store)
    try:
        query = "SELECT count(DISTINCT session), count(*), sum(kind = 'gap') FROM entries"
        sessions, entries, gaps = connection.execute(query).fetchone()
    finally:
        connection.close()
    return f"{entries} entries of {sessions} sessions, {gaps} gaps"


def say(line: str) -> None:
    """A line for the reader."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
