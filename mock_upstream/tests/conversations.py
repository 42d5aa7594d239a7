"""Conversations with the official Python SDKs, as their users would write them."""

import asyncio
from base64 import b64decode, b64encode
from typing import Any

from agents import function_tool, set_tracing_disabled
from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession
from agents.realtime.model_inputs import RealtimeModelRawClientMessage, RealtimeModelSendRawMessage
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from mock_upstream.tests.clients import HEARD, HELLO, SPEECH, SUNNY, WEATHER


def user(text: str) -> Any:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


async def turn(connection: AsyncRealtimeConnection, until: str = "response.done") -> list[Any]:
    events = []
    async with asyncio.timeout(200):
        async for event in connection:
            assert event.type != "error", event
            events.append(event)
            if event.type == until:
                break
    return events


async def converse_with_openai(base_url: str) -> None:
    """Play a whole conversation with the async SDK."""
    client = AsyncOpenAI(api_key="sk-any", base_url=base_url)
    async with client.realtime.connect(model="gpt-realtime") as connection:
        session = {"type": "realtime", "output_modalities": ["text"], "audio": {"input": {"turn_detection": None}}}
        await connection.session.update(session=session)  # type: ignore[arg-type]
        await connection.conversation.item.create(item=user("Hello?"))
        await connection.response.create()
        events = await turn(connection)
        assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == HELLO

        await connection.input_audio_buffer.append(audio=b64encode(SPEECH).decode())
        await connection.input_audio_buffer.commit()
        await connection.response.create(response={"output_modalities": ["audio"]})
        events = await turn(connection)
        assert sum(len(b64decode(event.delta)) for event in events if event.type == "response.output_audio.delta") > 24_000
        assert next(e for e in events if e.type == "response.output_audio_transcript.done").transcript == HEARD

        await connection.session.update(session={"type": "realtime", "tools": [WEATHER]})
        await connection.conversation.item.create(item=user("How is the weather in Paris?"))
        await connection.response.create()
        events = await turn(connection)
        call = next(event for event in events if event.type == "response.function_call_arguments.done")
        assert (call.name, call.arguments.replace(" ", "")) == ("weather", '{"city":"Paris"}')
        output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
        await connection.conversation.item.create(item=output)
        await connection.response.create()
        assert (await turn(connection))[-1].response.output[0].content[0].text == SUNNY

        await connection.response.create()
        await turn(connection, until="response.output_text.delta")
        await connection.response.cancel()
        response = (await turn(connection))[-1].response
        assert (response.status, response.status_details.reason) == ("cancelled", "client_cancelled")
        await connection.close()
        assert [event.type async for event in connection] in ([], ["rate_limits.updated"])


class Listener:
    """Collects an agents session's events, and waits for some."""

    def __init__(self, session: RealtimeSession) -> None:
        self.raw: list[Any] = []
        self.types: list[str] = []
        self._session = session
        self._news = asyncio.Condition()
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for event in self._session:
            async with self._news:
                self.types.append(event.type)
                if event.type == "raw_model_event" and event.data.type == "raw_server_event":
                    self.raw.append(event.data.data)
                self._news.notify_all()

    async def count(self, type_: str, times: int) -> list[Any]:
        """Wait until the server sent the event this often, and return all of that type."""
        async with asyncio.timeout(200), self._news:
            await self._news.wait_for(lambda: len(self.of(type_)) >= times)
        return self.of(type_)

    def of(self, type_: str) -> list[Any]:
        return [event for event in self.raw if event["type"] == type_]


async def converse_with_agents(url: str) -> None:
    """Play a whole conversation with the agents SDK: it runs a tool and is interrupted."""
    set_tracing_disabled(True)
    cities: list[str] = []

    @function_tool
    def weather(city: str) -> str:
        """Tell the weather."""
        cities.append(city)
        return "sunny"

    agent = RealtimeAgent(name="Guide", instructions="Be brief.", tools=[weather])
    runner = RealtimeRunner(agent, config={"tracing_disabled": True})
    config: Any = {
        "url": f"{url}?model=gpt-realtime",
        "api_key": "sk-any",
        "initial_model_settings": {"turn_detection": None, "modalities": ["audio"]},
    }
    async with await runner.run(model_config=config) as session:
        listener = Listener(session)
        await session.send_message("Hello?")
        done = await listener.count("response.done", 1)
        assert done[0]["response"]["output"][0]["content"][0]["transcript"] == HELLO

        await session.send_audio(SPEECH, commit=True)
        await listener.count("input_audio_buffer.committed", 1)
        if len(listener.of("response.created")) < 2:
            await session.model.send_event(
                RealtimeModelSendRawMessage(message=RealtimeModelRawClientMessage(type="response.create"))
            )
        await listener.count("response.done", 2)
        assert "audio" in listener.types

        await session.send_message("How is the weather in Paris?")
        done = await listener.count("response.done", 4)
        assert cities == ["Paris"]
        assert done[3]["response"]["output"][0]["content"][0]["transcript"] == SUNNY

        deltas = len(listener.of("response.output_audio.delta"))
        await session.send_message("Tell me a long story.")
        await listener.count("response.output_audio.delta", deltas + 1)
        await session.interrupt()
        done = await listener.count("response.done", 5)
        assert done[4]["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        assert listener.of("error") == []
