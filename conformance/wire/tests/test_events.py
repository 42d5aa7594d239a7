"""The catalogues agree with the SDK and with each other."""

from conformance.wire import events
from conformance.wire.schema import problems


def known(side: str, dialect: str, type_: str) -> bool:
    return not any(problem.path == "type" for problem in problems({"type": type_}, side, dialect))  # type: ignore[arg-type]


def test_the_sdk_knows_every_name() -> None:
    assert all(known("client", "ga", name) for name in events.GA_CLIENT_EVENTS)
    assert all(known("server", "ga", name) for name in events.GA_SERVER_EVENTS)
    assert all(known("client", "beta", name) for name in events.BETA_CLIENT_EVENTS)
    unknown = {name for name in events.BETA_SERVER_EVENTS if not known("server", "beta", name)}
    assert unknown <= {"conversation.item.input_audio_transcription.segment", "transcription_session.created"}


def test_no_name_is_in_both_directions() -> None:
    assert not events.CLIENT_EVENTS & events.SERVER_EVENTS


def test_ga_names_are_found_and_kept() -> None:
    assert events.ga_name("response.audio.delta") == "response.output_audio.delta"
    assert all(events.ga_name(name) == name for name in events.GA_SERVER_EVENTS)
    assert set(events.GA_OF_BETA.values()) <= set(events.GA_SERVER_EVENTS)


def test_what_a_websocket_never_sends_is_not_among_what_it_sends() -> None:
    assert not set(events.GA_SERVER_EVENTS) & {*events.OTHER_TRANSPORT_EVENTS, *events.NEVER_SENT_EVENTS}
