"""Points in time from dates as sources write them."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_PATTERN = (
    r"^\s*(?P<year>\d{4})-?(?P<month>\d{2})?-?(?P<day>\d{2})?"
    r"(?:[T ]?(?P<hour>\d{2}):?(?P<minute>\d{2}):?(?P<second>\d{2}(?:\.\d+)?)?)?"
    r"\s*(?:Z|UTC|GMT|(?P<sign>[+-])(?P<zone_hour>\d{2}):?(?P<zone_minute>\d{2})?)?\s*$"
)
"""ISO 8601 (2024, 2024-05, 2024-05-31, 2024-05-31T12:30:00.5+02:00), and the fourteen digits of ARC files"""


def seconds_of(dates: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Seconds since 1970 (UTC) of each date, float64; NaN where it is null or cannot be read.

    What is left out is the beginning: 2024-05 is midnight of its first day. A date without a time zone is in UTC. A column of
    Arrow timestamps or dates is read as such.
    """
    if pa.types.is_temporal(dates.type):
        stamps = dates.cast(pa.timestamp("us")).cast(pa.int64())
        return np.asarray(pc.fill_null(stamps.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False)) / 1e6
    column = dates.combine_chunks() if isinstance(dates, pa.ChunkedArray) else dates
    found = pc.extract_regex(column.cast(pa.string()), _PATTERN)

    def part(name: str, default: float) -> np.ndarray:
        values = pc.struct_field(found, name)
        numbers = pc.if_else(pc.equal(values, ""), None, values).cast(pa.float64())
        return np.asarray(pc.fill_null(numbers, default).to_numpy(zero_copy_only=False))

    year, month, day = part("year", np.nan), part("month", 1), part("day", 1)
    good = ~np.isnan(year) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    months = ((np.where(good, year, 1970) - 1970) * 12 + np.where(good, month, 1) - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]").astype(np.int64) + day - 1
    good &= (months.astype("datetime64[D]") + (day - 1).astype(np.int64)).astype("datetime64[M]") == months  # no 31 April
    sign = np.where(np.asarray(pc.fill_null(pc.equal(pc.struct_field(found, "sign"), "-"), False)), -1.0, 1.0)
    zone = sign * (part("zone_hour", 0) * 3600 + part("zone_minute", 0) * 60)
    seconds = days * 86400 + part("hour", 0) * 3600 + part("minute", 0) * 60 + part("second", 0) - zone
    return np.where(good, seconds, np.nan)
