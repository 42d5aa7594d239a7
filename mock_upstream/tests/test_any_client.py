"""Any client at all: no sequence of events crashes the mock, hangs it, makes it send nonsense or lose a response.done."""

from base64 import b64encode
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from conformance.wire.audio import PCM_24K
from mock_upstream import voice
from mock_upstream.tests.driving import WEATHER, Client
from mock_upstream.validation import warm_up

warm_up()
SPEECH = voice.speak("Hello, can you hear me?", PCM_24K)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 40_000)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)
turn_detections = st.sampled_from(
    [
        None,
        {"type": "server_vad"},
        {"type": "server_vad", "idle_timeout_ms": 5000, "silence_duration_ms": 100},
        {"type": "server_vad", "create_response": False, "interrupt_response": False},
        {"type": "semantic_vad", "eagerness": "high"},
    ]
)
sessions = st.fixed_dictionaries(
    {"type": st.just("realtime")},
    optional={
        "output_modalities": st.sampled_from([["text"], ["audio"], ["text", "audio"]]),
        "instructions": st.sampled_from(["", "Be brief."]),
        "tools": st.sampled_from([[], [WEATHER]]),
        "tool_choice": st.sampled_from(["auto", "required", "none", {"type": "function", "name": "weather"}, "bogus"]),
        "max_output_tokens": st.sampled_from(["inf", 1, 7, 0]),
        "include": st.sampled_from([None, ["item.input_audio_transcription.logprobs"]]),
        "audio": st.fixed_dictionaries(
            {},
            optional={
                "input": st.fixed_dictionaries(
                    {},
                    optional={
                        "turn_detection": turn_detections,
                        "transcription": st.sampled_from(
                            [
                                None,
                                {"model": "whisper-1"},
                                {"model": "gpt-realtime-whisper"},
                                {"model": "gpt-4o-transcribe"},
                            ]
                        ),
                        "format": st.sampled_from([{"type": "audio/pcm", "rate": 24000}, {"type": "audio/pcmu"}]),
                    },
                ),
                "output": st.sampled_from([{"voice": "marin"}, {"format": {"type": "audio/pcma"}}]),
            },
        ),
        "bogus": st.just(1),
    },
)
item_ids = st.sampled_from(["a", "b", "c", "", "root", "no spaces", "unknown"])
items = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("message"),
            "role": st.sampled_from(["user", "system"]),
            "content": st.lists(st.just({"type": "input_text", "text": "Hi"}), max_size=2),
        },
        optional={"id": item_ids},
    ),
    st.fixed_dictionaries(
        {"type": st.just("function_call_output"), "call_id": st.sampled_from(["call_1", "x"]), "output": st.just("")}
    ),
    st.just({"type": "function_call", "name": "weather", "call_id": "call_1", "arguments": "{}"}),
    st.just({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}),
)
responses = st.fixed_dictionaries(
    {},
    optional={
        "conversation": st.sampled_from(["auto", "none"]),
        "output_modalities": st.sampled_from([["text"], ["audio"]]),
        "metadata": st.sampled_from([None, {"a": "b"}, {"a": 1}]),
        "max_output_tokens": st.sampled_from([2, "inf"]),
        "tools": st.just([WEATHER]),
        "tool_choice": st.sampled_from(["required", "auto"]),
        "input": st.lists(st.sampled_from([{"type": "item_reference", "id": "a"}]), max_size=1),
    },
)
types = st.sampled_from(
    [
        *("session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "conversation.item.create"),
        *("conversation.item.truncate", "response.create", "response.cancel", "session.close", "nope"),
    ]
)


class AnyClient(RuleBasedStateMachine):
    """A client that does anything at any time."""

    client: Client

    @initialize(
        model=st.sampled_from(["gpt-realtime", "gpt-realtime-2.1"]),
        knobs=st.sampled_from(
            [{}, {"pace": "realtime"}, {"latency": 0, "pace": "burst"}, {"calls": [[{"name": "weather"}]] * 9}]
        ),
        seed=st.integers(0, 9),
    )
    def connect(self, model: str, knobs: dict[str, Any], seed: int) -> None:
        self.client = Client(model=model, settings=knobs, seed=seed)

    @rule(session=sessions)
    def update(self, session: Any) -> None:
        self.client.send({"type": "session.update", "session": session})

    @rule(item=items, previous=st.none() | item_ids)
    def create_item(self, item: Any, previous: str | None) -> None:
        place = {} if previous is None else {"previous_item_id": previous}
        self.client.send({"type": "conversation.item.create", "item": item, **place})

    @rule(response=responses)
    def respond(self, response: Any) -> None:
        self.client.send({"type": "response.create", "response": response})

    @rule(named=st.booleans())
    def cancel(self, named: bool) -> None:
        created = self.client.all("response.created")
        which = {"response_id": created[-1]["response"]["id"]} if named and created else {}
        self.client.send({"type": "response.cancel", **which})

    @rule(verb=st.sampled_from(["delete", "retrieve", "truncate"]), known=st.booleans(), end=st.integers(-1, 3000))
    def touch_item(self, verb: str, known: bool, end: int) -> None:
        added = self.client.all("conversation.item.added")
        item_id = added[-1]["item"]["id"] if known and added else "a"
        cut = {"content_index": 0, "audio_end_ms": end} if verb == "truncate" else {}
        self.client.send({"type": f"conversation.item.{verb}", "item_id": item_id, **cut})

    @rule(what=st.sampled_from(["commit", "clear"]))
    def end_audio(self, what: str) -> None:
        self.client.send({"type": f"input_audio_buffer.{what}"})

    @rule(sound=st.sampled_from([b"\x01", bytes(2400), bytes(96_000), SPEECH, SPEECH + bytes(48_000)]))
    def append(self, sound: bytes) -> None:
        self.client.send({"type": "input_audio_buffer.append", "audio": b64encode(sound).decode()})

    @rule(frame=st.text(max_size=12) | st.binary(max_size=12))
    def babble(self, frame: str | bytes) -> None:
        self.client.send(frame)

    @rule(
        type_=types,
        fields=st.dictionaries(st.sampled_from(["session", "item", "audio", "response", "x"]), json_values, max_size=3),
    )
    def almost(self, type_: str, fields: dict[str, Any]) -> None:
        self.client.send({"type": type_, **fields})

    @rule(ms=st.sampled_from([0, 1, 7, 50, 300, 2000, 6000]))
    def wait(self, ms: int) -> None:
        self.client.wait(ms)

    @invariant()
    def is_open(self) -> None:
        if hasattr(self, "client"):
            assert self.client.closes == []

    def teardown(self) -> None:
        """Every response ended once, and a new turn is answered."""
        if not hasattr(self, "client"):
            return
        client = self.client.wait(600_000)
        created = [event["response"]["id"] for event in client.all("response.created")]
        done = [event["response"]["id"] for event in client.all("response.done")]
        assert sorted(created) == sorted(done)
        assert len(set(done)) == len(done)
        check_lifecycles(client)
        before = len(client.all("response.done"))
        client.turn()
        client.wait(60_000)
        assert len(client.all("response.done")) == before + 1


def check_lifecycles(client: Client) -> None:
    """Items of a response are added before they are done, once, and deltas add up to the text that is done."""
    said: dict[tuple[str, str], str] = {}
    added: set[str] = set()
    for event in client.events:
        match event:
            case {"type": "response.output_item.added", "item": {"id": item_id}}:
                assert item_id not in added
                added.add(item_id)
            case {"type": "response.output_item.done", "item": {"id": item_id}}:
                assert item_id in added
            case {"delta": str(delta), "type": type_, "item_id": item_id} if "audio.delta" not in type_:
                key = (item_id, type_.removesuffix(".delta"))
                said[key] = said.get(key, "") + delta
            case {"type": type_, "item_id": item_id} if type_.endswith(("text.done", "transcript.done", "arguments.done")):
                whole = event.get("text", event.get("transcript", event.get("arguments")))
                assert said.get((item_id, type_.removesuffix(".done")), "") == whole
            case _:
                pass


AnyClient.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
TestAnyClient = AnyClient.TestCase
