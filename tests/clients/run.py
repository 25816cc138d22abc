"""Real clients through the proxy to a provider on this machine, and then offline from the replay server.

    python tests/clients/run.py [--times 10] [CLIENT …]

Each leads the same conversation (`conversation.py`): a text turn, one with a tool call, a spoken one. What it
got live and what it gets from the recording must be the same: transcripts, audio, calls. Clients that are not
OpenAI's for Python are installed into `build/clients` when they are first asked for. Exit code 0: all are.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from clients.conversation import ANSWERS, CALL, SPEECH, TEXTS
from realtape.provider import FunctionCall, LiveScript, LiveTurn, LocalProvider, Reply, Script, Speech
from realtape.wire import RecordingProxy, ReplayServer, SelfMadeCertificate

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
ENVIRONMENTS = REPOSITORY / "build" / "clients"
SCRIPT = Script(
    [Reply.speech(ANSWERS[0]), Reply.function_call(*CALL), *map(Reply.speech, ANSWERS[1:])],
    ["What does it cost?"],
)
LIVE_SCRIPT = LiveScript(
    [
        LiveTurn(300, Speech(ANSWERS[1]), TEXTS[1], FunctionCall(*CALL)),
        LiveTurn(2_500, Speech(ANSWERS[2]), "What does it cost?"),
    ]
)
PACE = 0.02
GUARD_SECONDS = 120.0
NODE_PACKAGES = ("openai", "@openai/agents-realtime", "ws", "zod")


@dataclass(frozen=True)
class Client:
    """A client.

    Attributes:
        name: of its package.
        program: in this folder.
        install: gives the interpreter that runs it, and its version; raises CalledProcessError or OSError
            where it cannot be installed.
        secure: it insists on `wss://`.
        script: what the provider says.
    """

    name: str
    program: str
    install: Callable[[], tuple[Path, str]]
    secure: bool = False
    script: Script | LiveScript = SCRIPT

    @property
    def answers(self) -> list[str]:
        """What the model is to say to it."""
        return list(ANSWERS if isinstance(self.script, Script) else ANSWERS[1:])


def _ours(package: str) -> Callable[[], tuple[Path, str]]:
    return lambda: (Path(sys.executable), version(package))


def _python(package: str, requirement: str) -> Callable[[], tuple[Path, str]]:
    """In an environment of its own: what these need is not what we need."""

    def install() -> tuple[Path, str]:
        home = ENVIRONMENTS / package
        python, ready = home / "bin" / "python", home / ".ready"
        if not ready.exists():
            venv.create(home, clear=True, with_pip=True)
            _run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", requirement])
            ready.touch()
        asked = f"from importlib.metadata import version; print(version({package!r}))"
        return python, _run([str(python), "-c", asked]).strip()

    return install


def _node(package: str) -> Callable[[], tuple[Path, str]]:
    def install() -> tuple[Path, str]:
        home, node = ENVIRONMENTS / "node", shutil.which("node")
        if node is None:
            raise FileNotFoundError("there is no node on this machine")
        if not (home / ".ready").exists():
            home.mkdir(parents=True, exist_ok=True)
            (home / "package.json").write_text('{"private": true, "type": "module"}\n')
            options = ("--no-package-lock", "--no-audit", "--no-fund", "--silent")
            _run(["npm", "install", *options, *NODE_PACKAGES], cwd=home)
            (home / ".ready").touch()
        for program in HERE.glob("*.mjs"):  # Node looks for packages beside the program
            shutil.copy(program, home)
        told = json.loads((home / "node_modules" / package / "package.json").read_text())
        return Path(node), f"{told['version']} on Node {_run([node, '--version']).strip()}"

    return install


CLIENTS = (
    Client("websockets", "raw.py", _ours("websockets")),
    Client("openai", "openai_python.py", _ours("openai")),
    Client("openai, live", "openai_live.py", _ours("openai"), script=LIVE_SCRIPT),
    Client("openai-agents", "agents_python.py", _ours("openai-agents")),
    Client("openai (npm)", "openai_node.mjs", _node("openai"), secure=True),
    Client("@openai/agents-realtime", "agents_node.mjs", _node("@openai/agents-realtime")),
    Client(
        "livekit-plugins-openai",
        "livekit_plugin.py",
        _python("livekit-plugins-openai", "livekit-plugins-openai"),
    ),
    Client("pipecat-ai", "pipecat_service.py", _python("pipecat-ai", "pipecat-ai[openai]")),
)


@dataclass(frozen=True)
class Outcome:
    """What came of one client.

    Attributes:
        answers: what it should have heard.
        live: what it got through the proxy.
        offline: what it got from the server, each time.
        verdicts: of the server, each time.
    """

    answers: list[str]
    live: dict[str, Any]
    offline: Sequence[dict[str, Any]]
    verdicts: Sequence[str]

    @property
    def problem(self) -> str:
        """What is not as it should be; else empty."""
        if self.live["said"] != self.answers or self.live["calls"] != [CALL]:
            return f"through the proxy it got {self.live}"
        other = next((one for one in self.offline if one != self.live), None)
        return "" if other is None else f"from the server it got {other}, and not {self.live}"

    def __str__(self) -> str:
        told = [f"{self.verdicts.count(one)} {one}" for one in dict.fromkeys(self.verdicts)]
        size = f"{self.live['audio_bytes']:,} bytes of audio"
        return f"the same {len(self.offline)} times ({size}; what it sent: {', '.join(told)})"


async def tried(client: Client, interpreter: Path, store: Path, times: int) -> Outcome:
    """Record a client, and serve it its recording."""
    certificate = SelfMadeCertificate() if client.secure else None
    context = None if certificate is None else certificate.server
    authority = store.with_suffix(".pem")
    if certificate is not None:
        certificate.write(authority)
    program = str(HERE / client.program)
    if client.program.endswith(".mjs"):
        program = str(ENVIRONMENTS / "node" / client.program)
    environment = {
        **os.environ,
        "PYTHONPATH": str(HERE.parent),
        "REALTAPE_SPEECH": str(SPEECH),
        "NODE_EXTRA_CA_CERTS": str(authority) if certificate is not None else "",
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
    }

    async def told(url: str) -> dict[str, Any]:
        with tempfile.TemporaryFile() as err:
            process = await asyncio.create_subprocess_exec(
                interpreter,
                program,
                env={**environment, "REALTAPE_URL": url},
                stdout=subprocess.PIPE,
                stderr=err,
            )
            how = "failed"
            try:
                async with asyncio.timeout(GUARD_SECONDS):
                    out, _ = await process.communicate()
            except TimeoutError:
                process.kill()
                out, _ = await process.communicate()
                how = "came to no end"
            if process.returncode:
                err.seek(0)
                raise RuntimeError(f"{how}:\n{err.read().decode()[-4000:]}")
        return json.loads(out.decode().splitlines()[-1])

    async with LocalProvider(client.script, pace=PACE) as provider:
        base, _, path = provider.url.partition("/v1")
        async with RecordingProxy(base, store, ssl=context) as url:
            live = await told(f"{url}/v1{path}")
    offline: list[dict[str, Any]] = []
    verdicts: list[str] = []
    for _ in range(times):
        server = ReplayServer(store, pace=0, patience=GUARD_SECONDS / 4, ssl=context)
        try:
            async with server as url:
                offline.append(await told(url))
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{server.report()}") from None
        verdicts.append(server.report().verdict)
        if os.environ.get("REALTAPE_CLIENTS_REPORTS"):
            print(server.report())
    return Outcome(client.answers, live, offline, verdicts)


def _run(command: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd)
    return done.stdout


def main() -> int:
    """Try the clients that the command line names, or all; prints a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clients", nargs="*", help=", ".join(client.name for client in CLIENTS))
    parser.add_argument("--times", type=int, default=10, help="how often each is served its recording (10)")
    asked = parser.parse_args()
    bad = 0
    for client in CLIENTS:
        if asked.clients and client.name not in asked.clients:
            continue
        try:
            interpreter, installed = client.install()
        except (subprocess.CalledProcessError, OSError) as error:
            bad += 1
            told = error.stderr[-2000:] if isinstance(error, subprocess.CalledProcessError) else error
            print(f"{client.name}: cannot be installed: {told}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                outcome = asyncio.run(tried(client, interpreter, Path(folder) / "calls.db", asked.times))
            except RuntimeError as error:
                bad += 1
                print(f"{client.name} {installed}: {error}")
                continue
        bad += bool(outcome.problem)
        print(f"{client.name} {installed}: {outcome.problem or outcome}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
