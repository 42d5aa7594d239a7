"""Which upstream connection belongs to which client, and from when to when."""

import pytest

from conformance.rules.tests.says import case, says
from conformance.rules.view import view


def test_a_client_served_by_two_upstreams_in_turn_is_judged_by_each_in_its_time() -> None:
    timeline = """use ready
        0.100 client     up   binary 200ms
        0.100 upstream   up   input_audio_buffer.append 200ms
        1.000 upstream   down close 1001
        1.000 client     down Error {"code": "upstream_closed", "description": "Once more."}
        1.100 upstream#1 up   open
        1.110 upstream#1 down session.created
        1.110 upstream#1 up   session.update {"session": {"type": "realtime"}}
        1.120 upstream#1 down session.updated
        2.000 client     up   binary silence 200ms
        2.000 upstream#1 up   input_audio_buffer.append silence 200ms
        9.000 end"""
    assert [len(link.client.up) for link in view(case(timeline)).links if link.client] == [2, 1]
    assert says("RT-AUDIO-WHOLE", timeline) == []
    assert says("VA-ERROR-HONEST", timeline) == []


@pytest.mark.parametrize(("ends", "owner"), [("", 1), ("0.350 upstream down close 1011\n", 0)])
def test_an_upstream_that_opens_after_its_client_left_is_not_charged_to_one_that_is_served(ends: str, owner: int) -> None:
    """Seen on a busy machine: a hostile client had left before the handshake that it had caused was over."""
    timeline = f"""header {{"clock": "real"}}
        0.000 client   up   open {{}}
        0.100 upstream up   open {{}}
        0.200 client#1 up   open {{}}
        0.300 client#1 up   close 1000
        {ends}0.400 upstream#1 up open {{}}
        0.500 upstream#1 up close 1000"""
    late = view(case(timeline)).links[1]
    assert late.client is not None
    assert late.client.number == owner


@pytest.mark.parametrize(("ends", "owners"), [("", [0, 1]), ("2.300 upstream#1 up close 1000\n", [0, 0])])
def test_an_upstream_may_open_long_before_the_client_that_waits_for_it(ends: str, owners: list[int]) -> None:
    """Seen on a busy machine: a gateway answered its client 60 ms after its upstream had answered it."""
    timeline = f"""header {{"clock": "real", "speaks": "realtime"}}
        0.000 upstream   up open {{}}
        0.300 client     up open {{}}
        1.000 client     up close 1000
        1.000 upstream   up close 1000
        2.000 upstream#1 up open {{}}
        {ends}2.400 client#1   up open {{}}
        3.000 client#1   up close 1000
        3.100 end"""
    links = view(case(timeline)).links
    assert [link.client and link.client.number for link in links] == owners


def test_a_connection_begins_when_it_opens_not_when_it_is_dialled() -> None:
    timeline = """header {"clock": "real"}
        0.000 upstream   up mark dialled
        0.100 client     up open {}
        0.200 client#1   up open {}
        0.300 upstream   up open {}
        0.400 upstream#1 up mark dialled"""
    links = view(case(timeline)).links
    assert [link.client.number for link in links if link.client is not None] == [1]


def test_what_still_reached_a_client_that_had_left_is_nobodys() -> None:
    """Seen on a busy machine: the next response crossed the client's close, and its audio seemed to be the last one's."""
    timeline = """use connected
        1.000 client up close 1000
        1.100 client down AgentStartedSpeaking
        1.200 client down AgentAudioDone"""
    assert [frame.type for frame in view(case(timeline)).links[0].shown("AgentStartedSpeaking", "AgentAudioDone")] == []
