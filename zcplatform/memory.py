"""A process's own memory: what it gives back once it stands, and that nobody finds it in a core file."""

import ctypes
import gc
import resource

_M_TRIM_THRESHOLD, _M_ARENA_MAX = -1, -8
TRIM_BYTES = 128 * 1024
_PR_SET_DUMPABLE = 4


def never_dumped() -> None:
    """Before a key is read: a crash leaves no core file, nor hands one to a program, and others of the same user may not look inside."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def one_arena() -> None:
    """Before the first thread: threads share the allocator's one arena instead of holding pages each.

    What is free at its end goes back at once. The allocator would learn to keep megabytes there from the first large buffer it is given back.
    """
    allocator = ctypes.CDLL(None)
    allocator.mallopt(_M_ARENA_MAX, 1)
    allocator.mallopt(_M_TRIM_THRESHOLD, TRIM_BYTES)


def settle() -> None:
    """After the start: what is there now stays, and is not looked at by the collector again."""
    gc.collect()
    gc.freeze()
    ctypes.CDLL(None).malloc_trim(0)
