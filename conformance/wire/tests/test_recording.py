"""The recording's file: what goes in comes out, a cut-off one still loads, no secret reaches it."""

import io
import json
from base64 import b64encode
from pathlib import Path

import pytest

from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.recording import Footer, Header, Outcome, Recorder, Recording, dump, load

KEYS = [
    "sk-proj-abcDEF123_x-yz",
    "sk-svcacct-0123456789",
    "sk-test-secret",
    "sk-" + "A1b2" * 12,
    "sk-abcdefghijklmnopqrstuvwx",
    "ek_68af296e8e408191a1120ab6383263c2",
]
INNOCENT = "task-force sk-learning risk-averse sk-SK week_12345678 desk_1234567890 ask-me-anything item_sk0 -sk- ek_"


class Tape:
    """A recorder on a clock of its own, writing to memory."""

    def __init__(self, **options: object) -> None:
        self.now = 0
        self.file = io.BytesIO()
        self.recorder = Recorder(Header("a/b", "a", {"x": None}), lambda: self.now, stream=self.file, **options)  # type: ignore[arg-type]

    def put(self, leg: Leg, kind: Kind, body: object, direction: Direction = Direction.UP, **more: object) -> None:
        self.now += 10_000
        self.recorder.leg(leg)(0, direction, kind, body, **more)  # type: ignore[arg-type]

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.file.getvalue().splitlines()]


def some(tape: Tape) -> Recording:
    tape.put(Leg.CLIENT, Kind.OPEN, {"path": "/"})
    tape.put(Leg.CLIENT, Kind.TEXT, '{"type":"Settings"}')
    tape.put(Leg.CLIENT, Kind.BINARY, bytes(960))
    tape.put(Leg.UPSTREAM, Kind.TEXT, "no json", Direction.DOWN, scripted="rule-1")
    tape.put(Leg.UPSTREAM, Kind.MARK, {"mark": "withheld", "event": {"type": "x"}}, Direction.DOWN)
    tape.put(Leg.CLIENT, Kind.CLOSE, {"code": 1000, "reason": ""})
    return tape.recorder.finish(Footer(tape.now, Outcome.FINISHED, None, 12, ("last words",)))


def test_what_is_written_loads_again(tmp_path: Path) -> None:
    tape = Tape()
    recording = some(tape)
    path = tmp_path / "1.jsonl"
    path.write_bytes(tape.file.getvalue())
    assert load(path) == recording
    assert dump(recording) == tape.file.getvalue()


def test_frames_say_what_they_are(tmp_path: Path) -> None:
    frames = some(Tape()).frames
    assert [(frame.kind, frame.type, frame.t) for frame in frames] == [
        (Kind.OPEN, "", 10_000),
        (Kind.TEXT, "Settings", 20_000),
        (Kind.BINARY, "", 30_000),
        (Kind.TEXT, "", 40_000),
        (Kind.MARK, "withheld", 50_000),
        (Kind.CLOSE, "", 60_000),
    ]
    assert frames[2].data["ms"] == 20
    assert (frames[3].data, frames[3].scripted) == ({"raw": "no json", "chars": 7}, "rule-1")
    assert frames[4].data == {"event": {"type": "x"}}
    assert [frame.is_event for frame in frames] == [False, True, True, True, False, False]


