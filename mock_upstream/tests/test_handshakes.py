"""Handshakes and plain HTTP: who is let in, how, and what is said to the rest."""

import asyncio
import socket
from contextlib import suppress

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from conformance.wire.durations import SECOND
from conformance.wire.frames import Leg
from conformance.wire.script import Fault, Script, ScriptRule
from mock_upstream.assignment import Assignment, Handshake
from mock_upstream.handshakes import HandshakeFault, handshake_fault
from mock_upstream.server import MockUpstream
from mock_upstream.tests.puppet import Puppet, say
from mock_upstream.tests.scenes import http, now, play, tape


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_fault_refuses_the_handshake(status: int) -> None:
    async def scene() -> None:
        recorder = tape()
        script = Script(rules=(ScriptRule("no", at=0, fault=Fault(f"refuse-{status}"), conn=0),))
        puppet = Puppet(hello=[say("session.created")])
        async with MockUpstream(script=script, new_session=puppet, sink=recorder.leg(Leg.UPSTREAM)) as mock:
            with pytest.raises(InvalidStatus) as refused:
                await connect(mock.url)
            assert refused.value.response.status_code == status
            assert orjson.loads(refused.value.response.body or b"")["error"]["message"]
            async with connect(mock.url) as client:
                await client.recv()
        assert recorder.frames[0].data["status"] == status
        assert recorder.frames[0].scripted == "no"
        assert [frame.conn for frame in recorder.frames] == [0, 1, 1, 1]

    play(scene)


def test_a_fault_resets_the_connection_before_the_handshake_is_answered() -> None:
    async def scene() -> None:
        recorder = tape()
        script = Script(rules=(ScriptRule("no", at=0, fault=Fault("refuse-tcp"), conn=0),))
        puppet = Puppet(hello=[say("session.created")])
        async with MockUpstream(script=script, new_session=puppet, sink=recorder.leg(Leg.UPSTREAM)) as mock:
            with pytest.raises((OSError, InvalidMessage)):
                await connect(mock.url)
            async with connect(mock.url) as client:
                await client.recv()
        assert recorder.frames[0].data["status"] is None
        assert recorder.frames[0].scripted == "no"
        assert [frame.conn for frame in recorder.frames] == [0, 1, 1, 1]

    play(scene)


def test_a_named_fault_delays_the_handshake() -> None:
    async def scene() -> None:
        fault = Fault("slow-accept", {"after": "7s"})
        recorder = tape()
        puppet = Puppet(hello=[say("session.created")])
        async with MockUpstream(fault=fault, new_session=puppet, sink=recorder.leg(Leg.UPSTREAM)) as mock:
            async with connect(mock.url, open_timeout=60) as client:
                await client.recv()
            assert now() == 7 * SECOND
        assert recorder.frames[0].scripted is None, "a fault of the command line is never waived"

    play(scene)


def test_a_slow_accept_accepts_nothing_that_the_script_refuses() -> None:
    refusing = Script(rules=(ScriptRule("no", at=0, fault=Fault("refuse-401")),))

    def answer(script: Script, named: str) -> tuple[HandshakeFault | None, str | None]:
        return handshake_fault(Assignment(script, seed=0, epoch=0, now=lambda: 0, fault=Fault(named)))

    assert answer(refusing, "slow-accept") == (HandshakeFault(status=401), "no")
    assert answer(Script(), "slow-accept") == (HandshakeFault(delay=3 * SECOND), None)
    assert answer(refusing, "refuse-500") == (HandshakeFault(status=500), None)


@pytest.mark.parametrize("slow", [False, True])
def test_an_attempt_is_over_even_if_its_client_did_not_wait_for_the_handshake(slow: bool) -> None:
    async def scene() -> None:
        over: list[bool] = []
        fault = Fault("slow-accept", {"after": "7s"}) if slow else None

        async def assign(handshake: Handshake) -> Assignment:
            await asyncio.sleep(1)
            return Assignment(Script(), 0, 0, now, fault=fault, done=lambda: over.append(True))

        async with MockUpstream(assign, new_session=Puppet()) as mock:
            with pytest.raises(TimeoutError):
                await connect(mock.url, open_timeout=0.5)
            await asyncio.sleep(10)
        assert over == [True]

    play(scene)


