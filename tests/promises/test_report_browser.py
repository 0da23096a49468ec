"""The report in a real browser: all figures are drawn, no network is used, no injected script runs."""

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from analysis.report import study_report
from tests.kit.fakes.contrast import ratio


class Visit:
    """Opened page with its requests and errors."""

    def __init__(self, context: Any, path: Path) -> None:
        self.page = context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())

    def drawn(self) -> list[str]:
        """Waits until all figures are drawn; returns their names."""
        figures = self.page.locator("figure.drawn")
        figures.nth(self.page.locator("figure").count() - 1).wait_for()
        return figures.evaluate_all("found => found.map(figure => figure.dataset.figure)")


def contrast(page: Any, selector: str) -> float:
    """Returns the contrast ratio of an element's text and its background."""
    colours = page.evaluate(
        """selector => {
          let element = document.querySelector(selector);
          const text = getComputedStyle(element).color;
          const ground = () => getComputedStyle(element).backgroundColor;
          while (element && ground() === "rgba(0, 0, 0, 0)") element = element.parentElement;
          return [text, ground()];
        }""",
        selector,
    )
    return ratio(*(channels(colour) for colour in colours))


def channels(colour: str) -> tuple[int, ...]:
    """Returns the channels of ``rgb(r, g, b)``."""
    return tuple(int(part) for part in re.findall(r"\d+", colour)[:3])


def corner(image: Any) -> tuple[int, ...]:
    """Returns the colour in a corner of an element."""
    shown = Image.open(io.BytesIO(image.screenshot())).convert("RGB")
    return tuple(shown.getpixel((2, 2)))


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """Browser context with a new profile and a narrow window."""
    opened = browser.new_context(viewport={"width": 390, "height": 800})
    yield opened
    opened.close()


@pytest.mark.slow
def test_all_figures_are_drawn_without_network_requests(context: Any, finished_report: Path) -> None:
    visit = Visit(context, finished_report)
    names = visit.drawn()
    assert sorted(names) == sorted(path.stem for path in finished_report.parent.glob("*.svg"))
    assert visit.page.locator("figure .live svg.marks").count() == len(names)
    assert not visit.page.locator("figure img").first.is_visible()
    assert [url for url in visit.requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in visit.requests if url.startswith("file:")]) == 1
    assert visit.complaints == []


@pytest.mark.slow
def test_links_folds_and_downloads_work(context: Any, finished_report: Path) -> None:
    visit = Visit(context, finished_report)
    visit.drawn()
    for link in visit.page.locator("nav a").all():
        link.click()
        assert visit.page.locator(str(link.get_attribute("href"))).is_visible()
    folded = visit.page.locator("details", has_text="The winner's configuration, as YAML")
    folded.locator("summary").click()
    assert folded.locator("pre").is_visible()
    for kind in ("csv", "md", "tex"):
        with visit.page.expect_download() as download:
            visit.page.locator(f"a[download='calibration.{kind}']").click()
        written = finished_report.with_name(f"calibration.{kind}").read_bytes()
        assert Path(download.value.path()).read_bytes() == written
    assert visit.complaints == []


@pytest.mark.slow
def test_the_page_fits_a_narrow_window(context: Any, finished_report: Path) -> None:
    visit = Visit(context, finished_report)
    visit.drawn()
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.slow
def test_text_has_enough_contrast_in_both_colour_schemes(context: Any, finished_report: Path) -> None:
    visit = Visit(context, finished_report)
    visit.drawn()
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)
        for place in ("body", ".finding", "nav a", "figcaption", "tbody td"):
            assert contrast(visit.page, place) >= 4.5, (scheme, place)
        page = channels(visit.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        texts, grounds = (
            visit.page.locator(f"figure .live svg.marks{what}").evaluate_all(
                "found => [...new Set(found.filter(each => each.textContent !== '★')"
                f".map(each => getComputedStyle(each).{style}))]"
            )
            for what, style in ((" text", "fill"), ("", "backgroundColor"))
        )
        assert {channels(ground) for ground in grounds} == {page}
        assert min(ratio(channels(text), page) for text in texts) >= 4.5, (scheme, texts)


@pytest.mark.slow
def test_hostile_text_does_not_run(
    context: Any, load: Any, hostile: dict[str, Any], with_predictions: Any, tmp_path: Path
) -> None:
    visit = Visit(context, study_report.write(load(hostile), tmp_path / "report"))
    assert "slices" in visit.drawn()
    for mark in visit.page.locator("figure[data-figure=slices] .mark-symbol path").all()[:3]:
        mark.hover(force=True)
    assert visit.page.evaluate("window.attacked") is None
    assert visit.page.locator("h1").text_content() == hostile["study"]["name"]
    assert visit.complaints == []


@pytest.mark.slow
def test_the_content_security_policy_blocks_an_injected_script(
    context: Any, finished_report: Path, tmp_path: Path
) -> None:
    page = finished_report.read_text(encoding="utf-8").replace("<main>", "<main><script>window.attacked = 1</script>")
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    visit = Visit(context, tmp_path / "page.html")
    visit.drawn()
    assert visit.page.evaluate("window.attacked") is None
    assert any("Content Security Policy" in complaint for complaint in visit.complaints)


@pytest.mark.slow
def test_static_figures_are_shown_without_scripts_and_in_print(
    browser: Any, context: Any, finished_report: Path
) -> None:
    visit = Visit(context, finished_report)
    visit.drawn()
    visit.page.emulate_media(media="print")
    assert all(image.is_visible() for image in visit.page.locator("figure img").all())
    assert not visit.page.locator("figure .live").first.is_visible()
    plain = browser.new_context(java_script_enabled=False)
    page = plain.new_page()
    page.goto(finished_report.as_uri())
    assert all(image.is_visible() for image in page.locator("figure img").all())
    assert corner(page.locator("figure img").first) == (255, 255, 255)
    page.emulate_media(color_scheme="dark")
    assert corner(page.locator("figure img").first) == channels("rgb(13, 17, 23)")
    page.emulate_media(color_scheme="dark", media="print")
    assert corner(page.locator("figure img").first) == (255, 255, 255)
    plain.close()


@pytest.mark.slow
def test_the_page_needs_no_other_files(context: Any, finished_report: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone" / "page.html"
    alone.parent.mkdir()
    shutil.copy(finished_report, alone)
    visit = Visit(context, alone)
    assert len(visit.drawn()) >= 11
    assert visit.complaints == []