def test_a_file_that_was_cut_off_loads_without_its_broken_last_line(tmp_path: Path) -> None:
    tape = Tape()
    recording = some(tape)
    whole = tape.file.getvalue()
    path = tmp_path / "1.jsonl"
    path.write_bytes(whole[: whole.index(b'"kind":"close"')])
    loaded = load(path)
    assert loaded.frames == recording.frames[:-1]
    assert loaded.footer is None
    assert loaded.end == 50_000


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty"),
        (b'{"recording":99}\n', "recording schema 99"),
        (b"nonsense\n", ":1: not a line of a recording"),
        (b'{"recording":1}\n{"seq":0}\n{"end":1,"outcome":"finished"}\n', ":2: not a line of a recording"),
        (b"5\n", ":1: not a line of a recording: it is no object"),
        (b'{"recording":1}\nnull\n{"end":1,"outcome":"finished"}\n', ":2: not a line of a recording: it is no object"),
        (
            b'{"recording":1}\n{"seq":0,"t":0,"leg":"client","conn":0,"dir":"up","kind":"text","type":"x","data":[]}\n\n',
            ":2: not a line of a recording: a frame has an object for data",
        ),
    ],
)
def test_what_is_no_recording_is_refused_with_its_line(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "1.jsonl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        load(path)


def test_listeners_get_each_frame_as_it_is_recorded() -> None:
    tape = Tape()
    seen: list[str] = []
    tape.recorder.listeners.append(lambda frame: seen.append(frame.type))
    tape.put(Leg.CLIENT, Kind.TEXT, {"type": "Settings"})
    assert seen == ["Settings"]


def test_declared_formats_are_measured_in() -> None:
    tape = Tape()
    audio = {"input": {"encoding": "mulaw", "sample_rate": 8_000}}
    tape.put(Leg.CLIENT, Kind.TEXT, {"type": "Settings", "audio": audio})
    tape.put(Leg.CLIENT, Kind.BINARY, bytes(160))
    updated = {"type": "session.updated", "session": {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}}
    tape.put(Leg.UPSTREAM, Kind.TEXT, updated, Direction.DOWN)
    tape.put(Leg.UPSTREAM, Kind.TEXT, {"type": "input_audio_buffer.append", "audio": b64encode(bytes(80)).decode()})
    assert tape.recorder.frames[1].data["ms"] == 20
    assert tape.recorder.frames[3].data["audio"]["ms"] == 10


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "around", ["{}", "Bearer {}", "line\n{}", "tab\t{}", '"{}"', "?key={}&x", "openai-insecure-api-key.{}"]
)
def test_no_key_reaches_the_file(key: str, around: str) -> None:
    tape = Tape()
    words = around.format(key)
    tape.put(Leg.CLIENT, Kind.TEXT, {"type": "x", "text": words, "inside": json.dumps({"deep": words})})
    tape.put(Leg.CLIENT, Kind.TEXT, words)
    tape.put(Leg.CLIENT, Kind.OPEN, {"path": words})
    recording = tape.recorder.finish(Footer(tape.now, Outcome.ERROR, words, 0, (words,)))
    assert key.encode() not in tape.file.getvalue()
    assert key.encode() not in dump(recording)
    assert tape.file.getvalue().count(b"[secret]") == 6
    assert tape.lines()


def test_ordinary_words_reach_the_file_unharmed() -> None:
    tape = Tape()
    tape.put(Leg.CLIENT, Kind.TEXT, {"type": "x", "text": INNOCENT})
    assert INNOCENT.encode() in tape.file.getvalue()


def test_a_secret_that_is_named_never_reaches_the_file_whatever_it_looks_like() -> None:
    tape = Tape(secrets=("open sesame", "", "no"))
    tape.put(Leg.CLIENT, Kind.TEXT, {"type": "x", "text": "open sesame, no?"})
    assert b"open sesame" not in tape.file.getvalue()
    assert b", no?" in tape.file.getvalue()


def test_what_is_judged_holds_no_more_secrets_than_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with path.open("wb") as stream:
        recorder = Recorder(Header(), lambda: 0, secrets=("hush\\hush",), stream=stream)
        sink = recorder.leg(Leg.UPSTREAM)
        sink(0, Direction.DOWN, Kind.TEXT, {"type": "error", "error": {"message": "hush\\hush and sk-Abc1defghij"}})
        sink(0, Direction.DOWN, Kind.TEXT, {"type": "session.created"})
        recording = recorder.finish(Footer(0, message="because of hush\\hush"))
    assert recording == load(path)
    assert recording.frames[0].data["error"] == {"message": "[secret] and [secret]"}
    assert recording.footer is not None
    assert recording.footer.message == "because of [secret]"
