"""Groups against groups, runs against runs, what cures a failure."""

from dataclasses import replace

from conformance.results import Results
from reports.comparison import Kind, compare
from reports.factor import find_factor
from reports.runs import Direction, compare_runs
from reports.tally import Standing, cells, flows
from reports.tests import runs


def test_flows_and_cells_that_differ_are_found_and_the_silent_pairs_counted() -> None:
    comparison = compare(runs.seeds_run().results.attempts)
    found = {(pair.a_name, pair.b_name): pair for pair in comparison.pairs}
    firm = found["firm-audio", "greeting"]
    assert firm.significant
    assert round(firm.difference, 3) == 0.333
    assert not found["greeting", "idle"].significant
    cell = next(pair for pair in comparison.pairs if pair.within == "greeting/idle" and pair.b_name.endswith("10000"))
    assert cell.a_name == "idle_timeout_ms null"
    assert (cell.kind, cell.difference, cell.significant) == (Kind.CELL, -1.0, True)
    assert cell.holm == 7 * cell.p, "Holm's factor for the smallest of seven"
    assert comparison.silent == 5
    assert comparison.cut == 0


def test_nothing_failed_leaves_nothing_to_compare() -> None:
    comparison = compare(runs.green_run().results.attempts)
    assert comparison.pairs == ()
    assert comparison.silent == 12


def test_targets_are_compared_within_a_flow() -> None:
    run = runs.Run()
    for number in range(1, 6):
        run.add(*runs.seeds_attempt("greeting/idle", None, number, target="real"))
        run.add(*runs.seeds_attempt("greeting/idle", None, number, fails=False))
    [pair] = [pair for pair in compare(run.results.attempts).pairs if pair.kind is Kind.TARGET]
    assert (pair.within, pair.a_name, pair.b_name) == ("greeting", "mock", "real")
    assert pair.significant


def test_a_run_of_many_cells_compares_each_with_the_best_only() -> None:
    base = runs.seeds_run(1, ("greeting/idle",)).results.attempts[0]
    attempts = [replace(base, cell={"n": n}) for n in range(200)]
    comparison = compare(attempts)
    assert len(comparison.pairs) + comparison.cut == 199
    assert len(comparison.pairs) <= 24


def test_cells_keep_the_order_of_their_values_not_of_their_execution() -> None:
    attempts = list(runs.seeds_run(1).results.attempts)[::-1]
    labels = [cell.label for cell in cells(attempts) if cell.flow == "greeting"]
    assert labels == ["idle_timeout_ms null", "idle_timeout_ms 10000", "idle_timeout_ms 30000"]


def test_errors_leave_the_denominator_and_stand_beside() -> None:
    [flow] = flows(runs.harness_error_run().results.attempts)
    assert (flow.tally.n, flow.tally.passed, flow.tally.errors, flow.tally.standing) == (15, 15, 3, Standing.STABLE_PASS)


def test_the_factor_is_the_key_that_splits_cleanly() -> None:
    factor = find_factor(attempt for attempt in runs.seeds_run().results.attempts if attempt.flow != "firm-audio")
    assert factor is not None
    assert (factor.key, factor.failing, factor.curing) == ("idle_timeout_ms", ("null",), ("10000", "30000"))
    assert factor.clean


def test_chance_is_no_factor() -> None:
    assert find_factor(runs.flaky_run().results.attempts) is None


def test_a_cell_that_turned_red_is_a_regression() -> None:
    comparison = compare_runs(runs.seeds_run().results, runs.green_run(20).results)
    assert [change.name for change in comparison.of(Direction.WORSE)] == [
        "greeting/idle idle_timeout_ms null on mock",
        "idle/connect idle_timeout_ms null on mock",
    ]
    assert comparison.regressed
    assert comparison.same == 7


def test_the_way_back_is_an_improvement() -> None:
    comparison = compare_runs(runs.green_run(20).results, runs.seeds_run().results)
    assert len(comparison.of(Direction.BETTER)) == 2
    assert not comparison.regressed


def test_one_failure_more_on_the_real_clock_may_be_chance() -> None:
    before = runs.flaky_run()
    after = Results(before.results.run, tuple(before.results.attempts[2:]))
    comparison = compare_runs(after, before.results)
    assert not comparison.regressed
    assert all(not change.certain for change in comparison.changes)


def test_a_single_attempt_that_turned_on_the_virtual_clock_did_not_turn_by_chance() -> None:
    assert compare_runs(runs.seeds_run(1).results, runs.green_run(1).results).regressed


def test_two_proxies_in_two_runs_are_compared_cell_by_cell() -> None:
    a, b = runs.Run(), runs.Run()
    for number in range(1, 11):
        a.add(*runs.seeds_attempt("greeting/idle", None, number, fails=False, target="proxy-a"))
        b.add(*runs.seeds_attempt("greeting/idle", None, number, target="proxy-b"))
    comparison = compare_runs(b.results, a.results)
    assert [change.name for change in comparison.changes] == ["greeting/idle idle_timeout_ms null on proxy-b"]
    assert comparison.regressed


def test_cells_come_and_go() -> None:
    comparison = compare_runs(
        runs.green_run(1).results, runs.seeds_run(1, ("greeting/idle", "idle/other"), fails=False).results
    )
    assert {change.name.split()[0] for change in comparison.of(Direction.NEW)} == {"firm-audio/silence", "idle/connect"}
    assert {change.name.split()[0] for change in comparison.of(Direction.GONE)} == {"idle/other"}
    assert comparison.same == 3
