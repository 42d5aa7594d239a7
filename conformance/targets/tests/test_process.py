"""The process of a proxy: heard, watched, and ended with everything it started."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from conformance.targets import process as module
from conformance.targets.process import LAST_LINES, ProxyProcess


async def ended(process: ProxyProcess) -> None:
    assert process.exited is not None
    async with asyncio.timeout(200):
        await process.exited
    await process.settle()


async def spoken(process: ProxyProcess) -> None:
    for _ in range(20_000):
        if process.last_lines:
            return
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


async def gone(pid: int) -> bool:
    for _ in range(5_000):
        if not is_alive(pid):
            return True
        await asyncio.sleep(0.02)
    return False


async def test_its_last_words_and_its_code_are_known(tmp_path: Path) -> None:
    process = ProxyProcess('echo one; echo "two $WORD" >&2; exit 3', {"WORD": "words"}, tmp_path / "log")
    await process.start()
    await ended(process)
    assert process.describe_exit() == "exited with code 3"
    assert process.last_lines == ("one", "two words")
    assert (tmp_path / "log").read_text() == "one\ntwo words\n"
    await process.stop()


async def test_only_the_last_lines_are_kept_in_memory_and_long_ones_cut(tmp_path: Path) -> None:
    process = ProxyProcess("seq 1000; head -c 100000 /dev/zero | tr '\\0' x; echo; echo end", {}, tmp_path / "log")
    await process.start()
    await ended(process)
    assert len(process.last_lines) == LAST_LINES
    assert process.last_lines[-1] == "end"
    assert max(map(len, process.last_lines)) <= 2_000
    assert (tmp_path / "log").read_text().startswith("1\n2\n")
    await process.stop()


async def test_no_key_reaches_its_log(tmp_path: Path) -> None:
    process = ProxyProcess("echo key sk-proj-0123456789abc", {}, tmp_path / "log")
    await process.start()
    await ended(process)
    assert (tmp_path / "log").read_text() == "key [secret]\n"
    assert process.last_lines == ("key [secret]",)
    await process.stop()


async def test_stopping_it_stops_its_children() -> None:
    process = ProxyProcess("sleep 600 & echo $!; wait", {}, None)
    await process.start()
    await spoken(process)
    child = int(process.last_lines[0])
    assert is_alive(child)
    await process.stop()
    assert not process.is_running
    assert await gone(child)


async def test_a_process_that_will_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    code = "import signal,time;signal.signal(15,signal.SIG_IGN);print('deaf',flush=True);time.sleep(600)"
    process = ProxyProcess(f'exec {sys.executable} -c "{code}"', {}, None)
    await process.start()
    await spoken(process)
    await process.stop()
    assert process.describe_exit() == "was ended by SIGKILL"


async def test_waiting_for_its_port_ends_with_the_process() -> None:
    process = ProxyProcess("exit 1", {}, None)
    await process.start()
    assert not await process.listening("127.0.0.1", 1, 60)
    await process.stop()


async def test_its_port_is_found_without_disturbing_it() -> None:
    code = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); "
        "print(s.getsockname()[1], flush=True); s.accept(); print('somebody connected', flush=True)"
    )
    process = ProxyProcess(f'exec {sys.executable} -c "{code}"', {}, None)
    await process.start()
    await spoken(process)
    assert await process.listening("127.0.0.1", int(process.last_lines[0]), 200)
    await process.stop()
    assert len(process.last_lines) == 1


async def test_waiting_for_its_port_ends_in_time() -> None:
    process = ProxyProcess("sleep 600", {}, None)
    await process.start()
    assert not await process.listening("127.0.0.1", 1, 0.1)
    assert process.describe_exit() == "still runs"
    await process.stop()


async def test_stopping_what_was_never_started_is_no_mistake() -> None:
    await ProxyProcess("x", {}, None).stop()


async def test_a_killed_harness_leaves_nothing_running() -> None:
    program = (
        "import asyncio, os, signal\n"
        "from conformance.targets.process import ProxyProcess\n"
        "async def main():\n"
        "    process = ProxyProcess('echo $$; exec sleep 600', {}, None)\n"
        "    await process.start()\n"
        "    while not process.last_lines: await asyncio.sleep(0.01)\n"
        "    print(process.last_lines[0], flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())"
    )
    harness = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    output, _ = await harness.communicate()
    assert await gone(int(output))
