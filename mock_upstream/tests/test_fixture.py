"""The fixture for other people's tests, used as they would use it."""

import orjson
from websockets.asyncio.client import connect

from conformance.wire.script import Script
from mock_upstream.fixture import RememberingMock


async def test_a_test_scripts_the_mock_and_asks_what_it_received(mock_upstream: RememberingMock) -> None:
    mock_upstream.script = Script(settings={"transcript": ["Good morning."], "latency": 0})
    headers = {"Authorization": "Bearer sk-any"}
    async with connect(f"{mock_upstream.url}?model=gpt-realtime", additional_headers=headers) as client:
        await client.send(orjson.dumps({"type": "response.create", "response": {"output_modalities": ["text"]}}).decode())
        while orjson.loads(await client.recv())["type"] != "response.done":
            pass
    assert len(mock_upstream.received("response.create")) == 1
    assert mock_upstream.received({"type": "response.*", "response": {"output_modalities": ["text"]}})
    assert mock_upstream.received("session.update") == []
    assert "".join(event["delta"] for event in mock_upstream.sent("response.output_text.delta")) == "Good morning."


async def test_each_test_gets_a_mock_of_its_own(mock_upstream: RememberingMock) -> None:
    assert mock_upstream.recorder.frames == []
    assert mock_upstream.url == f"ws://127.0.0.1:{mock_upstream.port}/v1/realtime"
