"""Nesting that could be read but not written again is found, wherever it hides."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from conformance.wire.depth import DEEPEST, is_too_deep, read_json
from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.recording import Footer, Header, Recorder, dump


def arrays(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [1, {"a": 2, "b": value}, "x"]])
def test_a_level_too_many_is_found(wrap: Any) -> None:
    around = 0 if wrap(1) == 1 else 2
    assert not is_too_deep(wrap(arrays(DEEPEST - around)))
    assert is_too_deep(wrap(arrays(DEEPEST - around + 1)))


@pytest.mark.parametrize("plain", [1, None, "[" * 1000, [], {}, [[], {}]])
def test_what_is_flat_is_not(plain: object) -> None:
    assert not is_too_deep(plain)


@pytest.mark.parametrize("levels", [DEEPEST - 1, DEEPEST, 300, 1000, 5000])
@pytest.mark.parametrize("type_", ["nope", "input_audio_buffer.append", "Settings", "session.updated"])
@pytest.mark.parametrize("only_writes", [False, True])
def test_a_recording_takes_frames_of_any_depth(levels: int, type_: str, only_writes: bool) -> None:
    class Lines(list[bytes]):
        def write(self, data: bytes) -> None:
            self.append(data)

        def flush(self) -> None:
            pass

    lines = Lines()
    recorder = Recorder(Header(), lambda: 0, stream=lines, keep_frames=not only_writes)
    text = f'{{"type":"{type_}","x":{"[" * levels + "]" * levels}}}'
    recorder.leg(Leg.UPSTREAM)(0, Direction.UP, Kind.TEXT, text)
    recorder.leg(Leg.CLIENT)(0, Direction.UP, Kind.BINARY, text[text.index("[") : -1].encode())
    recording = recorder.finish(Footer(0))
    assert len(lines) == 4
    assert only_writes or dump(recording).splitlines(keepends=True) == lines


@pytest.mark.parametrize("text", ["[" * DEEPEST + "]" * DEEPEST, "[" + "[]," * 500 + "{}]", '{"a": "' + "[" * 500 + '"}'])
@pytest.mark.parametrize("form", [str, str.encode], ids=["text", "bytes"])
def test_many_brackets_are_read_unless_they_nest_too_deep(text: str, form: Callable[[str], str | bytes]) -> None:
    assert read_json(form(text)) == orjson.loads(text)
    with pytest.raises(ValueError, match="nested in more than 128 levels"):
        read_json(form(f'{{"b": {"[" * DEEPEST + "]" * DEEPEST}}}'))
