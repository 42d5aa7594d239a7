"""The reference proxy's thinnest shell: the translator between two ends in memory, without a task, a lock or a socket.

Each message is one callback of the loop; the translator's actions are carried out before the next. It does what
`conformance.reference_proxy.server.Session` does over WebSockets.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final

import orjson
from websockets.exceptions import InvalidHandshake
from websockets.frames import Close

from conformance.clock import stopwatch
from conformance.reference_proxy.actions import Action, CloseClient, CloseUpstream, ToClient, ToUpstream
from conformance.reference_proxy.server import explain_refusal
from conformance.reference_proxy.translator import Translator
from conformance.runner.memory import ABNORMAL, Ended, Message, Peer
from conformance.wire.durations import SECOND, Micros

_LOG: Final = logging.getLogger(__name__)
_INTERNAL_ERROR: Final = 1011

Open = Callable[[Peer], Awaitable[Peer]]
"""Opens an upstream connection whose near end is the peer given, and returns the far end."""


class MemoryProxy:
    """One client, its upstream and the translator between them; it is the peer of the client's end."""

    def __init__(self, client: Peer, open_upstream: Open, translator: Translator) -> None:
        """Begin, and dial the upstream."""
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._now = stopwatch()
        self._client = client
        self._translator = translator
        self._upstream: Peer | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at: Micros = 0
        self._is_over = False
        self._dialling = asyncio.create_task(self._dial(open_upstream), name="proxy dials")

    # What comes from the client

    def take(self, message: Message) -> None:
        """Translate a client's message in a later turn of the loop."""
        self._loop.call_soon(self._step, partial(self._translator.client_frame, message))

    def end(self, _: Ended) -> None:
        """Let the client go, after what it said before."""
        self._loop.call_soon(self._leave)

    # What comes from the upstream

    def take_from_upstream(self, message: Message) -> None:
        """Translate an upstream's event in a later turn of the loop."""
        self._loop.call_soon(self._step, partial(self._translator.upstream_frame, message))

    def end_upstream(self, ended: Ended) -> None:
        """Tell the translator that the upstream is gone, after what it said before."""
        code, reason = (ABNORMAL, "") if ended.received is None else (ended.received.code, ended.received.reason)
        self._upstream = None
        self._loop.call_soon(self._step, partial(self._translator.upstream_closed, code, reason))

    async def _dial(self, open_upstream: Open) -> None:
        try:
            self._upstream = await open_upstream(_Near(self))
        except (OSError, InvalidHandshake) as error:
            self._step(partial(self._translator.upstream_refused, explain_refusal(error)))
        else:
            self._step(self._translator.upstream_opened)

    # What the translator asks for

    def _step(self, translate: Callable[[Micros], Iterable[Action]]) -> None:
        if self._is_over:
            return
        try:
            for action in translate(self._now()):
                self._carry_out(action)
        except Exception:  # noqa: BLE001  # a session that fails ends alone, as over WebSockets
            _LOG.exception("A session failed and was closed; the others go on.")
            self._carry_out(CloseClient(_INTERNAL_ERROR, "the proxy failed"))
        self._set_alarm()

    def _carry_out(self, action: Action) -> None:
        match action:
            case ToClient(message):
                self._client.take(message if isinstance(message, bytes) else orjson.dumps(message).decode())
            case ToUpstream(event) if self._upstream is not None:
                self._upstream.take(event if isinstance(event, bytes) else orjson.dumps(event).decode())
            case CloseClient(code, reason):
                self._client.end(_said(code, reason))
                self._loop.call_soon(self._leave)
            case CloseUpstream(code, reason) if self._upstream is not None:
                self._upstream.end(_said(code, reason))
                self.end_upstream(_said(code, reason))
            case _:
                pass  # the upstream is not there

    def _leave(self) -> None:
        if self._is_over:
            return
        self._step(self._translator.client_closed)
        self._is_over = True
        self._dialling.cancel()
        if self._alarm is not None:
            self._alarm.cancel()
        if self._upstream is not None:
            self._upstream.end(_said(1000, ""))

    def _set_alarm(self) -> None:
        deadline = self._translator.deadline()
        if deadline is None or (self._alarm is not None and self._alarm_at <= deadline):
            return  # an alarm that rings too early does no harm; while somebody speaks, each frame puts the deadline off
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = deadline
        self._alarm = self._loop.call_at(self._start + deadline / SECOND, self._wake)

    def _wake(self) -> None:
        self._alarm = None
        self._step(self._translator.wake)


class _Near:
    """The proxy's end of its upstream connection."""

    def __init__(self, proxy: MemoryProxy) -> None:
        self.take = proxy.take_from_upstream
        self.end = proxy.end_upstream


def _said(code: int, reason: str) -> Ended:
    said = Close(code, reason)
    return Ended(said, said, received_first=True)
