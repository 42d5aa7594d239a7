"""Mock and real, side by side: the first difference in order, fields, timing and outcome."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.results import AttemptResult, Results
from conformance.scenario.load import load_script
from conformance.verdicts import Verdict
from conformance.wire.durations import MILLISECOND
from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.recording import Footer, Header, Recorder, dump
from reports.analysis import Analysis
from reports.fidelity import CellFidelity, OrderDifference, as_script, describe, fidelity
from reports.library import Library
from reports.page.build import build

Exchange = Sequence[tuple[int, str, dict[str, Any]]]

TURN: Exchange = (
    (0, "down", {"type": "session.created", "session": {"id": "sess_1"}}),
    (10, "up", {"type": "response.create"}),
    (20, "down", {"type": "response.created", "response": {"id": "resp_1"}}),
    (30, "down", {"type": "response.output_text.delta", "delta": "Hel"}),
    (31, "down", {"type": "response.output_text.delta", "delta": "lo"}),
    (40, "down", {"type": "response.done", "response": {"id": "resp_1", "usage": {"total_tokens": 3}}}),
)


def attempt(folder: Path, target: str, number: int, exchange: Exchange, verdict: Verdict = Verdict.PASS) -> AttemptResult:
    """Write a recording of the upstream leg and return the attempt that has it."""
    clock = [0]
    recorder = Recorder(Header(target=target), lambda: clock[0])
    for ms, direction, event in exchange:
        clock[0] = ms * MILLISECOND
        recorder.leg(Leg.UPSTREAM)(0, Direction(direction), Kind.TEXT, event)
    name = f"{target}-{number}.jsonl"
    (folder / name).write_bytes(dump(recorder.finish(Footer(clock[0]))))
    return AttemptResult("text/turn", "text", {"a": None}, number, target, 0, verdict, (), 1.0, 1.0, name)


def compare(folder: Path, real: Exchange, mock: Exchange) -> CellFidelity:
    """Compare one attempt of each."""
    attempts = [attempt(folder, "real", 1, real), attempt(folder, "mock", 1, mock)]
    (cell,) = fidelity(attempts, Library(folder))
    return cell


def test_the_same_exchange_agrees_however_it_is_cut_into_deltas(tmp_path: Path) -> None:
    other = [*TURN[:3], (30, "down", {"type": "response.output_text.delta", "delta": "Hello"}), TURN[5]]
    cell = compare(tmp_path, TURN, other)
    assert cell.agrees
    assert (cell.real, cell.mock) == ((1, 1), (1, 1))


def test_the_first_difference_in_order_is_named_with_what_stood_before_it(tmp_path: Path) -> None:
    cell = compare(tmp_path, TURN, [*TURN[:3], (35, "down", {"type": "error", "error": {}}), *TURN[3:]])
    assert cell.order == OrderDifference("response.created", "response.output_text.delta", "error")
    assert not cell.agrees


def test_an_order_that_any_attempt_on_the_mock_shows_is_met(tmp_path: Path) -> None:
    swapped = [TURN[0], TURN[1], TURN[3], TURN[2], TURN[5]]
    attempts = [
        attempt(tmp_path, "real", 1, TURN),
        attempt(tmp_path, "mock", 1, swapped),
        attempt(tmp_path, "mock", 2, TURN),
    ]
    assert fidelity(attempts, Library(tmp_path))[0].order is None


def test_fields_that_one_side_lacks_are_named_by_event_and_path(tmp_path: Path) -> None:
    bare = [*TURN[:5], (40, "down", {"type": "response.done", "response": {"id": "resp_1", "phase": "x"}})]
    cell = compare(tmp_path, TURN, bare)
    assert cell.only_real == ("response.done response.usage.total_tokens",)
    assert cell.only_mock == ("response.done response.phase",)


def test_timing_is_compared_by_its_medians(tmp_path: Path) -> None:
    slow = [(ms * 10, direction, event) for ms, direction, event in TURN]
    cell = compare(tmp_path, slow, TURN)
    spans = {(span.first, span.then): (span.real // 1000, span.mock // 1000) for span in cell.spans}
    assert spans == {("response.create", "response.created"): (100, 10), ("response.created", "response.done"): (200, 20)}


def test_a_slower_real_side_becomes_a_script_that_the_mock_can_read(tmp_path: Path) -> None:
    slow = [(ms * 10, direction, event) for ms, direction, event in TURN]
    path = tmp_path / "real.yaml"
    path.write_text("\n".join(as_script([compare(tmp_path, slow, TURN)])))
    [rule] = load_script(path).rules
    assert (rule.when, rule.delay) == ("response.create", 90 * MILLISECOND)


def test_what_a_delay_cannot_say_stands_in_the_script_as_a_comment(tmp_path: Path) -> None:
    other = compare(tmp_path, TURN, [*TURN[:3], (35, "down", {"type": "error", "error": {}}), *TURN[3:]])
    path = tmp_path / "real.yaml"
    path.write_text("\n".join(lines := list(as_script([other]))))
    assert load_script(path).rules == ()
    assert "# order: after response.created real has response.output_text.delta, mock error" in lines


def test_outcomes_are_counted_without_errors_and_a_different_rate_is_a_difference(tmp_path: Path) -> None:
    attempts = [
        attempt(tmp_path, "real", 1, TURN, Verdict.FAIL),
        attempt(tmp_path, "real", 2, TURN, Verdict.ERROR),
        attempt(tmp_path, "mock", 1, TURN),
    ]
    (cell,) = fidelity(attempts, Library(tmp_path))
    assert (cell.real, cell.mock) == ((0, 1), (1, 1))
    assert not cell.agrees


def test_the_text_says_what_to_run_when_only_one_side_was_driven(tmp_path: Path) -> None:
    lines = list(describe(fidelity([attempt(tmp_path, "mock", 1, TURN)], Library(tmp_path))))
    assert lines == ["No cell ran on both a real upstream and the mock; run with --real --mock."]


def test_the_text_puts_differing_cells_first(tmp_path: Path) -> None:
    cell = compare(tmp_path, TURN, TURN[:3])
    text = "\n".join(describe([cell]))
    assert text.startswith("0 of 1 cells agree")
    assert "≠ text/turn[null]: real 1/1, mock 1/1" in text
    assert "order: after response.created real has response.output_text.delta, mock nothing" in text


def page(folder: Path, *attempts: AttemptResult) -> str:
    return build(Analysis(Results({}, attempts, (), ()), folder))


def test_the_report_of_a_run_of_both_shows_them_side_by_side(tmp_path: Path) -> None:
    hostile = [*TURN[:3], (35, "down", {"type": "error", "error": {"<b>x": 1}}), *TURN[3:]]
    text = page(tmp_path, attempt(tmp_path, "real", 1, TURN), attempt(tmp_path, "mock", 1, hostile))
    assert '<a href="#fidelity">' in text
    assert "0 of 1 cell that ran on both agree" in text
    assert "real has <code>response.output_text.delta</code>, the mock <code>error</code>" in text


def test_a_run_of_one_side_has_no_such_section(tmp_path: Path) -> None:
    text = page(tmp_path, attempt(tmp_path, "mock", 1, TURN))
    assert "Mock against real" not in text
    assert "#fidelity" not in text


def test_a_cell_that_one_side_could_not_try_is_not_compared(tmp_path: Path) -> None:
    untried = attempt(tmp_path, "real", 1, TURN, Verdict.UNSUPPORTED)
    assert fidelity([untried, attempt(tmp_path, "mock", 1, TURN)], Library(tmp_path)) == ()
