"""The page in a real browser, opened from disk: nothing leaves it, everything on it works, everybody can read it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

import reports
from reports.tests import runs
from reports.tests.runs import Run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page


class Visit:
    """A page that is open, and what it did that it should not have done."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._refuse)

    def _refuse(self, dialog: "Dialog") -> None:
        self.complaints.append("a dialog opened")
        dialog.dismiss()

    def open(self, path: Path, fragment: str = "") -> "Page":
        """Open a page; an attempt that the fragment names is shown in its box only after the page has loaded."""
        self.page.goto(f"{path.as_uri()}{fragment}")
        if fragment:
            self.page.locator("#attempt-box > :not(noscript)").first.wait_for()
        return self.page

    def wait_until(self, happened: Callable[[], bool]) -> None:
        """Hear the browser's events until something has happened, for a minute at most."""
        for _ in range(1_200):
            if happened():
                return
            self.page.wait_for_timeout(50)

    def assert_quiet(self) -> None:
        assert [url for url in self.requests if not url.startswith(("file:", "data:"))] == []
        assert self.complaints == []


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Callable[..., Visit]]:
    contexts = []

    def start(**options: Any) -> Visit:
        contexts.append(browser.new_context(**options))
        contexts[-1].set_default_timeout(200_000)
        return Visit(contexts[-1].new_page())

    yield start
    for context in contexts:
        context.close()


def serious_problems(page: "Page") -> list[tuple[str, str]]:
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    return [(found["id"], found["nodes"][0]["html"]) for found in violations if found["impact"] in {"serious", "critical"}]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds")
    reports.write(folder, runs.seeds_run(5).write(folder))
    return folder / "report.html"


def test_the_page_opens_from_disk_asks_nothing_and_complains_of_nothing(visit: Callable[..., Visit], seeds: Path) -> None:
    opened = visit()
    page = opened.open(seeds)
    assert page.locator("h1").inner_text().startswith("greeting and idle fail in every one of 10 attempts")
    assert page.title() == "FAIL: mock, 2026-11-21 09:00 UTC"
    opened.assert_quiet()
    assert opened.requests == [seeds.as_uri()]


def test_the_policy_lets_nothing_in_that_the_page_did_not_bring(visit: Callable[..., Visit], seeds: Path) -> None:
    opened = visit()
    page = opened.open(seeds)
    blocked: list[str] = []
    page.on("requestfailed", lambda request: blocked.append(str(request.failure)))
    for tag, field, value in (
        ("script", "textContent", "window.intruder = true"),
        ("img", "src", "https://example.org/x.png"),
    ):
        page.evaluate(f"document.body.append(Object.assign(document.createElement('{tag}'), {{{field}: '{value}'}}))")
    opened.wait_until(lambda: len(blocked) >= 1 and len(opened.complaints) >= 2)
    assert page.evaluate("window.intruder") is None
    assert blocked == ["csp"]
    assert ["Content Security Policy" in complaint for complaint in opened.complaints] == [True, True]


