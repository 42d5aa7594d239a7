"""Ids that decode to the clock, as the API's own do."""

from random import Random

import pytest

from conformance.wire.ids import ALPHABET, clock_digits, decode_clock, make_id


def test_a_recorded_id_decodes_to_its_second() -> None:
    # A session of 2025-12-31 whose expires_at was 1767233035, one hour after its creation.
    assert decode_clock("sess_Ct1OVZ9vNW62W3cUpSCqj") == 1_767_233_035 - 3_600


def test_an_id_carries_its_clock_and_16_random_digits() -> None:
    id_ = make_id("item", 1_790_000_000, Random(1))
    prefix, digits = id_.split("_")
    assert (prefix, len(digits)) == ("item", 21)
    assert set(digits) <= set(ALPHABET)
    assert decode_clock(id_) == 1_790_000_000


def test_the_same_seed_gives_the_same_id_and_another_gives_another() -> None:
    assert make_id("resp", 1_790_000_000, Random(1)) == make_id("resp", 1_790_000_000, Random(1))
    assert make_id("resp", 1_790_000_000, Random(1)) != make_id("resp", 1_790_000_000, Random(2))


def test_a_call_id_carries_no_clock() -> None:
    id_ = make_id("call", 1_790_000_000, Random(1))
    assert len(id_) == len("call_") + 16
    with pytest.raises(ValueError, match="carries no clock"):
        decode_clock(id_)


def test_later_ids_sort_later() -> None:
    seconds = range(1_790_000_000, 1_790_000_200, 7)
    digits = [clock_digits(second) for second in seconds]
    assert digits == sorted(digits)
