"""The report's section on partitions: how many samples of each label every partition holds, as a shaded table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from harness import Trace

if TYPE_CHECKING:
    from harness.store import Run

TITLE = "Labels per partition"


def sections(run: Run) -> list[tuple[str, str]]:
    """One table for each way in which the run's workloads are divided; no section where none is."""
    tables = "".join(_table(caption, counts) for caption, counts in _divisions(run))
    return [(TITLE, tables)] if tables else []


def _divisions(run: Run) -> Iterator[tuple[str, list[list[int]]]]:
    """Each workload's first division that a trace holds."""
    seen: set[tuple[str, str]] = set()
    for cell in run.record.cells:
        path = run.cell_folder(cell) / "trace.parquet"
        if (cell.suite, cell.workload.label) in seen or not path.exists():
            continue
        counts = Trace.read(path).fact("labels").get("counts")
        if counts:
            seen.add((cell.suite, cell.workload.label))
            yield f"{cell.workload.label}, seed {cell.seed}: samples by partition and label", counts


def _table(caption: str, counts: Sequence[Sequence[int]]) -> str:
    most = max(max(row) for row in counts) or 1
    heads = "".join(f'<th scope="col">{label}</th>' for label in range(len(counts[0])))
    rows = "".join(
        f'<tr><th scope="row">partition {place}</th>{"".join(_cell(count, most) for count in row)}</tr>'
        for place, row in enumerate(counts)
    )
    head = f'<thead><tr><th scope="col">label</th>{heads}</tr></thead>'
    table = f"<table><caption>{escape(caption)}</caption>{head}<tbody>{rows}</tbody></table>"
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">{table}</div>'


def _cell(count: int, most: int) -> str:
    # Half of full strength, so that the number stays readable in light and in dark.
    return f'<td style="background:rgb(0 114 178 / {0.5 * count / most:.2f})">{count}</td>'
