"""Prints how many nanoseconds one operation takes: `rooms.py NAME`."""
import contextvars
import queue
import sched
import sys
import time


def each(times, operation):
    begun = time.perf_counter()
    for _ in range(times):
        operation()
    return (time.perf_counter() - begun) / times * 1e9


def put_and_get(q):
    put, get = q.put, q.get

    def operation():
        put(1)
        get()

    return each(100_000, operation)


def copy_context():
    for i in range(1_000):
        contextvars.ContextVar(f"v{i}").set(i)
    return each(100_000, contextvars.copy_context)


def get_context():
    variable = contextvars.ContextVar("variable")
    variable.set(7)
    return each(500_000, variable.get)


def events():
    number = 10_000
    begun = time.perf_counter()
    scheduler = sched.scheduler()
    for _ in range(number):
        scheduler.enter(0, 1, int)
    scheduler.run()
    return (time.perf_counter() - begun) / number * 1e9


print({
    "simple-queue": lambda: put_and_get(queue.SimpleQueue()),
    "queue": lambda: put_and_get(queue.Queue()),
    "context-get": get_context,
    "context-copy-1000": copy_context,
    "sched": events,
}[sys.argv[1]]())
