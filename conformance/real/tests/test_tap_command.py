"""`conformance tap` alone: what it says of its upstream holds no secret, and a wrong address is one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.real.tests.conftest import KEY, conformance

SECRET = "qs-abcdefghijklmnop"


def test_what_an_address_keeps_secret_is_not_printed(tmp_path: Path) -> None:
    options = ("--upstream", f"ws://127.0.0.1:1/v1/realtime?api_key={SECRET}", "--record", str(tmp_path))
    served = conformance("tap", *options, "--listen", "127.0.0.1:0", environment={"OPENAI_API_KEY": KEY})
    try:
        assert served.until(r"→ (\S+);") == "ws://127.0.0.1:1/v1/realtime"
    finally:
        served.stop()
    assert SECRET not in "".join(served.said)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("wss://$HOST/v1/realtime", "still holds $HOST; set HOST or write its value into the address"),
        ("https://api.openai.com/v1/realtime", "it must begin with ws:// or wss://"),
    ],
)
def test_a_wrong_address_is_one_sentence(url: str, says: str) -> None:
    command = "import sys; from conformance.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", command, "tap", "--upstream", url], capture_output=True, text=True)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
