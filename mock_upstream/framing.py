"""Framing: the sans-I/O protocol of ``websockets``, with short ways for what nearly every read and write is.

The library reads a frame through five generators and a handshake through two for each line, which would be a fifth of what
a session costs. What leaves no question is therefore read here in one go: an ordinary opening handshake, whole text
frames. Anything else, and every error, is the library's, which then finds itself in the state it would be in anyway.
"""

import re
import struct
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from time import time
from typing import Final

from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.utils import accept_key

from mock_upstream.http import HttpRequest, split_target

try:
    from websockets.speedups import apply_mask
except ImportError:  # no wheel for this platform
    from websockets.utils import apply_mask

_PLAIN_HEAD: Final = re.compile(rb"GET [!-~]+ HTTP/1\.1\r\n(?:[-!#$%&'*+.^_`|~0-9A-Za-z]+:[\t -~]*\r\n)+\r\n")
"""A request line and one or more headers, in ASCII, no line folded (RFC 9112 §3, §5)."""
_UNUSUAL: Final = frozenset({"transfer-encoding", "content-length", "sec-websocket-protocol"})
"""What makes a handshake the library's."""
_LARGEST_HEAD: Final = 8_192
_WHOLE_TEXT: Final = 0x81
_MASKED: Final = 0x80


@dataclass(frozen=True, slots=True)
class Upgrade:
    """An opening handshake that leaves no question but whether it is accepted."""

    request: HttpRequest
    key: str

    @property
    def response(self) -> bytes:
        """The bytes that accept it, as the library would write them."""
        return (
            f"HTTP/1.1 101 Switching Protocols\r\nDate: {_date(int(time()))}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Accept: {accept_key(self.key)}\r\n\r\n"
        ).encode()


def read_upgrade(data: bytes) -> Upgrade | None:
    """Read an opening handshake (RFC 6455 §4.2.1); None if it is anything but a whole, ordinary and valid one."""
    if len(data) > _LARGEST_HEAD or _PLAIN_HEAD.fullmatch(data) is None:
        return None
    line, *fields = data[:-4].decode("ascii").split("\r\n")
    headers: dict[str, str] = {}
    for field in fields:
        name, _, value = field.partition(":")
        headers[name.lower()] = value.strip(" \t")
    if len(headers) < len(fields) or not _is_ordinary(headers):
        return None
    path, query = split_target(line[4:-9])
    return Upgrade(HttpRequest("GET", path, query, headers), headers["sec-websocket-key"])


def _is_ordinary(headers: Mapping[str, str]) -> bool:
    return (
        headers.get("upgrade", "").lower() == "websocket"
        and "upgrade" in re.split(r"[ \t]*,[ \t]*", headers.get("connection", "").lower())
        and headers.get("sec-websocket-version") == "13"
        and _is_key(headers.get("sec-websocket-key", ""))
        and _UNUSUAL.isdisjoint(headers)
    )


def _is_key(key: str) -> bool:
    try:
        return len(b64decode(key, validate=True)) == 16
    except (Base64Error, ValueError):
        return False


@lru_cache(maxsize=1)
def _date(unix_second: int) -> str:
    return formatdate(unix_second, usegmt=True)


class Framing(ServerProtocol):
    """The protocol, which can be told to leave pings unanswered and needs no subprotocol."""

    answers_pings = True

    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        """Choose ``realtime`` if it is offered: a browser offers it beside its key."""
        return next((name for name in subprotocols if name == "realtime"), None)

    def send_frame(self, frame: Frame) -> None:
        """Queue a frame, unless it is a pong that is not to be sent."""
        if self.answers_pings or frame.opcode is not Opcode.PONG:
            super().send_frame(frame)

    def send_texts(self, texts: Sequence[bytes]) -> None:
        """Queue text frames on an open connection without extensions."""
        writes = self.writes
        for text in texts:
            size = len(text)
            writes.append(_SHORT_TEXT[size] if size < _SHORT else frame_header(_WHOLE_TEXT, size))
            writes.append(text)

    def take_texts(self, data: bytes) -> tuple[list[bytes], bytes]:
        """Return the whole text frames with which a read begins, and the rest of it, which is for `receive_data`."""
        texts: list[bytes] = []
        start, end = 0, len(data)
        if self._state is State.OPEN and not (self.reader.buffer or self.extensions or self.current_size is not None):
            while end - start >= 6 and data[start] == _WHOLE_TEXT:
                size, body = data[start + 1] - _MASKED, start + 6
                if size == 126:
                    size, body = data[start + 2] << 8 | data[start + 3], start + 8
                elif not 0 <= size < 126:
                    break
                if body + size > end:
                    break
                texts.append(apply_mask(data[body : body + size], data[body - 4 : body]))
                start = body + size
        return texts, data[start:]


def frame_header(first: int, size: int) -> bytes:
    """Return the header of an unfragmented frame of a server, which masks nothing (RFC 6455 §5.2)."""
    if size < 126:
        return bytes((first, size))
    if size < 65_536:
        return bytes((first, 126, size >> 8, size & 0xFF))
    return struct.pack("!BBQ", first, 127, size)


_SHORT: Final = 1_024
_SHORT_TEXT: Final = tuple(frame_header(_WHOLE_TEXT, size) for size in range(_SHORT))
"""The headers of short text frames, made beforehand: a delta's costs a look-up."""
