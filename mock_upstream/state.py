"""The state of one session, and the few verbs with which everything else speaks to the client."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from conformance.wire.durations import MILLISECOND, SECOND, Micros
from mock_upstream import beta
from mock_upstream.actions import Setup
from mock_upstream.agenda import Agenda
from mock_upstream.audio_buffer import AudioBuffer
from mock_upstream.configuration import initial, input_format, merge, turn_detection
from mock_upstream.conversation import Conversation, Item
from mock_upstream.errors import ApiError
from mock_upstream.ids import Ids
from mock_upstream.outbox import Outbox, Outgoing
from mock_upstream.profiles import profile_of, read_knobs
from mock_upstream.rate_limits import RateLimits
from mock_upstream.scripting import Rules
from mock_upstream.vad import make_vad

if TYPE_CHECKING:
    from mock_upstream.faults import SessionFault
    from mock_upstream.model import Call
    from mock_upstream.responses import Response

ANSWER: Final[Micros] = 5 * MILLISECOND
"""What the API takes to act on a client event, beyond the round trip: 2 to 8 ms in the timed recordings."""


class State:
    """Everything a session knows; ``responses``, ``turns`` and the handlers work on it."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.profile = profile_of(setup.script.profile, setup.model, transcription=setup.intent == "transcription")
        self.knobs = read_knobs(setup.script.settings, self.profile)
        self.ids = Ids(setup.seed, setup.conn, setup.epoch)
        self.agenda = Agenda()
        self.rules = Rules(setup.script.rules, setup.seed, setup.conn)
        self.outbox = Outbox(self.agenda, self.rules)
        self._choose_dialect()
        self.config: Mapping[str, Any] = initial(self.profile, "", 0)
        self.conversation = Conversation("")
        self.buffer = AudioBuffer(input_format(self.config))
        self.vad = make_vad(turn_detection(self.config), input_format(self.config))
        self.speech_item: str | None = None
        """The id that the open speech segment will have as an item."""
        self.active: Response | None = None
        """The default conversation's response in progress."""
        self.out_of_band: dict[str, Response] = {}
        self.turn = 0
        """Responses begun so far."""
        self.heard = 0
        """Audible turns transcribed so far."""
        self.overheard: Micros = 0
        """Audible audio since the last commit, for a streaming transcription."""
        self.streamed = 0
        """Words of it already sent."""
        self.cached_tokens = 0
        self.asked: Call | None = None
        """The MCP call that waits for the client's approval."""
        self.listed: set[str] = set()
        """The MCP servers whose tools were listed."""
        self.limits = RateLimits(self.profile.tokens_per_minute)
        self.created = False
        self.silent = False
        """The model says nothing (a fault)."""
        self.watchers: list[SessionFault] = []
        self._processed_at: Micros = -1

    def begin(self, now: Micros) -> None:
        """The connection is open: the session and its conversation get their ids, whose clock is now."""
        self.agenda.run(now)
        expires_at = self.setup.epoch + (now + self.knobs.expiry) // SECOND
        self.config = {**self.config, "id": self.new_id("sess"), "expires_at": expires_at}
        self.conversation = Conversation(self.new_id("conv"))

    @property
    def now(self) -> Micros:
        """The time it is."""
        return self.agenda.now

    @property
    def beta(self) -> bool:
        """Whether this session speaks the beta dialect."""
        return self.knobs.dialect == "beta"

    @property
    def idle_timeout_ms(self) -> int | None:
        """The effective ``idle_timeout_ms``; None where turn detection is off or has none."""
        return (turn_detection(self.config) or {}).get("idle_timeout_ms")

    def set_knobs(self, **knobs: Any) -> None:
        """Turn some knobs."""
        self.knobs = replace(self.knobs, **knobs)
        self._choose_dialect()

    def _choose_dialect(self) -> None:
        if self.beta:
            self.outbox.translate = self._to_beta
        else:
            self.outbox.translate = beta.object_delta if self.knobs.deltas == "object" else None

    def new_id(self, prefix: str) -> str:
        """Return a new id; its clock is now."""
        return self.ids.make(prefix, self.agenda.now)

    def event(self, type_: str, **fields: Any) -> dict[str, Any]:
        """Return an event with a new id."""
        return {"type": type_, "event_id": self.ids.make("event", self.agenda.now), **fields}

    def error_event(self, error: ApiError, event_id: str | None = None) -> dict[str, Any]:
        """Return an ``error`` event; ``event_id`` is that of the client event it is about."""
        return self.event("error", error=error.body(event_id))

    def latency(self, recorded: Micros) -> Micros:
        """Scale a recorded latency."""
        return round(recorded * self.knobs.latency)

    def process(self, work: Callable[[], None], after: Micros = ANSWER) -> None:
        """Carry out a client event after its latency, one after the other, in the order in which they came."""
        self._processed_at = max(self._processed_at, self.now + self.latency(after))
        self.agenda.plan(self._processed_at - self.now, work)

    @property
    def idle(self) -> bool:
        """Whether every client event so far was carried out."""
        return self._processed_at <= self.now

    def say(self, event: Mapping[str, Any], sent: Callable[[], None] | None = None) -> None:
        """Send an event now."""
        self.outbox.say(event, sent)

    def tell_scripted(self, event: Mapping[str, Any], scripted: str | None, sent: Callable[[], None] | None = None) -> None:
        """Send an event that a script wrote: no rule looks at it again."""
        self.outbox.emit(Outgoing(event, sent, scripted, exempt=True))

    def refuse(self, error: ApiError, event_id: str | None = None) -> None:
        """Tell the client of an error, and close if that is what the error does."""
        self.say(self.error_event(error, event_id))
        if error.close is not None:
            self.outbox.close(error.close, error.reason)

    def confirm(self, item: Item) -> None:
        """Send ``conversation.item.added`` and ``.done`` of an item that is complete."""
        previous = self.conversation.previous_id(item.id)
        for stage in ("added", "done"):
            self.say(self.event(f"conversation.item.{stage}", previous_item_id=previous, item=item.body))

    def configure(self, patch: Mapping[str, Any]) -> None:
        """Put an update in force; the open speech segment survives unless turn detection or the format changed kind."""
        before = self.config
        self.config = merge(self.config, patch, self.profile, voice_locked=self.conversation.has_model_audio)
        format_ = input_format(self.config)
        detection = turn_detection(self.config)
        if format_ == input_format(before) and detection == turn_detection(before):
            return
        self.buffer.change_format(format_)
        self.vad = make_vad(detection, format_, at=self.buffer.total)
        self.speech_item = None

    def _to_beta(self, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return beta.outbound(event, self.knobs, self.config)
