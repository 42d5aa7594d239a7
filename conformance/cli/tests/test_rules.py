"""``conformance rules``: the law for people."""

import pytest
import typer
from typer.testing import CliRunner

from conformance.cli.rules import command
from conformance.rules import CATALOGUE
from conformance.rules.model import RULES

app = typer.Typer()
app.command()(command)
RUNNER = CliRunner()


def test_it_lists_every_rule_in_eighty_columns_without_colour() -> None:
    result = RUNNER.invoke(app, [])
    assert result.exit_code == 0
    assert all(id_ in result.output for id_ in CATALOGUE)
    assert max(len(line) for line in result.output.splitlines()) <= 80
    assert "\x1b" not in result.output


def test_it_explains_a_rule_with_both_recordings_and_marks_the_offending_event() -> None:
    output = RUNNER.invoke(app, ["rt-ready-audio"]).output
    assert "no input_audio_buffer.append before session.updated" in output
    assert "A recording that keeps it" in output
    kept, _, broken = output.partition("A recording that breaks it")
    marked = [line for line in broken.splitlines() if line.startswith("!")]
    assert "input_audio_buffer.append" in marked[0]
    assert not any(line.startswith("!") for line in kept.splitlines())


def test_an_unknown_id_gets_a_suggestion() -> None:
    result = RUNNER.invoke(app, ["RT-REDY-AUDIO"])
    assert result.exit_code == 2
    assert "did you mean RT-READY-AUDIO?" in result.output


@pytest.mark.parametrize("id_", CATALOGUE)
def test_every_rule_can_be_explained(id_: str) -> None:
    result = RUNNER.invoke(app, [id_])
    assert result.exit_code == 0
    assert any(line.startswith("! at") for line in result.output.splitlines())


def test_of_two_policies_that_ask_for_opposite_things_each_names_the_other() -> None:
    for id_, rule in RULES.items():
        if rule.excludes is not None:
            assert RULES[rule.excludes].excludes == id_
            assert (
                f"Choice: {rule.excludes} asks for the opposite; turn on one of the two" in RUNNER.invoke(app, [id_]).output
            )
    assert RULES["RT-CLOSE-QUIET"].excludes == "RT-CLOSE-COMMITS"
