"""With several connections open, a step is for the newest that the script has not closed, even if the subject has."""

from websockets.asyncio.server import ServerConnection

from conformance.client.tests.subject import agent, marks, play
from conformance.scenario.model import Close, Connect, Hold, Send
from conformance.wire.durations import SECOND
from conformance.wire.frames import Direction, Kind

ODD = Send(message=b"\x01\x02\x03", id="odd")
HELLO = Send(message={"type": "InjectUserMessage", "content": "hello"}, id="hello")
CLOSE = Close(late=0)


async def intolerant(connection: ServerConnection) -> None:
    """End the session of whoever sends an odd number of bytes."""
    async for message in connection:
        if isinstance(message, bytes):
            await connection.close(1011, "odd")


def test_what_is_meant_for_a_session_that_its_subject_has_ended_does_not_reach_its_neighbour() -> None:
    recording = play(Connect(), Connect(), ODD, Hold(duration=SECOND), ODD, CLOSE, HELLO, CLOSE, handler=intolerant)
    sent = [(frame.conn, frame.kind) for frame in recording.frames if frame.kind in (Kind.BINARY, Kind.TEXT)]
    assert sent == [(1, Kind.BINARY), (0, Kind.TEXT)]
    closes = [(frame.conn, frame.dir, frame.data["code"]) for frame in recording.frames if frame.kind is Kind.CLOSE]
    assert closes == [(1, Direction.DOWN, 1011), (0, Direction.UP, 1000)]
    assert [mark.data["index"] for mark in marks(recording, "skipped")] == [4, 5]


def test_a_second_close_is_for_the_connection_before() -> None:
    recording = play(Connect(), Connect(), CLOSE, CLOSE, handler=agent)
    assert [frame.conn for frame in recording.frames if frame.kind is Kind.CLOSE] == [1, 0]
