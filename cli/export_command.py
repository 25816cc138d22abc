"""`realtape export`: a recording as a fixture, to be kept in a repository, or as a page to be looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..schema import WIRE_FORMAT, RealtapeError, UsageError
from ..schema.codec import standard_json
from ..session import Draft, Recording, Target, parse_target, unknown_calls
from ..session.fixture import write_fixture, written_aside
from ..session.redaction import Replaced, replaced
from ..wire import connections_of, har_of
from . import output, play_options, redaction_options
from .derived import read_chain
from .exit_codes import Exit
from .foreign_formats import foreign_file, foreign_format
from .learn_command import learn_into, told
from .pytest_file import pytest_file
from .user_code import ApplicationError

if TYPE_CHECKING:
    from ..integrations.openai_agents.scripted import ScriptedSource


class AudioChoice(StrEnum):
    """What becomes of the sound in what is written."""

    KEEP = "keep"
    LOW = "16k"  # this and the next two: of a page only
    FLAC = "flac"
    OPUS = "opus"
    SILENCE = "silence"
    DROP = "drop"


def export(
    target: play_options.OneRecording,
    place: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR", help="A new folder, or a new file that ends in .zip.", show_default=False
        ),
    ] = None,
    as_html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page to see and hear it; in place of DIR."),
    ] = None,
    no_redact: Annotated[
        bool, typer.Option("--no-redact", help="Keep everything: the same entries and digests.")
    ] = False,
    audio: Annotated[
        AudioChoice | None,
        typer.Option(
            metavar="WHAT",
            help="keep (default), silence or drop what was said aloud; of a page also 16k, flac or opus.",
        ),
    ] = None,
    word: redaction_options.Word = None,
    pattern: redaction_options.Pattern = None,
    region: redaction_options.Region = None,
    keep_word: redaction_options.KeepWord = None,
    only_this_session: Annotated[
        bool,
        typer.Option("--only-this-session", help="Leave out the sessions that followed it."),
    ] = False,
    as_pytest: Annotated[
        bool,
        typer.Option("--pytest", help="DIR is a new test file; the fixture goes into recordings/ beside it."),
    ] = False,
    app: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:CALLABLE",
            help="The application: learned from; with --pytest, tested.",
        ),
    ] = None,
    as_har: Annotated[
        bool,
        typer.Option(
            "--har", help="DIR is a new .har file: the frames, for the developer tools of browsers."
        ),
    ] = False,
    as_scripted: Annotated[
        bool,
        typer.Option("--scripted", help="DIR is a new file: steps for the SDK's ScriptedRealtimeModel."),
    ] = False,
    as_otlp: Annotated[
        bool, typer.Option("--otlp", help="DIR is a new .json file: spans of OpenTelemetry, as OTLP/JSON.")
    ] = False,
    semconv: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="With --otlp: whose names for generative AI (1.37, 1.28)."),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --otlp: another's names: openinference.")
    ] = None,
    as_perfetto: Annotated[
        bool, typer.Option("--perfetto", help="DIR is a new file: a trace for ui.perfetto.dev.")
    ] = False,
    as_mcap: Annotated[
        bool, typer.Option("--mcap", help="DIR is a new .mcap file: sound and words, for Foxglove.")
    ] = False,
    as_wav: Annotated[
        bool,
        typer.Option("--wav", help="DIR is a new .wav file: the user on the left, the model on the right."),
    ] = False,
    as_heard_wav: Annotated[
        bool, typer.Option("--heard-wav", help="DIR is a new .wav file: what was heard of the model, alone.")
    ] = False,
    origins: play_options.OriginsFile = None,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Of a damaged session take the entries before the damage.")
    ] = False,
) -> int:
    """Write a recording as a fixture, without e-mail addresses, phone and card numbers, and credentials."""
    redaction = None if no_redact else redaction_options.redaction_of(word, pattern, region, keep_word)
    if as_html is not None:
        if place is not None or as_pytest or as_scripted or as_har or app is not None:
            raise UsageError("--html FILE is written in place of DIR, and of what other options write")
        return _write_html(
            _chosen(target, None, damaged, only_this_session), as_html, audio, redaction, target
        )
    if place is None:
        raise UsageError("say where to: DIR, or --html FILE")
    if audio in (AudioChoice.LOW, AudioChoice.FLAC, AudioChoice.OPUS):
        raise UsageError(
            f"--audio {audio} is for a page, with --html: a fixture keeps the bytes that were recorded"
        )
    if no_redact and audio not in (None, AudioChoice.KEEP):
        raise UsageError(f"--no-redact keeps everything: leave out --audio {audio}, or --no-redact")
    other = foreign_format(
        otlp=as_otlp, perfetto=as_perfetto, mcap=as_mcap, wav=as_wav, heard_wav=as_heard_wav
    )
    if as_pytest + as_scripted + as_har + (other is not None) > 1:
        raise UsageError("--pytest, --scripted, --har and the like write different files: choose one")
    if (semconv is not None or profile is not None) and not as_otlp:
        raise UsageError("--semconv and --profile are for --otlp")
    if as_pytest and app is None:
        raise UsageError("--pytest needs --app MODULE:CALLABLE")
    if (as_scripted or as_har or other is not None) and app is not None:
        raise UsageError("--app is for a fixture, or a test: other files learn nothing")
    drafts = _chosen(target, origins, damaged, only_this_session)
    taken, fixture, ids = None, place, [draft.header.id for draft in drafts]
    if redaction is not None:
        taken = replaced(drafts, audio=(audio or AudioChoice.KEEP).value, **redaction)
        drafts = taken.drafts
    if other is not None:
        made = foreign_file(drafts, place, other, ids=ids, semconv=semconv, profile=profile)
        written = _write_other(made, place)
    elif as_har:
        written = _write_har(drafts, place)
    elif as_scripted:
        written = _write_scripted(drafts, place)
    elif as_pytest and app is not None:
        written, fixture = _write_test(drafts, place, app, audio is not AudioChoice.DROP)
    else:
        write_fixture(drafts, place, audio_files=audio is not AudioChoice.DROP)
        written = str(place)
    more = f", and {len(drafts) - 1} that followed" if len(drafts) > 1 else ""
    count = sum(len(draft.entries) for draft in drafts)
    # What is written as a recording is the copy; everything else is told of what lies in the store.
    id = drafts[0].header.id if other is None else ids[0]
    output.put(f"session {id}{more}: {count} entries written to {written}")
    if taken is not None:
        _tell(taken, audio)
    if app is not None:
        _learn(drafts, fixture, app, tested=as_pytest)
    return Exit.SAME


def _learn(drafts: list[Draft], fixture: Path, app: str, *, tested: bool) -> None:
    """Learn what the application does by itself, and keep it in the fixture. What somebody has said of the
    user's calls stays.

    Args:
        tested: the fixture is a test's, which may be of an application that does otherwise by now.
    """
    if tested and not any(unknown_calls(one.entries) for one in drafts):
        return
    user = frozenset[int]() if drafts[0].origins is None else drafts[0].origins.user
    try:
        for draft in learn_into(Target(str(fixture), None), app, user):
            output.put(told(draft))
    except (RealtapeError, ApplicationError) as error:
        if not tested:
            raise
        output.note(f"nothing was learned: {error}")


def _chosen(target: str, origins: Path | None, damaged: bool, only_this_session: bool) -> list[Draft]:
    drafts = read_chain(parse_target(target), origins=origins, damaged=damaged)
    return drafts[:1] if only_this_session else drafts


_KEPT = {AudioChoice.KEEP: "pcm", AudioChoice.DROP: "none"}
"""What a page calls what it has another word for."""


def _write_html(
    drafts: list[Draft],
    path: Path,
    audio: AudioChoice | None,
    redaction: Mapping[str, Any] | None,
    target: str,
) -> Exit:
    """A page; commands on it name the store by its name alone, for it is read elsewhere."""
    from ..viewer import AudioKept, write_page  # only a page needs what draws it

    taken, ids = None, [draft.header.id for draft in drafts]
    if redaction is not None:
        silent = audio in (AudioChoice.SILENCE, AudioChoice.DROP)
        taken = replaced(drafts, audio="silence" if silent else "keep", **redaction)
        drafts = taken.drafts
    kept = None if audio is None else AudioKept(_KEPT.get(audio, audio.value))
    write_page(drafts, path, store=Path(parse_target(target).store).name, ids=ids, audio=kept)
    count = sum(len(draft.entries) for draft in drafts)
    output.put(f"session {ids[0]}: a page of {count} entries written to {path}")
    if taken is not None:
        _tell(taken, audio)
    return Exit.SAME


def _tell(taken: Replaced, audio: AudioChoice | None) -> None:
    """What was replaced, how often, and what nobody looked for."""
    rows = [(kind, f"{count:,}", f"{taken.places[kind]:,}") for kind, count in taken.values.items()]
    output.put_aligned([("replaced", "values", "places"), *rows])
    output.put(f"not looked for: {'; '.join(taken.not_sought)}")
    if audio in (None, AudioChoice.KEEP) and any(taken.values.values()):
        output.note("what was said aloud is kept as it is, these values too: --audio silence takes it out")


def _write_test(drafts: list[Draft], path: Path, app: str, audio_files: bool) -> tuple[str, Path]:
    """A test file, and the fixture where the plugin looks for it; both in words, and the fixture's place."""
    file = pytest_file(drafts, app)
    if path.suffix != ".py" or not path.name.startswith("test_"):
        raise UsageError(f"{path}: pytest would not find it; name it test_….py")
    _require_new(path)
    fixture = path.parent / "recordings" / path.stem / file.test
    with _written(path, file.text.encode()):
        write_fixture(drafts, fixture, audio_files=audio_files)
    return f"{path} and {fixture}", fixture


