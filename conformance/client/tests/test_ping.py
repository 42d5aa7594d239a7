"""The ping that a scenario may send."""

from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import Opcode

from conformance.client.tests.subject import instants, play, types
from conformance.scenario.model import Close, Connect, Hold, Run
from conformance.wire.durations import SECOND

CLOSE = Close(id="bye", late=0)


def test_a_ping_reaches_the_peer_and_is_no_frame_of_the_recording() -> None:
    pings = []

    async def hear_pings(connection: ServerConnection) -> None:
        acknowledge = connection.protocol.recv_frame

        def heard(frame: Any) -> None:
            if frame.opcode is Opcode.PING:
                pings.append(frame.data)
            acknowledge(frame)

        connection.protocol.recv_frame = heard  # type: ignore[method-assign]
        await connection.wait_closed()

    recording = play(
        Connect(), Run(name="ping", id="alive"), Hold(duration=SECOND), CLOSE, Run(name="ping"), handler=hear_pings
    )
    assert len(pings) == 1
    assert types(recording) == []
    assert instants(recording)["alive"] == 0
