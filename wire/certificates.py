"""A certificate for `wss://` on this machine, made by itself, for clients that insist on one."""

from __future__ import annotations

import importlib
import ssl as tls
from pathlib import Path
from typing import Any

from ..schema import UsageError

NAMES = ("localhost", "127.0.0.1", "::1")
"""For which it is good, beside the names that are given."""


class SelfMadeCertificate:
    """A certificate and the authority that vouches for it; the authority's key is forgotten at once.

        certificate = SelfMadeCertificate()
        async with serve("calls.db", ssl=certificate.server) as url:  # wss://127.0.0.1:…
            ...  # a client that trusts `certificate.authority`

    Nothing is trusted by being made: each client has to be told. Node is by NODE_EXTRA_CA_CERTS, Python by
    SSL_CERT_FILE, `websockets` by `ssl=certificate.client`.

    Args:
        names: further host names and addresses for which it is good.

    Attributes:
        server: the context to listen with.
        authority: the certificate to trust, as PEM.

    Raises:
        UsageError: the extra `realtape[tls]` is not installed.
    """

    def __init__(self, *names: str) -> None:
        try:
            trustme: Any = importlib.import_module("trustme")
        except ImportError as error:
            raise UsageError("to make a certificate: pip install 'realtape[tls]'") from error
        authority = trustme.CA(organization_name="Realtape, for one run on this machine")
        self.server = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*dict.fromkeys((*NAMES, *names))).configure_cert(self.server)
        self.authority: bytes = authority.cert_pem.bytes()

    @property
    def client(self) -> tls.SSLContext:
        """A context that trusts the authority, and nobody else."""
        return tls.create_default_context(cadata=self.authority.decode())

    def write(self, path: Path) -> None:
        """Write the authority's certificate, for clients that are told of it by a file."""
        path.write_bytes(self.authority)
