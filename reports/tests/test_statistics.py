"""Every statistic against a value that somebody else has published."""

from itertools import pairwise, product

import pytest

from reports.statistics.differences import Count, barnard_worse, fisher, holm
from reports.statistics.power import PRESETS, at_least, detectable, reach, smallest_seen
from reports.statistics.rates import clopper_pearson, wilson, zero_bound
from reports.statistics.survival import Times, kaplan_meier, log_rank
from reports.text import percent

# Newcombe (1998), Two-sided confidence intervals for the single proportion, Statistics in Medicine 17, table I
NEWCOMBE = [
    (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
    (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
    (0, 20, (0.0000, 0.1611), (0.0000, 0.1684)),
    (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
]

# Freireich et al. (1963), Blood 21: weeks of remission of 21 pairs of leukaemia patients
SIX_MP = Times((6, 6, 6, 7, 10, 13, 16, 22, 23), (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35))
PLACEBO = Times((1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23), ())


@pytest.mark.parametrize(("k", "n", "score", "exact"), NEWCOMBE)
def test_intervals_are_those_of_newcombes_table(
    k: int, n: int, score: tuple[float, float], exact: tuple[float, float]
) -> None:
    found, gate = wilson(k, n), clopper_pearson(k, n)
    assert (found.low, found.high) == pytest.approx(score, abs=6e-5)
    assert (gate.low, gate.high) == pytest.approx(exact, abs=6e-5)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (3, 2), (-1, 5)])
def test_an_interval_of_no_proportion_says_so(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="is no proportion"):
        wilson(k, n)


def test_none_of_five_only_proves_less_than_45_percent() -> None:
    assert zero_bound(5) == pytest.approx(0.4507, abs=1e-4)
    assert zero_bound(100) == pytest.approx(3 / 100, rel=0.02), "the rule of three (Hanley and Lippman-Hand 1983)"
    with pytest.raises(ValueError, match="prove nothing"):
        zero_bound(0)


def test_fisher_is_that_of_the_lady_tasting_tea() -> None:
    assert fisher(Count(3, 4), Count(1, 4)) == pytest.approx(0.4857, abs=1e-4), "Fisher 1935, two-sided: 34 of 70"
    assert fisher(Count(4, 4), Count(0, 4)) == pytest.approx(2 / 70)


def test_fisher_against_an_empty_group_says_nothing() -> None:
    assert fisher(Count(3, 3), Count(0, 0)) == 1.0


def test_barnard_takes_groups_as_columns() -> None:
    # SciPy's documented example: 7 of 15 vaccinated ill, 12 of 15 others; columns are the groups, p = 0.0341
    assert barnard_worse(Count(12, 15), Count(7, 15)) == pytest.approx(0.0341, abs=1e-4)
    # Barnard (1945), Nature 156: 3 of 3 against 0 of 3 gives 1/64, where Fisher gives 1/20
    assert barnard_worse(Count(3, 3), Count(0, 3)) == pytest.approx(1 / 64, abs=1e-4)
    assert barnard_worse(Count(4, 20), Count(0, 20)) == pytest.approx(0.0193, abs=1e-4), "not 0.0417: groups as rows"


def test_nothing_is_worse_than_a_baseline_that_failed_as_often() -> None:
    assert barnard_worse(Count(2, 5), Count(2, 5)) == 1.0
    assert barnard_worse(Count(1, 5), Count(4, 5)) == 1.0


def test_holm_steps_down() -> None:
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.8, 0.9]) == [1.0, 1.0]


def test_kaplan_meier_gives_the_remissions_of_freireich() -> None:
    curve = kaplan_meier(SIX_MP)
    published = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert {int(time): round(share, 3) for time, share in zip(curve.times[1:], curve.alive[1:], strict=True)} == published
    assert curve.at(0) == 1.0
    assert curve.at(5.9) == 1.0
    assert curve.end == 35


def test_a_curve_of_nothing_failed_is_flat_and_of_everything_failed_falls_to_zero() -> None:
    assert kaplan_meier(Times((), (12.0, 12.0))).alive == (1.0,)
    assert kaplan_meier(Times((), ())).alive == (1.0,)
    assert kaplan_meier(Times((5.0, 5.0), ())).alive == (1.0, 0.0)


def test_log_rank_is_that_of_freireich() -> None:
    # Lawless (1982): chi-square 16.79 with one degree of freedom
    p = log_rank(PLACEBO, SIX_MP)
    assert p is not None
    assert p == pytest.approx(4.17e-5, rel=0.01)


def test_log_rank_is_silent_when_nothing_failed() -> None:
    assert log_rank(Times((), (12.0,) * 5), Times((), (12.0,) * 5)) is None
    assert log_rank(Times((), ()), Times((5.0,), ())) is None


def test_twenty_percent_against_none_is_significant_with_twenty_per_arm_and_not_with_ten() -> None:
    assert barnard_worse(Count(4, 20), Count(0, 20)) < 0.05
    assert barnard_worse(Count(2, 10), Count(0, 10)) > 0.05
    assert smallest_seen(20) == 0.15


@pytest.mark.parametrize("n", PRESETS)
def test_the_detectable_rate_is_found_in_8_runs_of_10(n: int) -> None:
    rate = detectable(n, n)
    assert rate is not None
    found = sum(
        at_least(k, n, rate) - at_least(k + 1, n, rate) for k in range(n + 1) if fisher(Count(k, n), Count(0, n)) < 0.05
    )
    assert found == pytest.approx(0.8, abs=0.001)


def test_groups_of_very_different_sizes_can_be_asked_what_they_detect() -> None:
    assert detectable(2_400, 5) == pytest.approx(0.44, abs=0.2)
    assert at_least(1_000, 2_400, 0.5) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (0.0003, "0.03 %"),
        (0.00125, "0.12 %"),
        (0.0208, "2.1 %"),
        (0.0995, "10 %"),
        (0.988, "99 %"),
        (0.9983, "99.8 %"),
        (1, "100 %"),
    ],
)
def test_a_share_is_written_as_none_or_all_only_if_it_is(share: float, text: str) -> None:
    assert percent(share) == text


def test_three_against_three_detects_nothing() -> None:
    assert detectable(3, 3) is None
    assert fisher(Count(3, 3), Count(0, 3)) == pytest.approx(0.1)


def test_more_attempts_reach_further() -> None:
    reaches = [reach(n) for n in PRESETS]
    for before, after in pairwise(reaches):
        assert after.none_proves < before.none_proves
        assert (after.seen or 1) < (before.seen or 1)
        assert (after.true or 1) < (before.true or 1)


def test_probabilities_of_counts_add_up() -> None:
    assert [round(at_least(k, 2, 0.5), 3) for k, _ in product(range(3), [0])] == [1.0, 0.75, 0.25]