@pytest.mark.parametrize(
    ("headers", "subprotocols", "key"),
    [
        ({}, None, None),
        ({"Authorization": "Bearer sk-header"}, None, "sk-header"),
        ({}, ["realtime", "openai-insecure-api-key.sk-browser"], "sk-browser"),
    ],
)
def test_the_key_comes_from_the_header_or_the_subprotocol(
    headers: dict[str, str], subprotocols: list[Subprotocol] | None, key: str | None
) -> None:
    async def scene() -> None:
        puppet = Puppet()
        recorder = tape()
        async with (
            MockUpstream(new_session=puppet, sink=recorder.leg(Leg.UPSTREAM)) as mock,
            connect(mock.url, additional_headers=headers, subprotocols=subprotocols) as client,
        ):
            assert client.subprotocol == ("realtime" if subprotocols else None)
        (setup,) = puppet.setups
        assert (setup.key, setup.valid_key) == (key, key is not None)
        assert "sk-" not in repr((setup.headers, recorder.frames))

    play(scene)


@pytest.mark.parametrize(("shown", "valid"), [("sk-right", True), ("sk-wrong", False)])
def test_with_a_configured_key_only_that_one_is_valid(shown: str, valid: bool) -> None:
    async def scene() -> None:
        puppet = Puppet()
        headers = {"Authorization": f"Bearer {shown}"}
        async with MockUpstream(key="sk-right", new_session=puppet) as mock, connect(mock.url, additional_headers=headers):
            pass
        assert puppet.setups[0].valid_key is valid

    play(scene)


def test_a_browser_asks_for_the_beta_in_its_subprotocol() -> None:
    async def scene() -> None:
        puppet = Puppet()
        async with MockUpstream(new_session=puppet) as mock:
            offered = [Subprotocol("realtime"), Subprotocol("openai-beta.realtime-v1")]
            async with connect(mock.url, subprotocols=offered):
                pass
        assert puppet.setups[0].headers["openai-beta"] == "realtime=v1"

    play(scene)


@pytest.mark.parametrize("path", ["/", "/v1/realtime/sessions", "/v2/realtime"])
def test_another_path_is_not_found(path: str) -> None:
    async def scene() -> None:
        async with MockUpstream(new_session=Puppet()) as mock:
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://127.0.0.1:{mock.port}{path}")
            assert refused.value.response.status_code == 404

    play(scene)


def test_health_answers_an_old_balancer_too() -> None:
    async def scene() -> None:
        async with MockUpstream(new_session=Puppet()) as mock:
            for request, ending in [(b"GET /health HTTP/1.0", b"}"), (b"HEAD /health HTTP/1.1", b"\r\n\r\n")]:
                reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
                writer.write(request + b"\r\n\r\n")
                answer = await reader.read()
                assert answer.startswith(b"HTTP/1.1 200 OK")
                assert answer.endswith(ending)
                writer.close()

    play(scene)


def test_health_answers_over_plain_http() -> None:
    async def scene() -> None:
        async with MockUpstream(new_session=Puppet()) as mock, connect(mock.url):
            assert await http(mock.port, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n") == (
                200,
                {"status": "ok", "served": 1, "open": 1},
            )

    play(scene)


@pytest.mark.parametrize(
    "request_",
    [
        b"BREW /pot\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /v1/realtime HTTP/1.1\r\nUpgrade: websocket\r\nno header\r\n\r\n",
    ],
)
def test_what_is_no_request_of_ours_gets_a_400(request_: bytes) -> None:
    async def scene() -> None:
        async with MockUpstream(new_session=Puppet()) as mock:
            status, body = await http(mock.port, request_)
            assert status == 400
            assert body["error"]["message"]

    play(scene)


def test_a_get_without_an_upgrade_is_answered() -> None:
    async def scene() -> None:
        async with MockUpstream(new_session=Puppet()) as mock:
            reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
            writer.write(b"GET /v1/realtime HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 426")
            writer.close()

    play(scene)


def test_silent_sockets_are_dropped_after_the_opening_time() -> None:
    async def scene() -> None:
        async with MockUpstream(new_session=Puppet()) as mock:
            with socket.create_connection(("127.0.0.1", mock.port)) as end:
                end.setblocking(False)
                with suppress(ConnectionResetError):
                    assert await asyncio.get_running_loop().sock_recv(end, 1) == b""
            assert now() == 10 * SECOND

    play(scene)
