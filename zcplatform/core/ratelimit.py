"""Token buckets: how often something may be asked by one key. Pure but for what it remembers; the time is a parameter.

A key may spend a whole minute's worth at once and gets it back evenly. What is remembered is bounded: the key that asked least recently is
forgotten first, which gives it back what it had spent. Nothing survives a restart; what guards codes does (`store/throttles.py`).
"""

from collections import OrderedDict

MINUTE_S = 60.0
MOST_KEYS = 4_096


class Buckets:
    """`a_minute`: how many each key may ask within a minute."""

    def __init__(self, a_minute: int, most_keys: int = MOST_KEYS) -> None:
        self._most = float(a_minute)
        self._per_s = a_minute / MINUTE_S
        self._most_keys = most_keys
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def take(self, key: str, now_s: float) -> float:
        """0 when it may be asked now, else in how many seconds. `now_s` is of a clock that never goes back."""
        left, at = self._left.get(key, (self._most, now_s))
        left = min(self._most, left + max(0.0, now_s - at) * self._per_s)
        is_taken = left >= 1
        self._left[key] = (left - 1 if is_taken else left, now_s)
        self._left.move_to_end(key)
        if len(self._left) > self._most_keys:
            self._left.popitem(last=False)
        return 0.0 if is_taken else (1 - left) / self._per_s
