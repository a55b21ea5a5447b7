"""How much of a stream is read: apart from the reader, for those who read in other ways."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["DEFAULT_LIMITS", "Limits"]


class Limits(NamedTuple):
    """What a stream may hold. Everything beyond is refused quickly, in bounded memory.

    The aim is that whatever is within the limits is read and checked in 2 seconds of processor time
    and 512 MiB: `benchmarks/families.py` measures the dearest kinds of texts that are known.

    Attributes:
        size: Bytes of UTF-8 in the stream.
        nodes: Keys and values in the stream, those that come from aliases included; each
            document counts for 20 more.
        depth: Mappings and sequences inside each other.
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    size: int = 16 * 1024 * 1024
    nodes: int = 500_000
    depth: int = 200


DEFAULT_LIMITS: Final = Limits()
