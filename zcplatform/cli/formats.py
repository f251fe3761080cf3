"""How the command line writes sizes, times and money for people, and reads them back. `--json` shows the API's exact values instead.

Sizes count in powers of 1024, as `docker run --memory` and `free -h` do: what a table shows can be typed as it is.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

UNITS = ("", "K", "M", "G", "T")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
MICROS = 1_000_000
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([KMGT]?)(?:i?B)?", re.ASCII | re.IGNORECASE)
_DOLLARS = re.compile(r"\$?([0-9]{1,12}(?:\.[0-9]{1,6})?)", re.ASCII)
_DURATION = re.compile(r"(?:[0-9]{1,6}[smhdw])+", re.ASCII)


def size(count: int | None) -> str:
    """`512M`, `1.5G`; whole units are shown without a fraction."""
    if count is None:
        return ""
    value, unit = float(count), 0
    while value >= 1024 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.1f}".removesuffix(".0") + UNITS[unit] + ("B" if unit == 0 else "")


def parse_size(text: str) -> int | None:
    """Bytes of `512M`, `1.5G`, `1GiB` or a plain number; None for anything else."""
    match = _SIZE.fullmatch(text)
    if match is None:
        return None
    count = Decimal(match[1]) * 1024 ** UNITS.index(match[2].upper())
    return int(count) if count == int(count) else None


def dollars(micros: int) -> str:
    """`5.00`; more places only where the amount has them."""
    amount = Decimal(micros) / MICROS
    return f"{amount:.2f}" if micros % 10_000 == 0 else f"{amount.normalize():f}"


def parse_dollars(text: str) -> int | None:
    """Micro-dollars of `5`, `5.00` or `$5`; None for anything else, and for less than a micro-dollar."""
    match = _DOLLARS.fullmatch(text)
    return int(Decimal(match[1]) * MICROS) if match is not None else None


def parse_duration(text: str) -> timedelta | None:
    """`90s`, `5m`, `1h30m`, `7d`; None for anything else."""
    if not _DURATION.fullmatch(text):
        return None
    return timedelta(seconds=sum(int(part[:-1]) * SECONDS[part[-1]] for part in re.findall(r"[0-9]{1,9}[smhdw]", text)))


def since(text: str | None, now: datetime) -> str | None:
    """A point in time for the API: a duration counts back from now, anything else is passed on as it is."""
    duration = parse_duration(text) if text is not None else None
    return text if duration is None else _rfc3339(now - duration)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def age(at: str | None, now: datetime) -> str:
    """`5m ago` or `in 3d`: the largest unit that fits."""
    moment = _moment(at)
    if moment is None:
        return at or ""
    seconds = int((now - moment).total_seconds())
    if abs(seconds) < 1:
        return "now"
    unit = max((unit for unit in SECONDS if unit != "w" and SECONDS[unit] <= abs(seconds)), key=SECONDS.__getitem__)
    text = f"{abs(seconds) // SECONDS[unit]}{unit}"
    return f"{text} ago" if seconds > 0 else f"in {text}"


def moment(at: str | None, now: datetime) -> str | None:
    """`2026-01-01 12:00:00 UTC (3d ago)`; None stays None."""
    found = _moment(at)
    return at if found is None else f"{found.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC ({age(at, now)})"


def elapsed(start: str | None, end: str | None) -> str:
    """`0.41 s`; empty while one of the two is not known."""
    first, last = _moment(start), _moment(end)
    return "" if first is None or last is None else f"{(last - first).total_seconds():.2f} s"


def _moment(at: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(at) if at else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
