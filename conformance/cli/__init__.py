"""The command line door: each command lives in the module of its name."""

import sys
from importlib import import_module
from typing import Final

import typer

COMMANDS: Final = (
    "mock",
    "proxy",
    "tap",
    "replay",
    "check",
    "schema",
    "rules",
    "judge",
    "report",
    "known",
    "history",
    "fidelity",
)

app = typer.Typer(
    name="conformance",
    help="Protocol conformance and regression tests for voice-agent proxies on the OpenAI Realtime API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _conformance() -> None:
    """Protocol conformance and regression tests for voice-agent proxies on the OpenAI Realtime API."""


def main() -> None:
    """Run the command line; only the command that is asked for is imported."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    for name in (asked,) if asked in COMMANDS else COMMANDS:
        app.command(name)(import_module(f"conformance.cli.{name}").command)
    app()
