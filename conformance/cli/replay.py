"""``conformance replay``: the upstream side of a recorded session, served again."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from conformance.cli.serving import Desk, give_up, make_folder, read_listen, serve_until_stopped
from conformance.cli.words import in_words
from conformance.recordings import read_any
from conformance.scenario.mistakes import ScenarioError
from conformance.wire.script import ReplaySource, Script
from mock_upstream.assignment import Assignment, Handshake
from mock_upstream.replay import Replay, connections
from mock_upstream.server import MockUpstream


def command(
    recording: Annotated[
        Path, typer.Argument(metavar="RECORDING", help="A recording (runs/…/1.jsonl), or a cassette (YAML).")
    ],
    *,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the proxy connects.")] = "127.0.0.1:8767",
    strict: Annotated[
        bool, typer.Option("--strict", help="Close when the proxy sends what the recording has not.")
    ] = False,
    audio: Annotated[Path | None, typer.Option(metavar="DIR", help="The bodies that --keep-audio kept.")] = None,
    record: Annotated[Path | None, typer.Option(metavar="DIR", help="Write a recording of each connection.")] = None,
    log: Annotated[bool, typer.Option("--log", help="Print a line for every frame.")] = False,
) -> None:
    """Serve the upstream side of a recorded session: same events, order and gaps, ids re-bound, until Ctrl-C.

    A recording of several connections is served one by one, and from the start again after the last.

    Example: conformance replay runs/latest/recordings/greeting/idle/null/1.jsonl --listen 127.0.0.1:8767
    """
    try:
        source = ReplaySource(read_any(recording), strict=strict, audio_dir=audio)
        Replay(source.recording)
    except (OSError, ValueError, ScenarioError) as error:
        give_up("replay", in_words(error))
    host, port = read_listen("replay", listen)
    desk = Desk(record=make_folder("replay", "--record", record), log=log)
    script = Script(replay=source)

    recorded = connections(source.recording)

    def assign(_: Handshake) -> Assignment:
        conn = recorded[desk.count % len(recorded)]
        visit = desk.admit()
        return Assignment(script, 0, visit.epoch, visit.now, visit.sink, conn=conn, done=visit.done)

    server = MockUpstream(assign, host=host, port=port)

    def welcome() -> str:
        return f"Replay of {recording} on {server.url} (Ctrl-C stops it)"

    asyncio.run(serve_until_stopped("replay", server, listen, welcome))
