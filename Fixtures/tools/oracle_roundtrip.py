"""Asks OpenTelemetry's own Python classes whether a store gives back what it was given.

    python oracle_roundtrip.py --tracestore PATH [--read-segments] FILE-OR-DIRECTORY…
    python oracle_roundtrip.py --compare ORIGINAL EXPORTED

The first form imports every OTLP file into a store of its own, exports it and compares; with --read-segments it also
compares what `read_segment.py` finds in the store's segments, so that bytes on disk are read by a program that knows
nothing but FORMAT.md. The second compares two files. What is compared is the set of distinct (resource with schema
URL, scope with schema URL, span): grouping, order and repetition of whole triples are not content, everything inside
a triple is: attribute order, duplicate keys, doubles by their bits, unknown fields. Exit 1 and a difference when the
sets are not equal.
"""

import argparse
import os
import subprocess
import sys
import tempfile

from google.protobuf import text_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import otlp_files
import read_segment

SUFFIXES = (".otlp", ".json", ".jsonl", ".otlp.gz", ".otlp.zst", ".jsonl.gz", ".jsonl.zst")
# The key under which a store tells the state of a span that is not final; not part of what was written.
STATE_KEY = "tracestore.state"


def serialised(message):
    return message.SerializeToString(deterministic=True)


def envelope(message, *known):
    """What stands on a message beside the named fields: its unknown fields."""
    rest = type(message)()
    rest.CopyFrom(message)
    for name in known:
        rest.ClearField(name)
    return serialised(rest)


def is_addressable(span):
    return len(span.trace_id) == 16 and any(span.trace_id) and len(span.span_id) == 8 and any(span.span_id)


def without_state(span):
    if not any(attribute.key == STATE_KEY for attribute in span.attributes):
        return span
    copy = Span()
    copy.CopyFrom(span)
    del copy.attributes[:]
    copy.attributes.extend(attribute for attribute in span.attributes if attribute.key != STATE_KEY)
    return copy


def triples(requests):
    """(the set of triples, how many spans cannot be addressed and are refused by every store)."""
    found, refused = {}, 0
    for request in requests:
        for group in request.resource_spans:
            resource = (
                serialised(group.resource), group.schema_url,
                envelope(group, "resource", "scope_spans", "schema_url"))
            for scoped in group.scope_spans:
                scope = (serialised(scoped.scope), scoped.schema_url, envelope(scoped, "scope", "spans", "schema_url"))
                for span in scoped.spans:
                    if is_addressable(span):
                        found[resource, scope, serialised(without_state(span))] = (group.resource, scoped.scope, span)
                    else:
                        refused += 1
    return found, refused


def described(triple):
    resource, scope, span = triple
    parts = [("resource", resource), ("scope", scope), ("span", span)]
    return "\n".join(
        f"      {name} {{ {text_format.MessageToString(message, as_one_line=True, as_utf8=True)[:2000]} }}"
        for name, message in parts)


def difference(original, exported):
    """Lines that say what is missing and what is new, the first three of each; empty when the sets are equal."""
    lines = []
    for title, left, right in (("missing", original, exported), ("unexpected", exported, original)):
        keys = sorted(key for key in left if key not in right)
        if keys:
            lines.append(f"    {len(keys)} {title}:")
            lines += [described(left[key]) for key in keys[:3]]
    return lines


def compare(original_path, exported_path):
    original, refused = triples(otlp_files.read_requests(original_path))
    exported, strange = triples(otlp_files.read_requests(exported_path))
    lines = difference(original, exported)
    if strange:
        lines.append(f"    {strange} exported spans cannot be addressed")
    return len(original), refused, lines


def compare_segments(original_path, store):
    """Lines of difference between a file and the segments of the store that it was imported into."""
    paths = sorted(os.path.join(store, name) for name in os.listdir(store) if name.endswith(".seg"))
    try:
        found, _ = triples(
            ExportTraceServiceRequest.FromString(request) for path in paths for request in read_segment.requests(path))
    except read_segment.Damaged as error:
        return [f"    the segments are not as FORMAT.md says: {error}"]
    original, _ = triples(otlp_files.read_requests(original_path))
    return ["    in the segments:", *lines] if (lines := difference(original, found)) else []


def round_trip(tracestore, path, read_segments):
    with tempfile.TemporaryDirectory() as folder:
        store, out = os.path.join(folder, "store"), os.path.join(folder, "out.otlp")
        imported = subprocess.run([tracestore, "import", "--store", store, path], capture_output=True, text=True)
        _, refused = triples(otlp_files.read_requests(path))
        if imported.returncode != (1 if refused else 0):
            return 0, [f"    import ended with {imported.returncode}: {imported.stderr.strip()}"]
        subprocess.run([tracestore, "export", "--store", store, "--format", "otlp", "--out", out],
                       check=True, capture_output=True, text=True)
        count, _, lines = compare(path, out)
        if read_segments:
            lines += compare_segments(path, store)
        return count, lines


def files(paths):
    for path in paths:
        if os.path.isfile(path):
            yield path
        for folder, folders, names in os.walk(path):
            folders.sort()
            yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(SUFFIXES))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tracestore")
    parser.add_argument("--read-segments", action="store_true")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("paths", nargs="+")
    arguments = parser.parse_args()

    if arguments.compare:
        count, _, lines = compare(*arguments.paths)
        print("\n".join(lines) if lines else f"equal: {count} distinct triples")
        return 1 if lines else 0

    failed = checked = total = 0
    for path in files(arguments.paths):
        count, lines = round_trip(os.path.abspath(arguments.tracestore), path, arguments.read_segments)
        checked += 1
        total += count
        if lines:
            failed += 1
            print(f"{path}: DIFFERS", *lines, sep="\n")
    readers = "the store and a reader of FORMAT.md" if arguments.read_segments else "the store"
    print(f"oracle: {checked - failed} of {checked} files come back equal from {readers}, {total} distinct triples")
    return 1 if failed or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
