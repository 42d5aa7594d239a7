"""How the commands that read files say what they could not read, and what to name instead."""

from pathlib import Path

from conformance import results
from conformance.results import Results


def in_words(error: Exception) -> str:
    """Return an error as a sentence: the file first, where the operating system refused one."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename} cannot be read: {error.strerror}"
    return str(error)


def read_results(run: Path) -> Results:
    """Read the results of a run folder.

    Raises:
        ValueError: there are none, or they cannot be read; the message says which, and what to name instead.
    """
    try:
        return results.load(run / "results.json")
    except FileNotFoundError:
        if (run / "manifest.json").is_file():
            raise ValueError(f"{run} has no results.json: the run was killed before an attempt was judged") from None
        raise ValueError(f"{run} holds no results.json; name a run folder, such as runs/latest") from None
    except OSError as error:
        raise ValueError(in_words(error)) from None
