"""`make bench-scale`: the same questions to stores of growing size. What a question costs should follow what it touches."""

import argparse
import datetime
import json
import os
import random
import statistics
import subprocess
import sys

from process import run

HOUR = 3600 * 10**9
WARMUPS = 3
STATUS = "http.response.status_code"


def condition(key, text, kind="str"):
    return {"attributes": [{"key": key, "text": str(text), "type": kind, "level": "span"}]}


def nanoseconds(instant):
    """Since 1970, of an RFC 3339 instant, to the second."""
    return int(datetime.datetime.fromisoformat(instant[:19] + "+00:00").timestamp()) * 10**9


class Store:
    def __init__(self, options, spans):
        self.options, self.spans = options, spans
        self.path = f"{options.work}/store-{spans}"
        self.facts = {"spans": spans}

    def tracestore(self, command, *more):
        return run(self.options.tracestore, command, "--json", "--store", self.path, *more)

    def fill(self):
        corpus = f"{self.options.work}/corpus-{self.spans}.otlp"
        run(self.options.tracestore, "generate", "--json", "--spans", self.spans, "--seed", self.options.seed,
            "--shape", "realistic", "--operation-factor", self.options.operation_factor, "--out", corpus)
        self.facts["importSeconds"] = self.tracestore("import", corpus)["seconds"]
        os.remove(corpus)
        self.tracestore("compact", "--all")
        self.facts["bytesPerSpan"] = self.tracestore("stats")["segmentBytes"] / self.spans

    def questions(self, count):
        """Of everything `count` instances; every size is asked the same kinds, about what it holds."""
        services = self.tracestore("services")
        operations = [(service, operation["name"]) for service in services
                      for operation in self.tracestore("operations", "--service", service)[:4]]
        users = [value["value"] for value in self.tracestore("attributes", "--level", "span", "--values", "enduser.id")]
        newest = self.tracestore("search", "--format", "ids", "--limit", 1)["traces"][0]
        last = nanoseconds(newest["end"])
        traces = []
        for part in range(count):
            end = last - 6 * HOUR * part // count
            found = self.tracestore("search", "--format", "ids", "--limit", 40, "--end", end)["traces"]
            traces += [trace["traceID"] for trace in found]
        dice = random.Random(self.options.seed)

        def window():
            start = last - dice.randrange(HOUR, 6 * HOUR)
            return {"start": start, "end": start + HOUR}

        kinds = [
            ("get a trace by id", "trace", lambda: {"traceID": dice.choice(traces)}),
            ("service", "search", lambda: {"service": dice.choice(services)}),
            ("service and operation", "search", lambda: dict(zip(("service", "operation"), dice.choice(operations)))),
            ("duration above 2 s", "search", lambda: {"minimumDuration": 2 * 10**9 + dice.randrange(1000)}),
            ("one hour", "search", window),
            ("service in one hour", "search", lambda: {"service": dice.choice(services), **window()}),
            ("attribute, a number", "search", lambda: condition(STATUS, dice.choice([404, 500, 503]), "int")),
            ("attribute, rare", "search", lambda: condition("enduser.id", dice.choice(users))),
            ("attribute, no match", "search", lambda: condition("enduser.id", f"nobody-{dice.randrange(10**9)}")),
            ("summaries, by service", "summaries", lambda: {"service": dice.choice(services)}),
        ]
        return [
            {"name": name, "kind": kind, "warmup": [choose() for _ in range(WARMUPS)],
             "variants": [choose() for _ in range(count * (10 if kind == "trace" else 1))]}
            for name, kind, choose in kinds
        ]  # fmt: skip

    def ask(self):
        questions = self.questions(self.options.questions)
        path = f"{self.options.work}/questions.json"
        with open(path, "w") as file:
            json.dump(questions, file)
        result = run(self.options.bench, "ask", self.path, path)
        self.facts["peakMemory"] = result["peakMemoryByteCount"]
        for question, answers in zip(questions, result["answers"]):
            self.facts[question["name"]] = {
                "milliseconds": statistics.median(answer["nanoseconds"] for answer in answers) / 1e6,
                "readBytes": statistics.mean(answer["readByteCount"] for answer in answers),
            }


def table(stores):
    """A line a question: median time and bytes read by size, and the last time against the first."""
    sizes = [f"{store.spans:,}" for store in stores]
    yield f"| median ms (kB read) | {' | '.join(sizes)} | last ÷ first |"
    yield "|---" * (len(sizes) + 2) + "|"
    for name, first in stores[0].facts.items():
        if not isinstance(first, dict):
            continue
        figures = [store.facts[name] for store in stores]
        cells = [f"{figure['milliseconds']:.2f} ({figure['readBytes'] / 1e3:.0f})" for figure in figures]
        yield f"| {name} | {' | '.join(cells)} | {figures[-1]['milliseconds'] / first['milliseconds']:.2f} |"
    for name, key, scale, digits in (
        ("size, B/span", "bytesPerSpan", 1, 2), ("import, spans/s", None, 1, 0), ("peak memory, MB", "peakMemory", 1e6, 0),
    ):  # fmt: skip
        figures = [store.facts[key] / scale if key else store.spans / store.facts["importSeconds"] for store in stores]
        cells = " | ".join(f"{figure:,.{digits}f}" for figure in figures)
        yield f"| {name} | {cells} | {figures[-1] / figures[0]:.2f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1_000_000, 3_000_000, 10_000_000])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--operation-factor", type=int, default=1, help="times as many operations a service")
    parser.add_argument("--questions", type=int, default=40, help="instances of each question")
    for name in ("work", "results", "tracestore", "bench"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    folder = os.path.dirname(os.path.abspath(__file__))
    machine = subprocess.run([f"{folder}/../describe"], capture_output=True, text=True).stdout.strip()
    stores = []
    for spans in options.sizes:
        print(f"# {spans} spans", file=sys.stderr, flush=True)
        stores.append(Store(options, spans))
        stores[-1].fill()
        stores[-1].ask()
        subprocess.run(["rm", "-rf", stores[-1].path], check=True)
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    text = [f"# Growing stores, realistic shape, {date}", "", "```", machine,
            f"command  make bench-scale SEED={options.seed} OPERATIONS={options.operation_factor}", "```", "", *table(stores)]  # fmt: skip
    os.makedirs(options.results, exist_ok=True)
    with open(f"{options.results}/{date}-scale.md", "w") as file:
        file.write("\n".join(text) + "\n")
    print("\n".join(text))


main()
