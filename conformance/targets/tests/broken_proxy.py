"""A proxy that is broken in the way its first argument says, on the port that the second one says."""

import asyncio
import itertools
import os
import sys

from websockets.asyncio.server import ServerConnection, serve


async def main(defect: str, port: int) -> None:
    if defect == "exits-at-start":
        sys.stderr.write("cannot find my configuration\n")
        sys.exit(3)
    if defect == "hangs-on-connect":
        async with await asyncio.start_server(lambda *_: asyncio.sleep(3_600), "127.0.0.1", port):
            await asyncio.Event().wait()

    async def handle(client: ServerConnection) -> None:
        async for _ in client:
            match defect:
                case "floods":
                    for _ in itertools.count():
                        await client.send('{"type":"KeepAlive"}')
                case "garbage":
                    await client.send("\x00{{{")
                    await client.send(b"")
                    client.transport.write(b"\xff\xff\xff")
                case "dies":
                    sys.stderr.write("segmentation fault, as it were\n")
                    os._exit(139)

    elsewhere = 1 if defect == "wrong-port" else 0
    async with serve(handle, "127.0.0.1", port + elsewhere, ping_interval=None):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
