"""Check many texts in several processes, with results in the order of the texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from kfp_k8s_manifest.checks.order import ObjectContext
from kfp_k8s_manifest.validation.inputs import Input
from kfp_k8s_manifest.validation.text import Outcome

__all__ = ["check_inputs"]

_CHUNKS_A_WORKER: Final = 8
_CHUNK_FILES: Final = 64


def check_inputs(
    inputs: Sequence[Input], context: ObjectContext, workers: int
) -> Iterator[Outcome]:
    """Yield the outcome of each text, in order.

    Args:
        inputs: The texts.
        context: What the objects are checked against.
        workers: How many processes work.
    """
    # Chunks are small enough that no worker waits for another's last one, and that the results
    # that wait for their turn stay few.
    length = max(1, min(_CHUNK_FILES, len(inputs) // (workers * _CHUNKS_A_WORKER)))
    chunks = [inputs[start : start + length] for start in range(0, len(inputs), length)]
    with ProcessPoolExecutor(workers, initializer=_start, initargs=(context,)) as pool:
        for outcomes in pool.map(_check_chunk, chunks):
            yield from outcomes


_context: ObjectContext | None = None


def _start(context: ObjectContext) -> None:
    global _context
    _context = context


def _check_chunk(inputs: Sequence[Input]) -> list[Outcome]:
    from kfp_k8s_manifest.validation.files import _check_input

    assert _context is not None
    return [_check_input(each, _context) for each in inputs]
