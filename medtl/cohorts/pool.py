"""A small thread pool that keeps order and looks ahead a little, so that memory stays bounded however many come."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

WORKERS = max(1, min(4, os.cpu_count() or 1))  # Pillow, zlib and hashlib release the interpreter lock
TOGETHER = 8  # small images take less time than handing them over does


def in_order(work: Callable[[In], Out], items: Iterable[In], ahead: int = 2 * WORKERS) -> Iterator[Out]:
    """`map(work, items)` on some threads, in handfuls; at most `ahead` handfuls of results wait to be taken."""
    rest = iter(items)
    handfuls = iter(lambda: list(islice(rest, TOGETHER)), [])
    waiting: deque[Future[list[Out]]] = deque()

    def do(handful: Sequence[In]) -> list[Out]:
        return [work(item) for item in handful]

    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for handful in handfuls:
                waiting.append(pool.submit(do, handful))
                if len(waiting) >= ahead:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
