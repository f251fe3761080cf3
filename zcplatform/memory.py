"""What a long-running process gives back once it stands: garbage of its start, and the pages the allocator keeps for it."""

import ctypes
import gc

_M_ARENA_MAX = -8


def one_arena() -> None:
    """Before the first thread: threads share the allocator's one arena instead of holding pages each."""
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def settle() -> None:
    """After the start: what is there now stays, and is not looked at by the collector again."""
    gc.collect()
    gc.freeze()
    ctypes.CDLL(None).malloc_trim(0)
