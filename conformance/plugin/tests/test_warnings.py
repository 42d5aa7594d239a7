"""An attempt that only broke a `should` passes, and says so."""

import pytest

from conformance.plugin.tests.conftest import TEXT_TURN, Repository

SHOULD = TEXT_TURN.replace("words: [one, two]", "words: [one]") + "  - {id: wished, client: Welcome, level: should}\n"


@pytest.mark.parametrize("strict", [False, True])
def test_a_broken_should_passes_with_a_warning_even_where_warnings_are_errors(
    empty_repository: Repository, strict: bool
) -> None:
    if strict:
        empty_repository.pytester.makeini(
            "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"
        )
    empty_repository.scenario(SHOULD)
    found = empty_repository.run("scenarios", "-q", "-k", "not mutants")
    found.assert_outcomes(passed=1, warnings=1)
    found.stdout.fnmatch_lines(["*ConformanceWarning: warn wished (blame: proxy): *"])
    assert list(empty_repository.verdicts().values()) == ["warn"]
