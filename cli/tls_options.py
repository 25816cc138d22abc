"""`--tls`: `wss://` with a certificate that is made for this run, and how clients are told to trust it."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import Annotated

import typer

from ..schema import UsageError
from ..wire import SelfMadeCertificate

TlsOption = Annotated[
    bool, typer.Option("--tls", help="Speak wss://, with a certificate that is made for this run.")
]
AuthorityOption = Annotated[
    Path | None,
    typer.Option("--ca", metavar="FILE", help="With --tls: where the certificate to trust is written."),
]

AUTHORITY = "REALTAPE_CA"
"""In the environment of a command: the file with the certificate to trust."""
NODE = "NODE_EXTRA_CA_CERTS"
"""What Node trusts beside its own list; Python and others would trust nothing else, so theirs is not set."""


@dataclass(frozen=True)
class TlsSetting:
    """How to listen.

    Attributes:
        context: with which; None: without a certificate.
        environment: of a command that is run.
        told: what is told of it.
    """

    context: SSLContext | None = None
    environment: dict[str, str] = field(default_factory=dict[str, str])
    told: str = ""


@contextmanager
def listening(tls: bool, authority: Path | None, *names: str) -> Generator[TlsSetting]:
    """In this block the authority's certificate is in its file.

    Raises:
        UsageError: the file cannot be written, or `realtape[tls]` is not installed.
    """
    if not tls:
        if authority is not None:
            raise UsageError("--ca says where the certificate of --tls goes: give both")
        yield TlsSetting()
        return
    certificate = SelfMadeCertificate(*names)
    with tempfile.TemporaryDirectory(prefix="realtape-") as folder:
        path = authority or Path(folder) / "ca.pem"
        try:
            certificate.write(path)
        except OSError as error:
            raise UsageError(f"--ca {path}: cannot be written ({error.strerror})") from error
        environment = {name: str(path.absolute()) for name in (AUTHORITY, NODE)}
        yield TlsSetting(certificate.server, environment, f"; trust {path}")
