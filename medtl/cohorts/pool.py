"""A small thread pool that keeps order and looks ahead a little, so that memory stays bounded however many come."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

WORKERS = max(1, min(4, os.cpu_count() or 1))  # Pillow, zlib and hashlib release the interpreter lock


def in_order(work: Callable[[In], Out], items: Iterable[In], ahead: int = 4 * WORKERS) -> Iterator[Out]:
    """`map(work, items)` on some threads; at most `ahead` results wait to be taken."""
    waiting: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
