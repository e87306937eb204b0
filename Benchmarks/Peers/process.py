"""What processes do: every peer's measures itself and asks one question after the other, and ours are started."""

import json
import subprocess
import sys
import threading
import time

# A question that takes long is asked fewer times: no further instance begins after so many seconds, but some do.
PATIENCE_SECONDS = 5
MINIMUM_COUNT = 5


def run(*command):
    """What a command prints as JSON."""
    finished = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE)
    if finished.returncode:
        sys.exit(f"failed: {' '.join(str(word) for word in command)}")
    return json.loads(finished.stdout or b"{}")


def peak_memory():
    """The most memory that this process ever held, in bytes."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except FileNotFoundError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def ask(path, prepare, check):
    """Times `prepare(question, instance)`, which returns a function that runs the query and fetches its whole result.

    `check(question, instance, result)` turns a result into what is compared, outside the clock.
    """
    with open(path) as file:
        questions = json.load(file)
    answers = []
    for question in questions:
        for instance in question["warmup"]:
            prepare(question, instance)()
        begun = time.monotonic()
        results = []
        for number, instance in enumerate(question["variants"]):
            if number >= MINIMUM_COUNT and time.monotonic() - begun > PATIENCE_SECONDS:
                break
            run = prepare(question, instance)
            started = time.perf_counter_ns()
            result = run()
            results.append((time.perf_counter_ns() - started, instance, result))
        answers.append([{"nanoseconds": t, "found": check(question, i, r)} for t, i, r in results])
    emit({"answers": answers, "peakMemoryByteCount": peak_memory()})


def emit(result):
    json.dump(result, sys.stdout)
    sys.stdout.flush()
