"""Framing: the short ways give what the library's own would give."""

import asyncio
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.http11 import Request
from websockets.server import ServerProtocol

from mock_upstream.framing import Framing, read_upgrade
from mock_upstream.tests.test_connection import UPGRADE, feed, masked

PLAIN = UPGRADE.decode()


def library_answer(request: bytes) -> bytes:
    protocol = ServerProtocol()
    protocol.receive_data(request)
    (parsed,) = protocol.events_received()
    assert isinstance(parsed, Request)
    return protocol.accept(parsed).serialize()


def without_date(response: bytes) -> list[bytes]:
    return [line for line in response.split(b"\r\n") if not line.startswith(b"Date:")]


@pytest.mark.parametrize(
    ("usual", "instead"),
    [
        ("Upgrade: websocket", "Upgrade: WebSocket"),
        ("Connection: Upgrade", "connection: keep-alive, Upgrade"),
        ("Host: x", "Host: x\r\nOrigin: https://x\r\nSec-WebSocket-Extensions: permessage-deflate"),
        ("Host: x", "Host:x\r\nEmpty:"),
    ],
)
def test_an_ordinary_handshake_is_accepted_in_the_librarys_words(usual: str, instead: str) -> None:
    request = PLAIN.replace(usual, instead).encode()
    upgrade = read_upgrade(request)
    assert upgrade is not None
    assert without_date(upgrade.response) == without_date(library_answer(request))
    assert upgrade.request.query == {"model": "m"}
    assert upgrade.request.headers["authorization"] == "Bearer sk-any"


@pytest.mark.parametrize(
    ("usual", "instead"),
    [
        ("GET ", "POST "),
        ("HTTP/1.1", "HTTP/1.0"),
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("Connection: Upgrade", "Connection: close"),
        ("Version: 13", "Version: 8"),
        ("MDEyMzQ1Njc4OWFiY2RlZg==", "short"),
        ("Host: x", "Host: x\r\nHost: y"),
        ("Host: x", "Host: x\r\n folded"),
        ("Host: x", "Host: \u00fc"),
        ("Host: x", "Sec-WebSocket-Protocol: realtime"),
        ("Host: x", "Content-Length: 0"),
        ("Host: x", f"Host: {'x' * 9_000}"),
        ("\r\n\r\n", "\r\n"),
        ("\r\n\r\n", "\r\n\r\n\x81"),
    ],
)
def test_a_handshake_that_leaves_a_question_is_the_librarys(usual: str, instead: str) -> None:
    assert usual in PLAIN
    assert read_upgrade(PLAIN.replace(usual, instead).encode("latin-1")) is None


def long_text(size: int) -> bytes:
    return struct.pack("!BBHI", 0x81, 0xFE, size, 0x0F0F0F0F) + b"x" * size


FRAMES = st.one_of(
    st.binary(max_size=20),
    st.builds(masked, st.sampled_from([0x01, 0x80, 0x81, 0x82, 0x88, 0x89, 0xC1]), st.binary(max_size=20)),
    st.builds(masked, st.just(0x81), st.text(max_size=20).map(str.encode)),
    st.integers(0, 300).map(long_text),
)


@settings(deadline=None)
@given(st.lists(FRAMES, max_size=6).map(b"".join), st.integers(0, 400))
@example(masked(0x81, b"{}") * 2 + b"\x81", 16)
@example(masked(0x01, b"{") + masked(0x81, b"{}"), 0)
@example(masked(0x81, b"{}") + masked(0x88, b""), 0)
@example(struct.pack("!BBQ", 0x81, 0xFF, 2) + bytes(4) + b"{}", 0)
@example(b"\x81\x02{}" + bytes(6), 0)
def test_whole_texts_are_read_as_the_library_reads_them(data: bytes, cut: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Framing, "take_texts", lambda _self, data: ([], data))
        written, puppet = asyncio.run(feed(UPGRADE, data[:cut], data[cut:]))
    shortly_written, shortly = asyncio.run(feed(UPGRADE, data[:cut], data[cut:]))
    assert without_date(shortly_written) == without_date(written)
    assert shortly.received == puppet.received