def _write_scripted(drafts: list[Draft], path: Path) -> str:
    """Steps, and beside them a file with their sound."""
    if len(drafts) > 1:
        raise UsageError("a script is of one connection: --only-this-session leaves out those that followed")
    if path.suffix != ".py":
        raise UsageError(f"{path}: it will be Python source; name it ….py")
    data = path.with_suffix(".bytes")
    _require_new(path)
    _require_new(data)
    source = asyncio.run(_scripted(drafts, data.name))
    with _written(path, source.text.encode()):
        if not source.data:
            return str(path)
        with _written(data, source.data):
            return f"{path} and {data}"


async def _scripted(drafts: list[Draft], data_name: str) -> ScriptedSource:
    try:
        from ..integrations.openai_agents.scripted import scripted_source
    except ImportError as error:
        raise UsageError(
            f"--scripted needs the SDK ({error}): pip install 'realtape[openai-agents]'"
        ) from error
    async with Recording.of(*drafts) as recording:
        return await scripted_source(recording, data_name)


def _write_har(drafts: list[Draft], path: Path) -> str:
    """The frames, as a browser's tools show them."""
    if path.suffix != ".har":
        raise UsageError(f"{path}: it will be a HAR file; name it ….har")
    if not any(draft.header.format >= WIRE_FORMAT for draft in drafts):
        raise UsageError("it holds no frames: record with `realtape proxy`, or import frames")
    _require_new(path)
    tree = har_of(connections_of(drafts), drafts[0].header.started_ns)
    with _written(path, standard_json(tree, indent=1).encode()):
        return str(path)


def _write_other(data: bytes, path: Path) -> str:
    """In another's format."""
    _require_new(path)
    with _written(path, data):
        return str(path)


def _require_new(path: Path) -> None:
    if path.exists():
        raise UsageError(f"{path} exists already: name another file, it was left as it is")


@contextmanager
def _written(path: Path, data: bytes) -> Generator[None]:
    """Write a new file; if what belongs to it cannot be written in the body, neither is there."""
    with written_aside(path) as aside:
        aside.write_bytes(data)
        yield
