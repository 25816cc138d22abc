"""`realtape view` on a real socket, and a client of it that says whatever it is told to."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import uvicorn
from realtape.schema.log import locate
from realtape.viewer import view_application

TOKEN = "the-token"


class Server:
    """A server that runs in a thread, and a client of it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        told = {
            "Host": f"127.0.0.1:{self.port}",
            **{name.replace("_", "-"): one for name, one in headers.items()},
        }
        connection = HTTPConnection("127.0.0.1", self.port)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in told.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, {name.lower(): one for name, one in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        code, _, body = self.ask(f"/{TOKEN}/{path}")
        assert code == 200, body
        return json.loads(body)


@contextmanager
def serving(store: Path) -> Generator[Server]:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    application = view_application(locate(store), store.name, port, TOKEN)
    server = uvicorn.Server(uvicorn.Config(application, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield Server(port)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
