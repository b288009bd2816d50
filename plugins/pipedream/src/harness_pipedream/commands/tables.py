"""An explanation as a table for the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from harness_pipedream.planning.explain import Explanation, why
from harness_pipedream.planning.pacing import hiding_depth, paced
from harness_pipedream.planning.predict import Prediction

COLUMNS = ("stage", "layers", "ranks", "ms", "compute", "all-reduce", "input", "in flight", "memory")


def show(found: Explanation, console: Console) -> None:
    """Print the plan's stages, and what the plan promises."""
    console.print(_table(found.prediction))
    for line in summary(found):
        console.print(line, soft_wrap=True)


def summary(found: Explanation) -> list[str]:
    """The plan in words: what holds it up, and how it compares with data parallelism."""
    prediction, plan = found.prediction, found.prediction.plan
    slowest = prediction.bottleneck
    saved = found.communication_saved
    share = f", {saved:.0%} less" if saved is not None and saved > 0 else ""
    return [
        f"{plan}: {plan.kind} on {plan.workers} workers, {plan.noam} minibatches in flight",
        f"{_time(prediction.seconds)} a minibatch, held up by stage {slowest} ({why(prediction.stages[slowest])})",
        _pace(prediction),
        f"{found.speedup:.2f} times data parallelism ({_time(found.data_parallel.seconds)}), "
        f"{found.speedup_over_one:.2f} times one worker, as cost model {found.cost!r} has it",
        f"memory {_size(prediction.memory_bytes)} at the fullest worker; "
        f"data parallelism {_size(found.data_parallel.memory_bytes)}",
        f"communication {_size(prediction.communication_bytes)} a minibatch{share}; "
        f"data parallelism {_size(found.data_parallel.communication_bytes)}",
    ]


def _pace(prediction: Prediction) -> str:
    """What NOAM comes to with the time on links, and how many in flight would hide that."""
    now, depth = paced(prediction), hiding_depth(prediction)
    if depth == prediction.plan.noam:
        return f"links are hidden with {depth} in flight"
    return f"{_time(now)} with {prediction.plan.noam} in flight, which wait for links; {depth} would hide them"


def _table(prediction: Prediction) -> Table:
    table = Table(*COLUMNS, box=SIMPLE_HEAD)
    for index, (stage, ranks) in enumerate(zip(prediction.stages, prediction.plan.ranks, strict=True)):
        times = (stage.seconds, stage.compute_seconds, stage.sync_seconds, stage.input_seconds)
        table.add_row(
            str(index),
            _numbers(stage.stage.layers),
            _numbers(ranks),
            *(f"{seconds * 1000:.4g}" for seconds in times),
            str(stage.in_flight),
            _size(stage.memory_bytes),
        )
    return table


def _numbers(numbers: tuple[int, ...]) -> str:
    """Write 0, 1, 2, 5 as '0-2, 5'."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1][1:] = [number]
        else:
            spans.append([number])
    return ", ".join("-".join(map(str, span)) for span in spans)


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.4g} ms"


def _size(size: float) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size:.0f} B"
