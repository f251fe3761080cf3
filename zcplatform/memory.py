"""The memory of a process: no core dumps, and early release of what is no longer needed."""

import ctypes
import gc
import resource

_M_TRIM_THRESHOLD, _M_ARENA_MAX = -1, -8
TRIM_BYTES = 128 * 1024
_PR_SET_DUMPABLE = 4


def never_dumped() -> None:
    """Call before a key is read: a crash then leaves no core dump and passes none to a program, and other processes of the user cannot read its memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def one_arena() -> None:
    """Call before the first thread: threads then share one allocator arena instead of holding pages each.

    Free memory at its end is returned at once. Otherwise the allocator would learn from the first large buffer to keep megabytes there.
    """
    allocator = ctypes.CDLL(None)
    allocator.mallopt(_M_ARENA_MAX, 1)
    allocator.mallopt(_M_TRIM_THRESHOLD, TRIM_BYTES)


def settle() -> None:
    """Call after the start: objects that exist now are kept, and the garbage collector ignores them from then on."""
    gc.collect()
    gc.freeze()
    ctypes.CDLL(None).malloc_trim(0)
