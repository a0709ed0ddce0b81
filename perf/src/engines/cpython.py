"""Runs a few kernels on a process pool: pure Python, the same work as the Rust kernels.

Started as `python3 -c SCRIPT REQUEST`; the request and every line of the answer are JSON.
"""

import json
import multiprocessing
import os
import re
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def fib_tasks(n, depth):
    """The leaves of the first levels of the tree, which sum to fib(n)."""
    if n < 2 or depth == 0:
        return [n]
    return fib_tasks(n - 1, depth - 1) + fib_tasks(n - 2, depth - 1)


def run_fib(pool, n, workers):
    return sum(pool.map(fib, fib_tasks(n, 5)))


def place(full, columns, left, right):
    if columns == full:
        return 1
    solutions = 0
    free = full & ~(columns | left | right)
    while free:
        square = free & -free
        free ^= square
        solutions += place(full, columns | square, (left | square) << 1, (right | square) >> 1)
    return solutions


def place_first(task):
    n, square = task
    return place((1 << n) - 1, square, square << 1, square >> 1)


def run_nqueens(pool, n, workers):
    return sum(pool.map(place_first, [(n, 1 << column) for column in range(n)]))


def escape(c_re, c_im):
    re = im = 0.0
    for rounds in range(256):
        re2, im2 = re * re, im * im
        if re2 + im2 > 4.0:
            return rounds
        im = 2.0 * re * im + c_im
        re = re2 - im2 + c_re
    return 256


def paint_row(task):
    side, row = task
    step = 2.5 / side
    c_im = -1.25 + row * step
    return [escape(-2.0 + column * step, c_im) for column in range(side)]


def run_mandelbrot(pool, side, workers):
    rows = pool.map(paint_row, [(side, row) for row in range(side)], chunksize=max(1, side // (workers * 8)))
    return [rounds for row in rows for rounds in row]


def digest(words):
    """The digest of the Rust kernels, over 64-bit words."""
    mask = (1 << 64) - 1
    state, length = 0x243F6A8885A308D3, 0
    for word in words:
        state = ((state ^ word) * 0xFF51AFD7ED558CCD) & mask
        state = ((state << 29) | (state >> 35)) & mask
        length += 1
    state = ((state ^ length) * 0xC4CEB9FE1A85EC53) & mask
    return state ^ (state >> 32)


def count_words(paths):
    counts = Counter()
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as file:
            counts.update(WORD.findall(file.read().lower()))
    return counts


def run_wordcount(pool, folder, workers):
    paths = [os.path.join(path, name) for path, _, names in os.walk(folder) for name in names]
    paths.sort(key=os.path.getsize, reverse=True)
    parts = [paths[part :: workers * 4] for part in range(workers * 4)]
    counts = Counter()
    for part in pool.map(count_words, parts):
        counts.update(part)
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0].encode()))[:20]
    totals = [sum(counts.values()), len(counts), len(paths), 0]
    return totals + [number for word, count in top for number in [*word.encode(), count]]


WORD = re.compile(r"[^\W_]+")
RUN = {"fib": run_fib, "nqueens": run_nqueens, "mandelbrot": run_mandelbrot, "wordcount": run_wordcount}


def main():
    request = json.loads(sys.argv[1])
    workers = request["workers"]
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for job in request["jobs"]:
            run = RUN[job["kernel"]]
            about = job["folder"] or job["size"]
            begun = time.perf_counter()
            answer = run(pool, about, workers)
            seconds = []
            while len(seconds) < request["rounds"]:
                before = time.perf_counter()
                again = run(pool, about, workers)
                after = time.perf_counter()
                seconds.append(after - before)
                if again != answer:
                    raise SystemExit(f"{job['kernel']}: two answers, {answer} and {again}")
                if after - begun > request["limit"]:
                    break
            if isinstance(answer, list):
                answer = digest(answer)
            print(json.dumps({"kernel": job["kernel"], "seconds": seconds, "answer": answer}), flush=True)


main()
