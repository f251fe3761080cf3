"""Token buckets: limit how often one key may make a request. In memory; the time is a parameter.

A bucket holds one minute's worth of requests and refills evenly. The number of buckets is bounded: the least recently used one is dropped
first, so its key starts with a full bucket again. Nothing survives a restart; the limits on codes do (`store/throttles.py`).
"""

from collections import OrderedDict

MINUTE_S = 60.0
MOST_KEYS = 4_096


class Buckets:
    """`a_minute`: how many requests each key may make within a minute."""

    def __init__(self, a_minute: int, most_keys: int = MOST_KEYS) -> None:
        self._most = float(a_minute)
        self._per_s = a_minute / MINUTE_S
        self._most_keys = most_keys
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def take(self, key: str, now_s: float) -> float:
        """Take a token and return 0, or return after how many seconds there will be one. `now_s` comes from a monotonic clock."""
        left, at = self._left.get(key, (self._most, now_s))
        left = min(self._most, left + max(0.0, now_s - at) * self._per_s)
        is_taken = left >= 1
        self._left[key] = (left - 1 if is_taken else left, now_s)
        self._left.move_to_end(key)
        if len(self._left) > self._most_keys:
            self._left.popitem(last=False)
        return 0.0 if is_taken else (1 - left) / self._per_s
