"""Failures of the harness and its surroundings, each as one sentence that says what happened and what to do.

Such a failure says nothing about the subject: the attempt's outcome is ``error``, which leaves every rate alone.
"""

import socket
import ssl
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

from conformance.wire.recording import Outcome

_ADVICE: Final = {
    401: "check the key (OPENAI_API_KEY for the real API)",
    403: "the key or the address has no access; check both",
    404: "check the path of the address",
    429: "it limits the rate; wait, or lower --concurrency",
}


class HarnessError(Exception):
    """The attempt could not be made; the message is for people."""


class RefusedError(HarnessError):
    """The real API refused the handshake of an attempt; ``retry_after`` is its own header, if it sent one."""

    def __init__(self, message: str, status: int, retry_after: str | None = None) -> None:
        """Take what the refusal said."""
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class SubjectError(Exception):
    """The attempt ended through the subject's own fault; the message is for people, ``log`` its last lines."""

    def __init__(self, outcome: Outcome, message: str, log: Sequence[str] = ()) -> None:
        """Say how the attempt ends: ``died`` or ``unusable``."""
        super().__init__(message)
        self.outcome = outcome
        self.log = tuple(log)


def explain_status(status: int, url: str) -> str:
    """Say why a handshake with ``url`` was refused, by its HTTP status."""
    advice = _ADVICE.get(status, "it is in trouble; try again later" if status >= 500 else "check the address")
    return f"{_place(url)} refused the WebSocket handshake with HTTP {status}: {advice}"


def explain(error: BaseException, url: str) -> str:
    """Say why a connection to ``url`` could not be opened. The query of the address is left out: it may hold a secret."""
    place = _place(url)
    match error:
        case InvalidStatus():
            return explain_status(error.response.status_code, url)
        case socket.gaierror():
            return f"the host name of {place} cannot be resolved ({error.strerror}): check the address and the network"
        case ssl.SSLCertVerificationError():
            return f"the certificate of {place} is not trusted ({error}): set SSL_CERT_FILE to its authority"
        case ssl.SSLError():
            return f"TLS with {place} failed ({error}): check whether it speaks wss:// or ws://"
        case ConnectionRefusedError():
            return f"{place} refuses connections: start the server, or check the port"
        case TimeoutError():
            return (
                f"{place} did not answer the handshake in time: check that it is up, and whether it speaks wss:// or ws://"
            )
        case InvalidURI():
            return f"{place} is not a WebSocket address: write it as ws://HOST:PORT/PATH"
        case InvalidHandshake():
            return f"{place} did not complete the WebSocket handshake ({error}): check that it is a WebSocket server"
        case _:
            return f"{place} cannot be reached ({str(error) or type(error).__name__}): check the address and the network"


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or '?'}{f':{parts.port}' if parts.port else ''}{parts.path}"
