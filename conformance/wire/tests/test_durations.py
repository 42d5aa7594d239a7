"""Durations: a unit is always written, microseconds are always meant."""

import pytest

from conformance.wire.durations import format_duration, parse_duration, to_seconds


@pytest.mark.parametrize(
    ("text", "micros"),
    [("40ms", 40_000), ("1.5s", 1_500_000), ("2m", 120_000_000), ("1h", 3_600_000_000), ("7us", 7), (" 0s ", 0)],
)
def test_a_duration_is_read_to_the_microsecond(text: str, micros: int) -> None:
    assert parse_duration(text) == micros


@pytest.mark.parametrize("text", ["", "5", "ms", "-1s", "1 s", "1e3ms", "1.s", "1d", "1s2ms"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write a number with a unit"):
        parse_duration(text)


@pytest.mark.parametrize(("micros", "text"), [(40_000, "40ms"), (1_500_000, "1.5s"), (12_000_000, "12s"), (500, "0.5ms")])
def test_a_duration_is_written_as_it_is_read(micros: int, text: str) -> None:
    assert format_duration(micros) == text
    assert parse_duration(text) == micros


def test_seconds_are_exact_to_the_microsecond() -> None:
    assert to_seconds(12_345) == 0.012345
