"""``conformance schema``: the JSON Schema of a scenario, for an editor."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from conformance.scenario.schema import scenario_schema


def command(
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it here instead of printing it.")] = None,
) -> None:
    """Print the JSON Schema of a scenario file.

    Example: conformance schema --out scenarios/schema/scenario.schema.json

    An editor with a YAML language server reads it from a scenario's first line:
    # yaml-language-server: $schema=../schema/scenario.schema.json
    """
    text = orjson.dumps(scenario_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    if out is None:
        typer.echo(text, nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
