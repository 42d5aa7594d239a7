"""The official Python SDKs against the mock, as their users would use them."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI
from openai.resources.realtime.realtime import RealtimeConnection

from conformance.wire.frames import Kind
from conformance.wire.script import Script
from mock_upstream.fixture import RememberingMock
from mock_upstream.tests.clients import HELLO, PLAY, SILENCE, SPEECH, STORY, SUNNY, WEATHER
from mock_upstream.tests.conversations import converse_with_agents, converse_with_openai, turn, user


@pytest.fixture
async def mock() -> AsyncIterator[RememberingMock]:
    async with RememberingMock(script=PLAY) as mock:
        yield mock


async def test_openai_async_plays_a_whole_conversation(mock: RememberingMock) -> None:
    await converse_with_openai(mock.base_url)
    assert mock.recorder.frames[-1].data == {"code": 1000, "reason": ""}


async def test_openai_agents_runs_a_tool_and_is_interrupted(mock: RememberingMock) -> None:
    await converse_with_agents(mock.url)
    assert mock.recorder.frames[-1].data["code"] == 1000
    assert STORY not in repr(mock.recorder.frames)


async def test_openai_sync_plays_a_whole_conversation(mock: RememberingMock) -> None:
    websocket_base_url = mock.base_url.replace("http", "ws", 1)

    def until(connection: RealtimeConnection, type_: str = "response.done") -> list[Any]:
        events = []
        for event in connection:
            assert event.type != "error", event
            events.append(event)
            if event.type == type_:
                break
        return events

    def converse() -> None:
        client = OpenAI(api_key="sk-any", base_url="http://localhost:1/v1", websocket_base_url=websocket_base_url)
        with client.realtime.connect(model="gpt-realtime") as connection:
            session = {"type": "realtime", "output_modalities": ["text"], "audio": {"input": {"turn_detection": None}}}
            connection.session.update(session=session)  # type: ignore[arg-type]
            connection.conversation.item.create(item=user("Hello?"))
            connection.response.create()
            assert until(connection)[-1].response.output[0].content[0].text == HELLO

            connection.input_audio_buffer.append(audio=b64encode(SPEECH).decode())
            connection.input_audio_buffer.commit()
            connection.response.create(response={"output_modalities": ["audio"]})
            assert any(event.type == "response.output_audio.delta" for event in until(connection))

            connection.session.update(session={"type": "realtime", "tools": [WEATHER]})
            connection.response.create()
            call = next(e for e in until(connection) if e.type == "response.function_call_arguments.done")
            output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
            connection.conversation.item.create(item=output)
            connection.response.create()
            assert until(connection)[-1].response.output[0].content[0].text == SUNNY

            connection.response.create()
            until(connection, "response.output_text.delta")
            connection.response.cancel()
            assert until(connection)[-1].response.status == "cancelled"

    await asyncio.wait_for(asyncio.to_thread(converse), 200)
    assert mock.recorder.frames[-1].kind is Kind.CLOSE


async def test_openai_makes_an_ephemeral_key_whose_session_is_already_configured(mock: RememberingMock) -> None:
    client = AsyncOpenAI(api_key="sk-any", base_url=mock.base_url)
    session: Any = {
        "type": "realtime",
        "model": "gpt-realtime",
        "instructions": "Be brief.",
        "audio": {"output": {"voice": "sage"}},
    }
    secret = await client.realtime.client_secrets.create(session=session)
    assert secret.value.startswith("ek_")
    assert secret.session.model_dump()["instructions"] == "Be brief."
    browser = AsyncOpenAI(api_key=secret.value, base_url=mock.base_url)
    async with browser.realtime.connect(model="gpt-realtime") as connection:
        created: Any = await connection.recv()
        assert created.type == "session.created"
        assert created.session.instructions == "Be brief."
        assert created.session.audio.output.voice == "sage"
    assert secret.value not in repr(mock.recorder.frames)


async def test_openai_sees_server_vad_take_a_turn_and_barge_in(mock: RememberingMock) -> None:
    mock.script = Script(settings={"transcript": [STORY, HELLO], "pace": 5})  # long enough to be barged in on
    client = AsyncOpenAI(api_key="sk-any", base_url=mock.base_url)
    async with client.realtime.connect(model="gpt-realtime") as connection:

        async def speak() -> None:
            for part in (SPEECH, SILENCE):
                await connection.input_audio_buffer.append(audio=b64encode(part).decode())

        await speak()
        types = [event.type for event in await turn(connection, until="response.output_audio.delta")]
        assert types[1:4] == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
        ]
        await speak()
        first = (await turn(connection))[-1].response
        assert (first.status, first.status_details.reason) == ("cancelled", "turn_detected")
        second = (await turn(connection))[-1].response
        assert second.status == "completed"
