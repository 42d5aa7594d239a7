"""Ephemeral keys over REST, against a session core that a test controls."""

import asyncio
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from conformance.clock import run
from mock_upstream.actions import Setup
from mock_upstream.server import MockUpstream
from mock_upstream.tests.puppet import Puppet, say


class Configured(Puppet):
    """Says in session.created what it was configured with; refuses a bogus field as the API does."""

    def __call__(self, setup: Setup) -> "Configured":
        session: dict[str, Any] = {"type": "realtime", **(setup.preset or {})}
        hello = say("session.created", session=session)
        if "bogus" in session:
            error = {
                "code": "unknown_parameter",
                "message": "Unknown parameter: 'session.bogus'.",
                "param": "session.bogus",
            }
            hello = say("error", error=error)
        made = Configured(hello=[hello])
        made.setups = self.setups
        self.setups.append(setup)
        return made


async def post(
    mock: MockUpstream, body: bytes, key: str | None = "sk-right", method: str = "POST"
) -> tuple[int, dict[str, Any]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    head = f"{method} /v1/realtime/client_secrets HTTP/1.1\r\nHost: x\r\n{authorization}Content-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode())
    await asyncio.sleep(0.01)  # the body comes in a segment of its own
    writer.write(body)
    answer, _, content = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(answer.split()[1]), orjson.loads(content)


def test_a_key_carries_its_session_until_it_expires() -> None:
    async def scene() -> None:
        puppet = Configured()
        async with MockUpstream(key="sk-right", epoch=1_790_000_000, new_session=puppet) as mock:
            body = {
                "session": {"type": "realtime", "instructions": "Be brief."},
                "expires_after": {"anchor": "created_at", "seconds": 60},
            }
            status, secret = await post(mock, orjson.dumps(body))
            assert (status, secret["expires_at"]) == (200, 1_790_000_060)
            assert secret["session"]["instructions"] == "Be brief."
            headers = {"Authorization": f"Bearer {secret['value']}"}
            async with connect(mock.url, additional_headers=headers) as client:
                assert orjson.loads(await client.recv())["session"]["instructions"] == "Be brief."
            await asyncio.sleep(61)
            async with connect(mock.url, additional_headers=headers) as client:
                assert "instructions" not in orjson.loads(await client.recv())["session"]
        assert [setup.valid_key for setup in puppet.setups[1:]] == [True, False]

    run(scene())


@pytest.mark.parametrize(
    ("body", "key", "method", "status", "param"),
    [
        (b"{}", None, "POST", 401, None),
        (b"{}", "sk-wrong", "POST", 401, None),
        (b"{}", "sk-right", "PUT", 405, None),
        (b"{", "sk-right", "POST", 400, None),
        (b"[]", "sk-right", "POST", 400, None),
        (b'{"nope": 1}', "sk-right", "POST", 400, "nope"),
        (b'{"session": 1}', "sk-right", "POST", 400, "session"),
        (b'{"session": {"bogus": 1}}', "sk-right", "POST", 400, "session.bogus"),
        (b'{"expires_after": {"seconds": 5}}', "sk-right", "POST", 400, "expires_after.seconds"),
        (b'{"expires_after": 5}', "sk-right", "POST", 400, "expires_after"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(
    body: bytes, key: str | None, method: str, status: int, param: str | None
) -> None:
    async def scene() -> None:
        async with MockUpstream(key="sk-right", new_session=Configured()) as mock:
            answered, content = await post(mock, body, key, method)
            assert answered == status
            assert content["error"]["param"] == param
            assert content["error"]["message"]

    run(scene())


@pytest.mark.parametrize(
    ("session", "target", "model"),
    [
        ({"type": "realtime"}, "", "gpt-realtime"),
        ({"type": "realtime", "model": "gpt-realtime-2.1"}, "", "gpt-realtime-2.1"),
        ({"type": "realtime", "model": "gpt-realtime-2.1"}, "?model=", "gpt-realtime-2.1"),
        ({"type": "realtime"}, "?model=gpt-realtime-mini", "gpt-realtime-mini"),
        ({"type": "transcription"}, "", None),
        ({"type": "transcription"}, "?intent=transcription", None),
    ],
)
def test_a_connection_need_not_repeat_what_its_key_was_made_for(session: Any, target: str, model: str | None) -> None:
    async def scene() -> None:
        async with MockUpstream() as mock:
            _, secret = await post(mock, orjson.dumps({"session": session}))
            async with connect(
                mock.url + target, additional_headers={"Authorization": f"Bearer {secret['value']}"}
            ) as client:
                created = orjson.loads(await client.recv())["session"]
            assert (created["type"], created.get("model")) == (session["type"], model)
            assert secret["session"]["type"] == session["type"]

    run(scene())


def test_a_key_of_one_kind_of_session_opens_no_other() -> None:
    async def scene() -> None:
        async with MockUpstream() as mock:
            _, secret = await post(mock, b'{"session": {"type": "realtime"}}')
            headers = {"Authorization": f"Bearer {secret['value']}"}
            async with connect(f"{mock.url}?intent=transcription", additional_headers=headers) as client:
                assert orjson.loads(await client.recv())["type"] == "error"
                with pytest.raises(ConnectionClosed):
                    await client.recv()
                assert client.close_code == 4000

    run(scene())


def test_a_body_nested_too_deep_is_no_json() -> None:
    async def scene() -> None:
        async with MockUpstream() as mock:
            status, content = await post(
                mock, b'{"session": {"type": "realtime", "tools": %b}}' % (b"[" * 500 + b"]" * 500)
            )
            assert (status, content["error"]["message"]) == (400, "We could not parse the JSON body of your request.")

    run(scene())
