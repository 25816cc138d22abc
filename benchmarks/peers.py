"""What other recorders sustain, for `benchmarks/recording.py`: `python benchmarks/peers.py NAME FOLDER`.

Run by the Python of an environment of its own, for their dependencies are not ours: `make bench` makes it, of
the extra `bench`. Writes the mixed session of `mixed_session.py` as each of them does, in batches that are on
the disk before the next one begins where it can do that, and prints how many seconds that took; or, of one
that is not installed, nothing.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingImports=false

from __future__ import annotations

import base64
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mixed_session import BATCH_ROWS, mixed_session

DURABILITY = {
    "eventsourcing": "SQLite, WAL, `synchronous=FULL`: each batch",
    "mcap": "`fsync` after each batch, without chunks",
    "mitmproxy": "`fsync` after each batch, a flow of its own",
    "vcrpy": "one `fsync`, at the end: nothing before it",
}


def texts() -> list[bytes]:
    """The events, as those write them who have only text."""
    return [
        json.dumps({"type": "audio", "data": base64.b64encode(each).decode()}).encode()
        if isinstance(each, bytes)
        else json.dumps(each).encode()
        for each in mixed_session()
    ]


def batches(events: list[Any]) -> Iterator[list[Any]]:
    """BATCH_ROWS of them at a time."""
    for start in range(0, len(events), BATCH_ROWS):
        yield events[start : start + BATCH_ROWS]


def eventsourcing(folder: Path) -> float:
    """Seconds."""
    from eventsourcing.persistence import StoredEvent
    from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

    recorder: Any = SQLiteApplicationRecorder(SQLiteDatastore(str(folder / "events.db")))
    recorder.create_table()
    session, version = uuid.uuid4(), 0
    began = time.perf_counter()
    for batch in batches(texts()):
        stored: list[Any] = []
        for state in batch:
            version += 1
            stored.append(StoredEvent(session, version, "realtime", state))
        recorder.insert_events(stored)
    return time.perf_counter() - began


def mcap(folder: Path) -> float:
    """Seconds."""
    from mcap.writer import Writer

    with open(folder / "session.mcap", "wb") as file:
        writer: Any = Writer(file, use_chunking=False)
        writer.start()
        schema = writer.register_schema(name="event", encoding="jsonschema", data=b"{}")
        channel = writer.register_channel(topic="session", message_encoding="json", schema_id=schema)
        number, began = 0, time.perf_counter()
        for batch in batches(mixed_session()):
            for each in batch:
                data = each if isinstance(each, bytes) else json.dumps(each).encode()
                writer.add_message(
                    channel_id=channel, log_time=number, publish_time=number, sequence=number, data=data
                )
                number += 1
            file.flush()
            os.fsync(file.fileno())
        writer.finish()
        file.flush()
        os.fsync(file.fileno())
        return time.perf_counter() - began


def mitmproxy(folder: Path) -> float:
    """Seconds."""
    from mitmproxy.io import FlowWriter
    from mitmproxy.test import tflow
    from mitmproxy.websocket import WebSocketMessage

    with open(folder / "session.flows", "wb") as file:
        writer: Any = FlowWriter(file)
        began = time.perf_counter()
        for batch in batches(mixed_session()):
            flow: Any = tflow.twebsocketflow()
            flow.websocket.messages = [
                WebSocketMessage(2, False, each)
                if isinstance(each, bytes)
                else WebSocketMessage(1, False, json.dumps(each).encode())
                for each in batch
            ]
            writer.add(flow)
            file.flush()
            os.fsync(file.fileno())
        return time.perf_counter() - began


def vcrpy(folder: Path) -> float:
    """Seconds."""
    from vcr.persisters.filesystem import FilesystemPersister
    from vcr.request import Request
    from vcr.serializers import jsonserializer

    path, address = folder / "cassette.json", "http://localhost/"
    began = time.perf_counter()
    requests: list[Any] = []
    responses: list[Any] = []
    for text in texts():
        requests.append(Request("POST", address, "", {}))
        status = {"code": 200, "message": "OK"}
        responses.append({"status": status, "headers": {}, "body": {"string": text.decode()}})
    FilesystemPersister.save_cassette(path, {"requests": requests, "responses": responses}, jsonserializer)
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - began


PEERS: dict[str, Callable[[Path], float]] = {
    "eventsourcing": eventsourcing,
    "mcap": mcap,
    "mitmproxy": mitmproxy,
    "vcrpy": vcrpy,
}


if __name__ == "__main__":
    try:
        seconds = PEERS[sys.argv[1]](Path(sys.argv[2]))
    except ModuleNotFoundError:
        sys.exit()
    sys.stdout.write(f"{seconds}\n")
