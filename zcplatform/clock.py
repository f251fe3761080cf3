"""Time as the platform writes it: UTC, RFC 3339 with Z and milliseconds. Everyone else gets the time as a parameter."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)


def text(moment: datetime) -> str:
    """`2026-11-23T01:02:03.456Z`: fixed width, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse(value: str) -> datetime:
    """Raises ValueError for anything that is not RFC 3339."""
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except OverflowError as error:  # a year 1 or 9999 that the offset leads out of
        raise ValueError(str(error)) from None
