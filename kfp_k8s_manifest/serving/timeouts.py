"""`asyncio.timeout` and `asyncio.timeout_at`, which Python 3.10 does not have yet.

Not `asyncio.wait_for`: until Python 3.12 it returns a result that comes in the moment of a cancellation and
forgets the cancellation, so that a task that waits again and again is never ended.
"""

from __future__ import annotations

import sys

if sys.version_info >= (3, 11):
    from asyncio import timeout, timeout_at
else:
    from async_timeout import timeout, timeout_at

__all__ = ["timeout", "timeout_at"]
