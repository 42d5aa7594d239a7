"""The input buffer's accounting."""

from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.wire.audio import PCM_24K, AudioFormat, Encoding, decode
from mock_upstream.audio_buffer import MAX_KEPT, AudioBuffer

ULAW = AudioFormat(Encoding.ULAW, 8_000)
HUNDRED_MS = bytes(4_800)


def test_audio_counts_from_the_previous_commit() -> None:
    buffer = AudioBuffer()
    buffer.append(HUNDRED_MS)
    assert buffer.duration_since_commit == 100_000
    taken = buffer.commit()
    assert (taken.start, taken.end, taken.data) == (0, 100_000, HUNDRED_MS)
    buffer.append(HUNDRED_MS[:2_400])
    assert buffer.duration_since_commit == 50_000
    assert buffer.total == 150_000


def test_clearing_forgets_the_audio_but_not_the_time() -> None:
    buffer = AudioBuffer()
    buffer.append(HUNDRED_MS)
    buffer.clear()
    buffer.append(b"\x01\x00" * 1_200)
    assert buffer.total == 150_000
    assert buffer.commit().data == b"\x01\x00" * 1_200


def test_g711_counts_a_byte_a_sample() -> None:
    buffer = AudioBuffer(ULAW)
    assert buffer.append(b"\xff" * 800).size == 800
    assert buffer.total == 100_000


def test_a_commit_can_take_a_stretch_and_leaves_what_came_after() -> None:
    buffer = AudioBuffer()
    buffer.append(b"\x01\x00" * 24_000 + b"\x02\x00" * 24_000)
    taken = buffer.commit(start=960_000, end=1_024_000)
    assert taken.data == b"\x01\x00" * 960 + b"\x02\x00" * 576
    assert taken.duration == 64_000
    assert buffer.duration_since_commit == 976_000
    assert buffer.commit().data == b"\x02\x00" * (24_000 - 576)


def test_a_change_of_format_lets_audio_time_go_on() -> None:
    buffer = AudioBuffer()
    buffer.append(HUNDRED_MS)
    buffer.change_format(ULAW)
    buffer.append(b"\xff" * 800)
    assert buffer.total == 200_000
    assert buffer.commit(start=100_000).data == b"\xff" * 800


def test_only_the_last_bytes_of_endless_audio_are_kept() -> None:
    buffer = AudioBuffer()
    chunk = bytes(2**20)
    for _ in range(40):
        buffer.append(chunk)
    assert buffer.total == PCM_24K.duration(40 * 2**20)
    taken = buffer.commit()
    assert taken.duration == buffer.total
    assert MAX_KEPT <= len(taken.data) <= 2 * MAX_KEPT


@settings(deadline=None)
@given(st.lists(st.binary(max_size=9), max_size=20))
def test_samples_are_the_same_however_the_bytes_are_cut(chunks: list[bytes]) -> None:
    buffer = AudioBuffer()
    heard = [sample for chunk in chunks for sample in buffer.append(chunk).tolist()]
    assert heard == decode(b"".join(chunks), Encoding.PCM16).tolist()