def test_the_first_screen_needs_no_javascript(visit: Callable[..., Visit], seeds: Path) -> None:
    opened = visit(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page = opened.open(seeds)
    assert "the upstream is to blame" in page.locator("h1").inner_text()
    assert page.locator("#verdict code").inner_text().startswith("pytest --fault idle-error")
    tiles = page.locator("#matrix .tile")
    assert tiles.count() == 9
    first_screen = [tile.bounding_box() for tile in tiles.all()]
    assert all(box is not None and box["y"] + box["height"] <= 900 for box in first_screen)
    assert page.locator("#attempt-rows tr").count() == 45
    assert page.locator("#attempt noscript p").is_visible()
    opened.assert_quiet()


def test_filters_narrow_the_attempts(visit: Callable[..., Visit], seeds: Path) -> None:
    opened = visit()
    page = opened.open(seeds)
    rows = page.locator("#attempt-rows tr:visible")
    assert rows.count() == 45
    page.select_option("select[name=verdict]", "fail")
    assert rows.count() == 10
    assert page.locator("#shown").inner_text() == "10 of 45 shown"
    page.select_option("select[name=flow]", "idle")
    assert rows.count() == 5
    assert page.locator(".flow:visible").count() == 1
    page.select_option("select[name=blame]", "upstream")
    assert rows.count() == 5
    page.select_option("select[name=flow]", "firm-audio")
    assert rows.count() == 0
    page.click("button[type=reset]")
    page.wait_for_function("document.getElementById('shown').textContent === '45 of 45 shown'")
    assert page.locator(".flow:visible").count() == 3
    opened.assert_quiet()


def test_the_largest_failure_is_shown_event_by_event_without_asking(visit: Callable[..., Visit], seeds: Path) -> None:
    opened = visit()
    page = opened.open(seeds)
    box = page.locator("#attempt-box")
    assert box.locator("h3").inner_text() == "greeting/idle · idle_timeout_ms null · attempt 1"
    assert box.locator("svg .err").count() == 2
    assert box.locator("svg .window").count() == 1
    assert box.locator("svg .fault").count() == 1
    assert "4.9 s of silence" in box.locator("tr.gap").first.inner_text()
    hit = box.locator("tr.hit").first
    assert "error" in hit.inner_text()
    hit.locator("button").click()
    payload = box.locator("tr.payload pre").inner_text()
    assert '"type": "server_error"' in payload
    assert '"event_id": "event_' in payload, "ids are put back where they were"
    hit.locator("button").click()
    assert box.locator("tr.payload").count() == 0
    opened.assert_quiet()


def test_a_seed_of_64_bits_is_shown_to_its_last_digit(visit: Callable[..., Visit], written: Callable[..., Path]) -> None:
    run = runs.Run()
    made, recording = runs.seeds_attempt("greeting/idle", None, 1)
    run.add(replace(made, seed=8_535_262_269_170_376_123), recording)
    page = visit().open(written(run) / "report.html")
    assert "seed 8535262269170376123" in page.locator(".attempt-head").inner_text()


def test_audio_is_a_bar_with_its_duration(visit: Callable[..., Visit], seeds: Path) -> None:
    opened = visit()
    page = opened.open(seeds, "#attempt/firm-audio/silence/null/2@mock")
    assert page.locator("#attempt-box svg .audio").count() == 4
    assert page.locator("#attempt-box", has_text="input_audio_buffer.append ×10, 200 ms").count() == 1
    opened.assert_quiet()


def test_a_deep_link_opens_its_attempt_at_its_event(visit: Callable[..., Visit], seeds: Path) -> None:
    opened = visit()
    page = opened.open(seeds, "#attempt/idle/connect/null/3@mock/e9")
    assert page.locator("#attempt-box h3").inner_text() == "idle/connect · idle_timeout_ms null · attempt 3"
    target = page.locator("tr.target")
    assert "error" in target.inner_text()
    assert page.locator("tr.target + tr.payload").is_visible()
    assert page.evaluate("document.activeElement.closest('tr').classList.contains('target')")
    page.evaluate("location.hash = '#attempt/firm-audio/silence/10000/1@mock'")
    page.wait_for_function("document.querySelector('#attempt-box h3').textContent.startsWith('firm-audio')")
    opened.assert_quiet()


def test_every_link_on_the_page_leads_somewhere(visit: Callable[..., Visit], seeds: Path) -> None:
    opened = visit()
    page = opened.open(seeds)
    held = page.evaluate("Object.keys(JSON.parse(document.getElementById('data').textContent).attempts)")
    links = [unquote(link) for link in page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))")]
    assert len(links) > 100
    for link in links:
        if link.startswith("#attempt/"):
            assert re.sub(r"/e\d+$", "", link.removeprefix("#attempt/")) in held
        elif link.startswith("#"):
            assert page.locator(f"[id='{link[1:]}']").count() == 1, link
        else:
            assert (seeds.parent / link).exists(), link


