import threading

import pytest

from medtl.cohorts.pool import TOGETHER, in_order


def test_order_is_kept_and_only_a_few_are_ahead():
    started, lock = [], threading.Lock()

    def work(n: int) -> int:
        with lock:
            started.append(n)
        return n * n

    results = in_order(work, range(1000), ahead=5)
    assert next(results) == 0
    assert len(started) <= 6 * TOGETHER
    assert list(results) == [n * n for n in range(1, 1000)]


def test_an_error_comes_out_where_it_belongs():
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda n: 1 // (n - 3), range(10)))
