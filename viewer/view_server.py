"""`view_application`: the page of any session of a store, from this machine to this machine, read only.

Who may ask: a browser of this machine that was given the address, with the token in it. A page from elsewhere
is refused: by the token that it does not know, by `Host` (DNS that was bent to this machine), by `Origin` and
by `Sec-Fetch-Site`. Which store is shown is decided when the server starts, and by nothing in an address.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from ..schema import WIRE_FORMAT, RealtapeError, SessionRecord, UsageError
from ..schema.codec import standard_json
from ..schema.log import Address, fetch_headers, open_blocking
from ..session import ListedSession, chains, listed, worded_filter, words
from .entry_sources import EntrySource, FrameSource, StoreSource, StoreVersion
from .gathering import Gathering
from .packed_blocks import packed
from .page_file import redaction_notes
from .session_sound import AudioKept, SessionSound
from .skeleton import skeleton

OPENED = 4
"""Sessions whose reading is kept, to go on with."""

READING_SECONDS = 0.25
"""For so long a question reads on in a session that was not read to its end yet."""

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Scope: TypeAlias = Any
App: TypeAlias = Callable[[Scope, Any, Any], Awaitable[None]]


class _Views:
    """The sessions that are looked at; blocking, and used by several threads."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._lock = threading.Lock()
        self._opened: OrderedDict[str, Gathering] = OrderedDict()
        self._version = StoreVersion(address)
        self._changes = 0
        self._chains: tuple[int, list[list[str]]] = (0, [])  # as of which change, ids

    def of(self, session_id: str) -> Gathering | None:
        """The one of this very id; None: the store has none."""
        with self._lock:
            found = self._opened.get(session_id)
            if found is not None:
                self._opened.move_to_end(session_id)
                return found
            with open_blocking(self.address) as connection:
                records = [one for one in fetch_headers(connection) if isinstance(one, SessionRecord)]
            record = next((one for one in records if one.header.id == session_id), None)
            if record is None:
                return None
            self._opened[session_id] = Gathering("0", self._source(record), SessionSound(AudioKept.PCM))
            while len(self._opened) > OPENED:
                _, left = self._opened.popitem(last=False)
                left.source.close()
            return self._opened[session_id]

    def beside(self, session_id: str) -> tuple[str | None, str | None]:
        """The session before, and after this one, where a model connected again. Pages ask again and again:
        the store is only read where something may have been committed to it."""
        changes = self.changes()
        if self._chains[0] != changes:
            with open_blocking(self.address) as connection:
                records = [one for one in fetch_headers(connection) if isinstance(one, SessionRecord)]
            self._chains = changes, [[one.header.id for one in chain] for chain in chains(records)]
        for chain in self._chains[1]:
            if session_id in chain:
                ids = [None, *chain, None]
                place = ids.index(session_id)
                return ids[place - 1], ids[place + 1]
        return None, None

    def changes(self) -> int:
        """How often something may have been committed since the server began."""
        with self._lock:
            self._changes += self._version.has_changed()
            return self._changes

    def _source(self, record: SessionRecord) -> EntrySource:
        of_frames = record.header.format >= WIRE_FORMAT
        return (FrameSource if of_frames else StoreSource)(self.address, record)


