"""Faults named on a command line."""

import pytest

from conformance.wire.fault_text import read_fault
from conformance.wire.script import FAULTS, Fault


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_can_be_named(name: str) -> None:
    assert read_fault(name) == Fault(name)


def test_parameters_are_read_as_what_they_are() -> None:
    assert read_fault("idle-error,after=3s") == Fault("idle-error", {"after": "3s"})
    assert read_fault("close,code=4000,reason=bye") == Fault("close", {"code": 4000, "reason": "bye"})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("idle-eror", "there is no fault 'idle-eror'; did you mean 'idle-error'?"),
        ("drop,by=1s", "drop has no parameter 'by'; it takes on, percent, times, written k=v"),
        ("delay,500ms", "delay has no parameter '500ms'; it takes by, on, percent, times, written k=v"),
        (
            "close,code=99",
            "a server cannot close with 99; use 1000 to 1003, 1007 to 1014, 3000 to 4999, or 1005 for no code",
        ),
        ("drop,percent=101", "percent is at most 100, not 101"),
        ("oversize,size=9999999999", "size is at most 1073741824 bytes, not 9999999999"),
        ("close,code=soon", "code is a whole number, not 'soon'"),
        ("delay,by=500", "'500' is not a duration; write a number with a unit, such as 40ms, 1.5s or 2m"),
    ],
)
def test_a_mistake_says_what_to_write(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as mistake:  # noqa: PT011 (the whole sentence is compared)
        read_fault(text)
    assert str(mistake.value) == sentence
