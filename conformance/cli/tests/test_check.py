from pathlib import Path

import orjson
import pytest
import typer
from typer.testing import CliRunner

from conformance.cli import check, schema
from conformance.scenario.load import library
from conformance.scenario.schema import scenario_schema
from conformance.scenario.tests.build import BARE, written


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    made.command("check")(check.command)
    made.command("schema")(schema.command)
    return made


def test_the_library_is_valid(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["check", str(library())])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("valid: ")


def test_every_mistake_of_every_file_is_listed(app: typer.Typer, tmp_path: Path) -> None:
    one = written(tmp_path, BARE.replace("5s", "5"))
    two = written(tmp_path, BARE.replace("text/x", "text/y").replace("flow: text", "flow: txt"), "text/y")
    result = CliRunner().invoke(app, ["check", str(one), str(two)])
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"{one}:8:13: a duration needs a unit, such as 5ms or 5s",
        f"{two}:2:7: unknown flow 'txt'; did you mean 'text'?",
        "2 mistakes; nothing was run",
    ]


def test_a_file_that_is_not_there_is_one_sentence(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(tmp_path / "x.yaml")])
    assert result.exit_code == 2
    assert "cannot be read: No such file or directory" in result.output


def test_a_file_that_cannot_be_read_hides_no_mistake_and_a_folder_with_a_files_name_is_a_folder(
    app: typer.Typer, tmp_path: Path
) -> None:
    folder = tmp_path / "scenarios"
    (folder / "folder.yaml").mkdir(parents=True)
    (folder / "gone.yaml").symlink_to("nowhere")
    (folder / "z.yaml").write_text("scenario: z\n")
    found = CliRunner().invoke(app, ["check", str(folder)])
    assert found.exit_code == 2
    assert "z.yaml:1:1: missing key 'flow'" in found.output
    assert "gone.yaml cannot be read: No such file or directory" in found.output
    assert "folder.yaml" not in found.output


def test_an_empty_file_is_not_valid(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("\n")
    found = CliRunner().invoke(app, ["check", str(tmp_path / "x.yaml")])
    assert found.exit_code == 1
    assert "x.yaml:1:1: the file is empty; a scenario begins with `scenario: NAME`" in found.output


def test_a_folder_without_scenarios_is_no_success(app: typer.Typer, tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["check", str(tmp_path)]).exit_code == 2


def test_a_script_of_its_own_is_checked(app: typer.Typer, tmp_path: Path) -> None:
    script = tmp_path / "slow.yaml"
    script.write_text("rules: [{when: session.update, dely: 1s}]\n")
    result = CliRunner().invoke(app, ["check", str(script)])
    assert result.exit_code == 1
    assert "slow.yaml:1:32: unknown key 'dely'; did you mean 'delay'?" in result.output


def test_targets_are_checked_by_the_file_they_stand_in(app: typer.Typer, tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text('[tool.conformance.targets.mine]\nurll = "ws://localhost"\n')
    result = CliRunner().invoke(app, ["check", str(project)])
    assert result.exit_code == 1
    assert f"{project}:1:1: targets.mine: unknown key 'urll'; did you mean 'url'?" in result.output


def test_the_schema_is_printed_or_written(app: typer.Typer, tmp_path: Path) -> None:
    printed = CliRunner().invoke(app, ["schema"])
    assert orjson.loads(printed.output) == scenario_schema()
    CliRunner().invoke(app, ["schema", "--out", str(tmp_path / "a/b.json")])
    assert orjson.loads((tmp_path / "a/b.json").read_bytes()) == scenario_schema()


def test_a_list_of_known_failures_is_checked_too(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "known.yaml").write_text("- {check: quiet}\n")
    result = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert result.exit_code == 1
    assert "known.yaml:1:3: missing key 'reason'" in result.output


def test_what_a_list_of_known_failures_names_must_exist(app: typer.Typer, tmp_path: Path) -> None:
    scenario = written(tmp_path, BARE)
    (scenario.parent / "known.yaml").write_text("- {check: UP-NO-EROR, reason: misspelt}\n")
    result = CliRunner().invoke(app, ["check", str(scenario.parent)])
    assert result.exit_code == 1
    assert "known.yaml:1:3: no check or rule there is called 'UP-NO-EROR'; did you mean 'UP-NO-ERROR'?" in result.output


def test_a_message_that_is_nearly_a_known_one_is_doubted_and_allowed(app: typer.Typer, tmp_path: Path) -> None:
    file = written(tmp_path, BARE.replace("{type: Settings}", "{type: Setings}"))
    result = CliRunner().invoke(app, ["check", str(file)])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        f"warning: {file}:5:11: 'Setings' goes out as it is, though no proxy knows it; did you mean 'Settings'?",
        "valid: 1 scenario, 1 cell",
    ]