def test_a_link_to_an_attempt_the_page_does_not_hold_says_where_to_look(visit: Callable[..., Visit], seeds: Path) -> None:
    opened = visit()
    page = opened.open(seeds, "#attempt/greeting/idle/null/99@mock")
    assert "this page has no wire log of it" in page.locator("#attempt-box").inner_text()
    opened.assert_quiet()


def test_the_keyboard_reaches_the_filters_and_the_payloads(visit: Callable[..., Visit], seeds: Path) -> None:
    opened = visit()
    page = opened.open(seeds)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the verdict"
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.name || document.activeElement.getAttribute('aria-label') || ''"))
        if "verdict" in reached:
            break
    assert "verdict" in reached
    page.locator("#attempt-box tr.hit button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#attempt-box tr.payload").count() == 1


@pytest.mark.parametrize(
    ("make", "theme"),
    [
        (lambda: runs.seeds_run(3), "light"),
        (lambda: runs.seeds_run(3), "dark"),
        (runs.known_run, "dark"),
        (runs.harness_error_run, "light"),
    ],
)
def test_axe_finds_no_serious_problem(
    visit: Callable[..., Visit], written: Callable[..., Path], theme: str, make: Callable[[], runs.Run]
) -> None:
    opened = visit(color_scheme=theme)
    page = opened.open(written(make(), baseline=runs.green_run(3)) / "report.html")
    for summary in page.locator("details:not([open]) > summary").all():
        summary.click()
    page.locator("#attempt-box .wire button").first.click()
    assert serious_problems(page) == []


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_width_makes_the_page_scroll_sideways(visit: Callable[..., Visit], seeds: Path, width: int) -> None:
    opened = visit(viewport={"width": width, "height": 800})
    page = opened.open(seeds)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [400, 1400])
def test_no_name_however_long_makes_the_page_scroll_sideways(
    visit: Callable[..., Visit], written: Callable[..., Path], width: int
) -> None:
    run = runs.seeds_run(1)
    name = "W" * 400
    run.attempts = [
        (replace(made, flow=name, title=name, cell={name: name}, message=name), recording)
        for made, recording in run.attempts
    ]
    page = visit(viewport={"width": width, "height": 800}).open(written(run) / "report.html")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_attempts_on_several_targets_say_on_which(visit: Callable[..., Visit], written: Callable[..., Path]) -> None:
    run = Run()
    for target in ("mock", "real"):
        run.add(*runs.seeds_attempt("greeting/idle", None, 1, target=target))
    page = visit().open(written(run) / "report.html")
    told = page.locator("#attempt-rows a").all_inner_texts()
    assert sorted(text.rpartition(" on ")[2] for text in told) == ["mock", "real"]


def test_print_shows_whole_tables_of_failures_and_no_controls(visit: Callable[..., Visit], seeds: Path) -> None:
    opened = visit()
    page = opened.open(seeds)
    page.emulate_media(media="print")
    assert not page.locator("#filters").is_visible()
    assert not page.locator("nav").is_visible()
    assert page.locator("#attempt-rows tr:visible").count() == 10
    assert page.eval_on_selector("#attempts .scroll", "box => box.scrollHeight <= box.clientHeight + 1")


def test_the_history_page_is_quiet_and_accessible_too(
    visit: Callable[..., Visit], written: Callable[..., Path], tmp_path: Path
) -> None:
    written(runs.green_run(2), "a")
    written(runs.seeds_run(2), "b")
    sentence = reports.write_history(tmp_path, tmp_path / "history.html")
    assert sentence == "2 runs: 4 failures still there, first of all UP-NO-ERROR in greeting; 0 no longer seen."
    opened = visit()
    page = opened.open(tmp_path / "history.html")
    assert page.locator("h1").inner_text() == sentence
    assert page.locator("svg.course").count() == 7
    assert serious_problems(page) == []
    opened.assert_quiet()
