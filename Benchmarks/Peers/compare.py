"""`make bench-peers`: the same spans into tracestore, ClickHouse, DuckDB and Parquet, the same questions to three.

Everybody works in processes of their own, in turn, with nothing else under way. A database whose answer differs from
tracestore's is not timed on it: the cell says so and the run fails.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import textwrap

import questions
import rows
from process import run

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = {"tracestore": "tracestore", "clickhouse": "chDB", "duckdb": "DuckDB"}
PEERS = {"clickhouse": "clickhouse.py", "duckdb": "duck.py"}


def say(text):
    print(f"# {text}", file=sys.stderr, flush=True)


class Comparison:
    def __init__(self, shape, options):
        self.shape, self.options = shape, options
        self.folder = os.path.join(options.work, shape)
        os.makedirs(self.folder)
        self.corpus = f"{self.folder}/corpus.otlp"
        self.store = f"{self.folder}/store"
        self.sizes, self.load, self.versions = {}, {}, {}
        self.peak = dict.fromkeys(NAMES, 0)

    def peer(self, name, phase, *more):
        return run(sys.executable, f"{HERE}/{PEERS[name]}", phase, self.folder, *more)

    def prepare(self):
        options = self.options
        say(f"{self.shape}: generating {options.spans} spans")
        flags = ("--spans", options.spans, "--seed", options.seed, "--shape", self.shape, "--out", self.corpus)
        self.traffic = run(options.tracestore, "generate", *flags, "--json")
        say("making rows for the peers")
        _, facts = rows.convert(self.corpus, self.folder, options.spans)
        count = options.turns * options.questions
        self.questions = questions.make(self.shape, facts, options.seed, count)
        for name in PEERS:
            say(f"{NAMES[name]}: converting")
            self.peer(name, "stage")

    def fill(self):
        runs = {name: [] for name in NAMES}
        for number in range(self.options.loads):
            say(f"loading, {number + 1} of {self.options.loads}")
            remove(f"{self.folder}/ingest")
            runs["tracestore"].append(run(self.options.bench, "ingest", self.corpus, f"{self.folder}/ingest"))
            for name in PEERS:
                runs[name].append(self.peer(name, "load"))
        remove(f"{self.folder}/ingest")
        for name, found in runs.items():
            wrong = {one["spanCount"] for one in found} - {self.options.spans}
            if wrong:
                sys.exit(f"{name} holds {wrong} spans instead of {self.options.spans}")
            self.load[name] = min(found, key=lambda one: one["writeSeconds"])
            self.load[name]["writeSecondsOfEveryRun"] = [one["writeSeconds"] for one in found]
            self.peak[name] = max(one["peakMemoryByteCount"] for one in found)
            self.versions[name] = found[0].get("version", "")
        say("tracestore: import")
        self.imported = run(self.options.tracestore, "import", self.corpus, "--store", self.store, "--json")
        self.sizes["tracestore"] = [self.segment_byte_count(), self.compact()]
        for name in PEERS:
            self.sizes[name] = [self.load[name]["byteCount"], self.load[name]["compactedByteCount"]]
        say("Parquet")
        sizes = self.peer("duckdb", "parquet")
        self.sizes["parquet"] = [sizes["byteCount"], sizes["compactedByteCount"]]

    def segment_byte_count(self):
        # The room that is kept for a full disk holds no spans.
        names = [os.path.join(path, name) for path, _, names in os.walk(self.store) for name in names if name != "RESERVE"]
        return sum(os.path.getsize(name) for name in names)

    def compact(self):
        """The size after a full compaction."""
        say("tracestore: compact --all")
        run(self.options.tracestore, "compact", "--all", "--store", self.store, "--json")
        return self.segment_byte_count()

    def ask(self):
        self.answers = {name: [[] for _ in self.questions] for name in NAMES}
        path = f"{self.folder}/questions.json"
        for number in range(self.options.turns):
            say(f"asking, {number + 1} of {self.options.turns}")
            with open(path, "w") as file:
                json.dump(questions.turn(self.questions, number, self.options.turns), file)
            results = {"tracestore": run(self.options.bench, "ask", self.store, path)}
            results |= {name: self.peer(name, "ask", path) for name in PEERS}
            for name, result in results.items():
                self.peak[name] = max(self.peak[name], result["peakMemoryByteCount"])
                for question, own, theirs, reference in zip(
                    self.questions, self.answers[name], result["answers"], results["tracestore"]["answers"]
                ):
                    same = SAME.get(question["kind"], same_lists)
                    for answer, expected in zip(theirs, reference):
                        own.append((answer["nanoseconds"] / 1e6, same(answer["found"], expected["found"]), answer))
        self.differences = [
            f"{question['name']}: {NAMES[name]} gave {wrong} other answers out of {len(own)}"
            for name in PEERS
            for question, own in zip(self.questions, self.answers[name])
            if (wrong := sum(not is_same for _, is_same, _ in own))
        ]

    def by_question(self, name, figure):
        return {
            question["name"]: [figure(time, answer) for time, _, answer in own]
            for question, own in zip(self.questions, self.answers[name])
        }

    def lines(self):
        """The table: what is measured, its unit, whether more is better, and a figure for each database."""
        spans = self.options.spans
        rate = {name: spans / self.load[name]["writeSeconds"] for name in NAMES}
        yield "durable ingest", "spans/s", True, rate
        for position, name in enumerate(("size as loaded", "size when compacted")):
            sizes = {who: size[position] and size[position] / spans for who, size in self.sizes.items()}
            yield name, "B/span", False, sizes
        for position, question in enumerate(self.questions):
            figures = {}
            for name in NAMES:
                own = self.answers[name][position]
                is_right = all(is_same for _, is_same, _ in own)
                figures[name] = statistics.median(t for t, _, _ in own) if is_right else "differs"
            is_list = question["kind"] in ("search", "summaries")
            yield f"newest 20: {question['name']}" if is_list else question["name"], "ms", False, figures
        yield "peak memory", "MB", False, {name: self.peak[name] / 1e6 for name in NAMES}

    def result(self):
        options = self.options
        return {
            "shape": self.shape, "spans": options.spans, "seed": options.seed, "command": options.command,
            "date": options.date, "machine": options.machine, "versions": self.versions, "traffic": self.traffic,
            "lines": [{"name": n, "unit": u, "isMoreBetter": m, "figures": f} for n, u, m, f in self.lines()],
            "import": self.imported, "load": self.load, "sizes": self.sizes, "differences": self.differences,
            "foundCounts": self.by_question("tracestore", lambda _, answer: len(answer["found"])),
            "samples": {name: self.by_question(name, lambda time, _: round(time, 4)) for name in NAMES},
        }  # fmt: skip

    def markdown(self):
        options = self.options
        versions = [self.versions[name] for name in PEERS]
        text = [
            f"# {options.spans:,} spans, {self.shape} shape, {options.date}", "", "```", *options.machine,
            f"command  {options.command}", f"corpus   {self.shape}, seed {options.seed}, "
            f"{self.traffic['bytes'] / options.spans:.0f} bytes of OTLP a span", f"peers    {', '.join(versions)}",
            "```", "", HEADING, "|---" * 6 + "|",
        ]  # fmt: skip
        text += [line(*parts) for parts in self.lines()]
        for paragraph in METHOD.strip().split("\n\n"):
            text += ["", textwrap.fill(paragraph, 120)]
        return "\n".join(text) + "\n"


METHOD = """
Queries: medians over different instances of each question, page caches warm, stores compacted. Every answer was compared with
tracestore's: "differs" stands where one was not the same. tracestore and chDB give the times of the whole trace with
each id, DuckDB only those of the matching spans. chDB has Jaeger's tables, indexes and views; its searches are Jaeger's
made newest first. An attribute whose level is known is asked for at that level alone by the peers, at every level by
tracestore. Latencies and the graph are of six hours, all services and all kinds of spans; chDB's latencies are
Jaeger's query. The peers' graph counts parents and children of different services by a join; tracestore's also pairs
the halves of a call, resolves links and names peers without spans, so that the graphs are not compared.