def view_application(address: Address, store: str, port: int, token: str) -> App:
    """The server of a store, as an ASGI application.

    Args:
        store: its name, for titles.
        port: on which it listens.
        token: without which nothing is answered.
    """
    views = _Views(address)
    hosts = {f"{host}:{port}" for host in LOOPBACK}

    async def sessions_page(request: Request) -> Response:
        head = {"served": True, "list": True, "store": store, "controls": words.CONTROLS}
        return _page(f"{store} · realtape", head)

    async def session_page(request: Request) -> Response:
        view = await run_in_threadpool(views.of, request.path_params["session"])
        if view is None:
            return PlainTextResponse("no such session in this store", 404)
        header = view.source.header
        before, after = await run_in_threadpool(views.beside, header.id)
        notes = redaction_notes([header])
        head: dict[str, Any] = {
            "served": True,
            "controls": words.CONTROLS,
            "sessions": [{"key": "0", "id": header.id, "also": [], "problems": 0, "store": store}],
            "notices": [one.facts() for one in notes],
            "comparison": None,
            "front": False,
            "before": before,
            "after": after,
        }
        return _page(f"{header.id[:8]} · realtape", head)

    async def sessions(request: Request) -> Response:
        try:
            return _json(await run_in_threadpool(_sessions, address, request.query_params))
        except UsageError as error:  # perhaps it is not typed to its end: no error of the browser's
            return _json({"wrong": words.visible(str(error), lines=True)})

    async def changes(request: Request) -> Response:
        return _json({"changes": await run_in_threadpool(views.changes)})

    async def block(request: Request) -> Response:
        view = await run_in_threadpool(views.of, request.path_params["session"])
        if view is None:
            return PlainTextResponse("no such session in this store", 404)
        if request.path_params["name"] == "beside":
            before, after = await run_in_threadpool(views.beside, request.path_params["session"])
            return _json({"before": before, "after": after})
        made = await run_in_threadpool(_block, view, request.path_params["name"])
        if made is None:
            return PlainTextResponse("no such block", 404)
        return (
            Response(made, media_type="application/octet-stream") if isinstance(made, bytes) else _json(made)
        )

    async def to_folder(request: Request) -> Response:
        return RedirectResponse(request.url.path + "/")

    routes = [
        Route("/{token}", to_folder),
        Route("/{token}/", sessions_page),
        Route("/{token}/block/sessions", sessions),
        Route("/{token}/block/changes", changes),
        Route("/{token}/{session}", to_folder),
        Route("/{token}/{session}/", session_page),
        Route("/{token}/{session}/block/0/{name:path}", block),
    ]
    inner = Starlette(routes=routes, exception_handlers={RealtapeError: _told})
    return _Guard(GZipMiddleware(inner, minimum_size=2000, compresslevel=1), hosts, token)


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)


class _Guard:
    """Lets through who may ask, and says so in every answer's headers."""

    def __init__(self, inner: App, hosts: set[str], token: str) -> None:
        self._inner = inner
        self._hosts = hosts
        self._token = token

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        refused = self._refused(scope)
        if refused:
            await PlainTextResponse(f"refused: {refused}", 403, _HEADERS)(scope, receive, send)
            return

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _ in message["headers"]}
                more = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message["headers"], *(one for one in more if one[0] not in known)]
            await send(message)

        await self._inner(scope, receive, sending)

    def _refused(self, scope: Scope) -> str:
        """Why; empty: it is not."""
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1").lower())
        if scope["method"] not in ("GET", "HEAD"):
            return "this server only shows"
        hosts = headers.get("host", [])
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return "this server answers only to this machine's own name"
        if any(origin != f"http://{hosts[0]}" for origin in headers.get("origin", [])):
            return "another site asks"
        if any(site not in ("same-origin", "none") for site in headers.get("sec-fetch-site", [])):
            return "another site asks"
        token = scope["path"].split("/")[1]
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return "the address lacks the token that was printed when the server began"
        return ""


def _page(title: str, head: dict[str, Any]) -> Response:
    made = skeleton(title, served=True)
    body = made.before + packed("head", head) + made.after
    return Response(body, media_type="text/html", headers={"Content-Security-Policy": made.policy})


def _json(tree: Any) -> Response:
    return Response(standard_json(tree), media_type="application/json")


async def _told(request: Request, error: Exception) -> Response:
    """What cannot be read, in words; as text, whatever is in it."""
    code = 400 if isinstance(error, UsageError) else 500
    return PlainTextResponse(words.visible(str(error), lines=True), code)


def _block(view: Gathering, name: str) -> Any:
    """Reads on first, where that is asked for; blocking."""
    what, _, rest = name.partition("/")
    if what in ("session", "standing"):
        view.advance(READING_SECONDS)
    elif what in ("peaks", "sound"):
        return view.sound_block(what, rest)
    return view.block(name)


_SEVERAL = ("label", "status", "text", "tool")
_ONE = ("since", "until", "longer_than", "shorter_than")
_SWITCHES = ("interrupted", "error")


def _sessions(address: Address, asked: QueryParams) -> dict[str, Any]:
    """Those that are asked for, in the words of `ls`, newest first; blocking."""
    words_of: dict[str, Any] = {
        **{name: tuple(one for one in asked.getlist(name) if one) for name in _SEVERAL},
        **{name: asked.get(name) or None for name in _ONE},
        **{name: bool(asked.get(name)) for name in _SWITCHES},
    }
    wanted = worded_filter(**words_of)
    with open_blocking(address) as connection:
        listing = listed(connection, wanted)
    return {
        "sessions": [_facts(one) for one in reversed(listing.sessions)],
        "damaged": [str(error) for error in listing.damaged],
    }


def _facts(one: ListedSession) -> dict[str, Any]:
    header = one.record.header
    return {
        "id": header.id,
        "started_ns": header.started_ns,
        "duration_ns": one.duration_ns,
        "entries": one.record.entries,
        "status": one.record.status,
        "labels": header.labels,
    }
