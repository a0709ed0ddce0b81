"""Prints what a task costs: `executors.py 'WORKERS TASKS TRIPS'` gives nanoseconds for each of many tasks, and median and
99th percentile of a round trip in microseconds, on a hot and on an idle pool."""
import sys
import time
from concurrent.futures import ThreadPoolExecutor

workers, tasks, trips = map(int, sys.argv[1].split())


def task(number):
    return number


def round_trips(pool, pause):
    times = []
    for number in range(trips):
        if pause:
            time.sleep(pause)
        begun = time.perf_counter()
        assert pool.submit(task, number).result() == number
        times.append(time.perf_counter() - begun)
    times.sort()
    return times[trips // 2] * 1e6, times[trips * 99 // 100] * 1e6


with ThreadPoolExecutor(workers) as pool:
    pool.submit(task, 0).result()
    begun = time.perf_counter()
    futures = [pool.submit(task, number) for number in range(tasks)]
    total = sum(future.result() for future in futures)
    each = (time.perf_counter() - begun) / tasks * 1e9
    assert total == tasks * (tasks - 1) // 2
    print(each, *round_trips(pool, 0), *round_trips(pool, 0.001))