Ingest: the best load. tracestore's is from OTLP bytes in requests of 512 spans, 64 in flight, synced to disk before
each is acknowledged. The peers insert 100,000 spans at a time from rows that were decoded and converted before the
clock started; chDB does not sync. Parquet: zstd, level 3 as loaded, level 19 sorted by service, name and start when
compacted. Peak memory: of the processes that load and ask, libraries and interpreters included.
"""

HEADING = "| | tracestore | chDB | DuckDB | Parquet | best peer ÷ tracestore |"


def same_lists(found, expected):
    return found == expected or (" " in "".join(found) and sorted(found) == sorted(expected))


def same_points(found, expected):
    """As many points, and sums that differ by no more than tracestore's bound: it estimates from 256 spans on."""
    (count, total), (expected_count, expected_total) = ([float(number) for number in own] for own in (found, expected))
    return count == expected_count and abs(total - expected_total) <= total / 64


SAME = {"latencies": same_points, "graph": lambda found, expected: bool(found) and bool(expected)}


def figure(value, unit):
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if unit == "spans/s":
        return f"{round(value, -3):,.0f}"
    return f"{value:,.2f}" if unit == "ms" and value < 10 else f"{value:,.1f}"


def line(name, unit, is_more_better, figures):
    order = ("tracestore", "clickhouse", "duckdb", "parquet")
    numbers = {who: value for who, value in figures.items() if isinstance(value, (int, float))}
    best = (max if is_more_better else min)(numbers.values()) if numbers else None
    cells = []
    for who in order:
        text = figure(figures.get(who), unit)
        cells.append(f"**{text}**" if best is not None and numbers.get(who) == best else text)
    ours = numbers.pop("tracestore", None)
    ratio = "–"
    if ours and numbers:
        ratio = f"{ours / max(numbers.values()):.1f}" if is_more_better else f"{min(numbers.values()) / ours:.1f}"
    return f"| {name}, {unit} | {' | '.join(cells)} | {ratio} |"


def remove(path):
    subprocess.run(["rm", "-rf", path], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--shapes", nargs="+", default=["realistic", "uniform"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--questions", type=int, default=20, help="instances of each question a turn")
    parser.add_argument("--loads", type=int, default=3)
    parser.add_argument("--work", required=True)
    parser.add_argument("--results", required=True)
    parser.add_argument("--tracestore", required=True)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--command", required=True)
    options = parser.parse_args()
    options.date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    options.machine = subprocess.run([f"{HERE}/../describe"], capture_output=True, text=True).stdout.strip().split("\n")
    has_failed = False
    for shape in options.shapes:
        comparison = Comparison(shape, options)
        comparison.prepare()
        comparison.fill()
        comparison.ask()
        text = comparison.markdown()
        name = f"{options.results}/{options.date}-{shape}-{options.spans}"
        os.makedirs(options.results, exist_ok=True)
        with open(f"{name}.md", "w") as file:
            file.write(text)
        with open(f"{name}.json", "w") as file:
            json.dump(comparison.result(), file, indent=1)
        print(text, flush=True)
        for difference in comparison.differences:
            print(f"differs: {difference}", file=sys.stderr)
        has_failed = has_failed or bool(comparison.differences)
        remove(comparison.folder)
    sys.exit(1 if has_failed else 0)


main()
