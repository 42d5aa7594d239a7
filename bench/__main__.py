"""Every benchmark, one after the other, each in a process of its own: ``python -m bench [NAME …]``."""

import subprocess
import sys

NAMES = ("attempt", "mock", "tap", "report")


def main() -> None:
    """Run those that are named, or all; the exit status tells whether each succeeded."""
    wanted = [name for name in sys.argv[1:] if not name.startswith("-")] or NAMES
    options = [option for option in sys.argv[1:] if option.startswith("-")]
    failed = []
    for name in wanted:
        print(f"\n# {name}", flush=True)  # noqa: T201
        if subprocess.run([sys.executable, "-m", f"bench.{name}", *options], check=False).returncode:  # noqa: S603
            failed.append(name)
    sys.exit(f"missed a goal: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
