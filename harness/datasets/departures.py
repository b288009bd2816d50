"""Flights out of New York City in 2013: a stream in its own order, which is not i.i.d."""

from __future__ import annotations

from functools import cache
from typing import Any

from harness.data import cached
from harness.datasets.declared import FLIGHTS
from harness.datasets.tables import Table, codes, dense_codes, quintiles, side_by_side, signs

LATE_MINUTES = 15


@cache
def flights() -> Table:
    """Flights in the order of their scheduled departure; label 1: arrived over 15 minutes late.

    Features: carrier, origin, destination, local hour, month and weekday, and distance by quintile.
    Flights that were cancelled or diverted have no arrival delay and are left out.
    """
    stored = cached(f"flights 1 {FLIGHTS.members[0].sha256}", _flights)
    return Table(stored["columns"], int(stored["dimension"]), stored["labels"], stored["times"])


def _flights() -> dict[str, Any]:
    """Read the whole file, which takes seconds."""
    import numpy as np

    table = _arrived()
    hours = table.column("time_hour").to_numpy().astype("datetime64[s]").astype(np.int64)
    times = (hours + 60 * table.column("minute").to_numpy()).astype(np.float64)
    groups = [codes(table.column(name)) for name in ("carrier", "origin", "dest", "hour", "month")]
    groups += [dense_codes(_weekdays(table)), quintiles(table.column("distance").to_numpy())]
    columns, dimension = side_by_side(groups)
    late = signs(table.column("arr_delay").to_numpy() > LATE_MINUTES)
    order = np.argsort(times, kind="stable")
    return {"columns": columns[order], "dimension": np.array(dimension), "labels": late[order], "times": times[order]}


def _arrived() -> Any:
    import zipfile

    import pyarrow.compute as pc
    import pyarrow.csv

    with zipfile.ZipFile(FLIGHTS.path("flights.csv.zip")) as zipped, zipped.open("flights.csv") as file:
        table = pyarrow.csv.read_csv(file)
    return table.filter(pc.is_valid(table.column("arr_delay")))


def _weekdays(table: Any) -> Any:
    """Monday 0 to Sunday 6 in New York; ``time_hour`` is UTC, where late flights leave a day later."""
    import numpy as np

    year, month, day = (table.column(name).to_numpy() for name in ("year", "month", "day"))
    months = (year - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
    days = months.astype("datetime64[D]") + (day - 1)
    return (days.astype(np.int64) + 3) % 7  # 1 January 1970 was a Thursday.
