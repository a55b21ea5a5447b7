"""Check many texts in several processes, with results in the order of the texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from kfp_k8s_manifest.checks.order import ObjectContext
from kfp_k8s_manifest.validation.inputs import Input
from kfp_k8s_manifest.validation.outcome import Checked

__all__ = ["check_inputs"]

_CHUNKS_A_WORKER: Final = 8
_CHUNK_FILES: Final = 64


Check = Callable[[Input, ObjectContext], Checked]


def check_inputs(
    check: Check, inputs: Sequence[Input], context: ObjectContext, workers: int
) -> Iterator[Checked]:
    """Yield the outcome of each text, in order.

    Args:
        check: What checks one text; a function of a module, or a partial of one, which every process
            can import.
        inputs: The texts.
        context: What the objects are checked against.
        workers: How many processes work.
    """
    # Chunks are small enough that no worker waits for another's last one, and that the results
    # that wait for their turn stay few.
    length = max(1, min(_CHUNK_FILES, len(inputs) // (workers * _CHUNKS_A_WORKER)))
    chunks = [inputs[start : start + length] for start in range(0, len(inputs), length)]
    with ProcessPoolExecutor(workers, initializer=_start, initargs=(check, context)) as pool:
        for outcomes in pool.map(_check_chunk, chunks):
            yield from outcomes


_started: tuple[Check, ObjectContext] | None = None


def _start(check: Check, context: ObjectContext) -> None:
    global _started
    _started = check, context


def _check_chunk(inputs: Sequence[Input]) -> list[Checked]:
    assert _started is not None
    check, context = _started
    return [check(each, context) for each in inputs]
