"""Our base64 is the standard library's, whatever the text."""

from base64 import b64decode, b64encode

from hypothesis import given
from hypothesis import strategies as st

from conformance.wire import base64

NEARLY = st.text(alphabet="ABab19+/=-_ \né", max_size=12)
SURPLUS = st.builds(lambda body, more: b64encode(body).decode() + more, st.binary(), st.sampled_from(["", "=", "==", "A"]))


def decoded(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return None


@given(st.binary())
def test_what_is_encoded_is_as_the_standard_library_encodes_it(body: bytes) -> None:
    assert base64.encode(body) == b64encode(body).decode()
    assert base64.decode(base64.encode(body)) == body


@given(NEARLY | SURPLUS)
def test_what_is_decoded_or_refused_is_what_the_standard_library_decodes_or_refuses(text: str) -> None:
    try:
        ours = base64.decode(text)
    except ValueError:
        ours = None
    assert ours == decoded(text)
