"""A run's page: one self-contained HTML file."""

from __future__ import annotations

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from harness.errors import HarnessError
from harness.registry import Registry
from harness.report import curves, sections, verdicts
from harness.report.markup import Markup, element, join, section, text
from harness.report.summary import Summary
from harness.store import write_atomically

HOW_TO_GET = "a page needs plotly: pip install 'paper-harness[report]'"
# The page fetches nothing, and its browser is told to hold it to that.
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


def available() -> bool:
    """Whether plotly is installed."""
    return find_spec("plotly") is not None


def write_page(summary: Summary, registry: Registry, path: Path) -> None:
    """Write a run's page, whole or not at all."""
    if not available():
        raise HarnessError(HOW_TO_GET)
    if not path.parent.is_dir():
        raise HarnessError("no such folder", where=str(path.parent))
    write_atomically(path, render(summary, registry))


def render(summary: Summary, registry: Registry) -> str:
    """The page as text."""
    from plotly.offline import get_plotlyjs

    main = _main(summary, registry)
    head = join(
        [
            Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
            element("title", summary.run.title),
            element("style", Markup(_packaged("page.css"))),
        ]
    )
    scripts = (element("script", Markup(script)) for script in (get_plotlyjs(), _packaged("page.js")))
    # The scripts come last: what can be read is there before plotly is.
    body = element("body", main, *scripts)
    return "<!doctype html>\n" + element("html", element("head", head), body, lang="en") + "\n"


def _main(summary: Summary, registry: Registry) -> Markup:
    traced, added = curves.read(summary.run), _of_plugins(summary, registry)
    parts = {
        "claims": verdicts.claims(summary, registry),
        "comparisons": sections.comparisons(summary),
        "convergence": sections.convergence(traced),
        "bytes": sections.sent(traced),
        "timeline": sections.timelines(traced),
        **{identity: section(identity, title, html) for identity, (title, html) in added.items()},
        "parameters": sections.parameters(summary),
        "environment": sections.environment(summary),
        "problems": sections.problems(summary),
    }
    titles = {name: added[name][0] if name in added else name.capitalize() for name in parts}
    links = (element("li", element("a", title, href=f"#{name}")) for name, title in titles.items())
    return join(
        [
            element("a", "Skip to the claims", class_="skip", href="#claims"),
            element("header", element("h1", summary.run.title), element("p", _about(summary), class_="soft")),
            element("nav", element("ul", *links), aria_label="Sections"),
            element("main", *parts.values()),
        ]
    )


def _about(summary: Summary) -> Markup:
    done = sum(result.outcome == "done" for result in summary.results.values())
    return text(f"{summary.run.record.created}: {done} of {len(summary.run.record.cells)} cells done")


def _of_plugins(summary: Summary, registry: Registry) -> dict[str, tuple[str, Markup]]:
    """The plugins' sections: a title that is text, and HTML that is trusted as its plugin is."""
    offered = [one for given in registry.observe("harness_report_sections", run=summary.run) for one in given or ()]
    return {f"plugin-{i}": (str(title), Markup(html)) for i, (title, html) in enumerate(offered, 1)}


def _packaged(name: str) -> str:
    return files("harness.report").joinpath(name).read_text(encoding="utf-8")
