"""Reads a segment file with nothing but FORMAT.md in hand.

    python read_segment.py SEGMENT…                   every span as a line of JSON
    python read_segment.py --check SEGMENT…           ids, times and content hashes against the golden dump beside it

`oracle_roundtrip.py` also asks it what a store's segments hold, and compares that with what the store was given.

This is the second implementation of the format: written from the document alone, sharing no code and no generated
table with the engine, so that a sentence that is missing there fails here. It is slow and says so; it verifies every
checksum, hash, filter, count and bound that the document promises, and stops at the first one that does not hold.
"""

import argparse
import functools
import json
import struct
import sys

from format_columns import (
    MASK, Damaged, Filter, Reader, crc, hash128, integer_column, integer_page, need, part_list, signed,
    sorted_text_list, text_column, text_hash, text_order, unzigzag, whole)
from format_messages import LEVELS, OPAQUE_ATTRIBUTE, as_json, bytes_field, fields
from format_stripe import Row, Stripe, StripeRecord, lasting, trace_hash


class Segment:
    def __init__(self, data):
        self.data = data
        self.read_ends()
        self.strings = whole(sorted_text_list, Reader(self.section(1)))
        self.read_keys()
        resources, counts, services = part_list(self.section(3), 3)
        self.resources = whole(text_column, resources)
        self.resource_counts = whole(integer_column, counts)
        self.services = [self.strings[code] for code in whole(integer_column, services)]
        need(self.resources == sorted(set(self.resources)), "resources out of order")
        scopes, counts = part_list(self.section(4), 2)
        self.scopes = whole(text_column, scopes)
        self.scope_counts = whole(integer_column, counts)
        need(self.scopes == sorted(set(self.scopes)), "scopes out of order")
        self.trace_filter = whole(Filter, Reader(self.section(6)))
        self.read_stripe_index()

    def read_ends(self):
        data = self.data
        need(len(data) >= 104, "too short for a segment")
        magic, version, header_bytes, features = struct.unpack_from("<8sHHQ", data)
        need(magic == b"TSSEGMT1" and header_bytes == 64, "not a segment")
        need(crc(data[:60]) == int.from_bytes(data[60:64], "little"), "the header's checksum does not match")
        need(version == 1 and features <= 1, "a newer format")
        self.has_mixed_checksums = features == 1
        trailer = Reader(data[-40:])
        footer_offset, footer_bytes, checksum = (trailer.integer(size) for size in (8, 4, 4))
        self.footer_hash = struct.unpack("<QQ", trailer.take(16))
        need(trailer.take(8) == b"TSSEGEND", "no trailer")
        need(checksum == crc(data[-24:], crc(data[-40:-28])), "the trailer's checksum does not match")
        need(footer_offset + footer_bytes + 40 == len(data) and footer_bytes <= 2**20, "a footer out of place")
        footer = Reader(data[footer_offset:-40])
        need(hash128(footer.data) == self.footer_hash, "the footer's hash does not match")
        need(crc(footer.data[:-4]) == int.from_bytes(footer.data[-4:], "little"), "the footer's checksum")
        version, _, section_count, features, optional = (footer.integer(size) for size in (2, 2, 4, 8, 8))
        need(version == 1 and features == int(self.has_mixed_checksums), "header and footer name different features")
        need(optional == int.from_bytes(data[20:28], "little"), "header and footer name different features")
        self.knows_trace_starts = optional & 1 == 1
        self.sections = {}
        for _ in range(section_count):
            kind, flags, _, offset, byte_count = (footer.integer(size) for size in (2, 2, 4, 8, 8))
            expected = struct.unpack("<QQ", footer.take(16))
            need(kind > max(self.sections, default=0), "sections out of order")
            need(kind in (*range(1, 11), 14, 15) or not flags & 1, "a newer format")
            need(offset + byte_count <= footer_offset, "a section past the footer")
            self.sections[kind] = (offset, byte_count)
            need(hash128(self.section(kind)) == expected, f"the hash of section {kind} does not match")
        totals = [footer.integer(8) for _ in range(footer.integer(4))]
        need(len(totals) >= 16 and footer.offset == len(footer.data) - 4, "totals that do not fit")
        self.totals = totals[:16]
        self.footer_offset = footer_offset

    def section(self, kind):
        offset, byte_count = self.sections.get(kind, (0, 0))
        return self.data[offset : offset + byte_count]

    def read_keys(self):
        reader = Reader(self.section(2))
        self.keys = []
        for _ in range(reader.varint()):
            level, code, type_, count = reader.integer(1), reader.varint(), reader.integer(1), reader.varint()
            need(level < len(LEVELS) and type_ <= OPAQUE_ATTRIBUTE, "a key of a newer format")
            self.keys.append((level, code, type_, count))
        reader.end()
        order = [key[:3] for key in self.keys]
        need(order == sorted(set(order)), "keys out of order")

    def read_stripe_index(self):
        reader = Reader(self.section(7))
        self.records = [StripeRecord(Reader(reader.block())) for _ in range(reader.varint())]
        reader.end()
        end = 64
        ranges = [(record.offset, record.byte_count) for record in self.records]
        for offset, byte_count in ranges + sorted(self.sections.values()) + [(self.footer_offset, 0)]:
            need(offset >= end and not any(self.data[end:offset]), f"bytes before {offset} that are not zero")
            end = offset + byte_count
        need(all(record.offset % 64 == 0 for record in self.records), "a stripe that is not aligned")

    def stripes(self):
        for number, record in enumerate(self.records):
            yield Stripe(self, number, record)

    def partials(self):
        if 10 not in self.sections:
            return
        *columns, texts = part_list(self.section(10), 8)
        rows = list(zip(*(whole(integer_column, column) for column in columns), whole(text_column, texts)))
        order = [(high, low, span_id, hash128(text), resource, scope)
                 for high, low, span_id, resource, scope, _, _, text in rows]
        need(order == sorted(order) and len(rows) == self.totals[2], "partial records out of order")
        for high, low, span_id, resource, scope, start, end, text in rows:
            need(trace_hash((high, low)) in self.trace_filter, "a partial record whose trace the filter denies")
            known = {number: value for number, _, value, _ in fields(text)}
            need(known.get(7, 0) == start and known.get(8, 0) == end, "a partial record with other times")
            need(known[1] == struct.pack(">QQ", high, low) and known[2] == struct.pack(">Q", span_id),
                 "a partial record with other ids")
            yield Row((high, low), span_id, start, end, self.services[resource], known.get(5, b""),
                      self.resources[resource], self.scopes[scope], text)

    def places_of(self, trace):
        """(stripe, ordinal) of a trace, the way a get finds them."""
        wanted = trace_hash(trace)
        need(wanted in self.trace_filter, "a trace that its filter denies")
        key = wanted >> 32
        blocks = self.trace_blocks
        first = max((index for index, block in enumerate(blocks) if block[0] < key), default=0)
        found = set()
        for index in range(first, len(blocks)):
            if blocks[index][0] <= key:
                found |= {(stripe, ordinal) for k, stripe, ordinal in blocks[index][1] if k == key}
        return found

    def trace_at(self, place):
        """The id of the trace at a place of the index, which knows only 32 bits of it."""
        number, ordinal = place
        stripe = Stripe(self, number, self.records[number])
        return tuple(stripe.integers(kind, stripe.trace_count)[ordinal] for kind in (1, 2))

    @functools.cached_property
    def trace_blocks(self):
        reader, blocks = Reader(self.section(5)), []
        for _ in range(reader.integer(4)):
            first, offset, byte_count = reader.integer(8), reader.integer(4), reader.integer(4)
            block = Reader(self.section(14)[offset : offset + byte_count])
            entries = list(zip(*(integer_page(block) for _ in range(3)), strict=True))
            block.end()
            need(entries and entries[0][0] == first and entries == sorted(entries), "a trace block out of order")
            blocks.append((first, entries))
        reader.end()
        need([block[0] for block in blocks] == sorted(block[0] for block in blocks), "trace blocks out of order")
        return blocks


def read(path):
    """(rows in the order of the file, partial records), after everything that the document promises was checked."""
    with open(path, "rb") as file:
        segment = Segment(file.read())
    stripes = list(segment.stripes())
    rows = [row for stripe in stripes for row in stripe.rows()]
    partials = list(segment.partials())
    check_totals(segment, stripes, rows, partials)
    check_operations(segment, rows)
    check_counts(segment, stripes, rows)
    check_texts(segment, rows)
    return rows, partials


def check_totals(segment, stripes, rows, partials):
    traces = {}
    for row in rows:
        traces.setdefault(row.trace, []).append(row)
    starts, durations = [row.start for row in rows], [lasting(row) for row in rows]
    expected = [
        len(rows), len(traces), len(partials), sum(stripe.event_count for stripe in stripes),
        sum(stripe.link_count for stripe in stripes), sum(row.is_error for row in rows), len(stripes),
        min(starts, default=MASK), max(starts, default=0), max((row.end for row in rows), default=0),
        min(durations, default=MASK), max(durations, default=0),
        # A trace that ends before it starts lasts no time.
        max((max(0, max(row.end for row in trace) - min(row.start for row in trace)) for trace in traces.values()),
            default=0),
        min((row.start for row in partials), default=MASK), max((row.start for row in partials), default=0),
        max((row.end for row in partials), default=0)]
    need(segment.totals == expected, f"totals {segment.totals}, counted {expected}")


def check_operations(segment, rows):
    operations = {}
    for row in rows:
        counts = operations.setdefault((row.service, row.name, row.kind), [0, 0])
        counts[0] += 1
        counts[1] += row.is_error
    columns = [whole(integer_column, part) for part in part_list(segment.section(9), 5)]
    listed = [((segment.strings[service], segment.strings[name], signed(unzigzag(kind))), [calls, errors])
              for service, name, kind, calls, errors in zip(*columns, strict=True)]
    # Kinds ascend as they stand there: 0, -1, 1, -2.
    expected = sorted(
        operations.items(),
        key=lambda item: (text_order(item[0][0]), text_order(item[0][1]), abs(2 * item[0][2] + 0.5)))
    need(listed == expected, "other operations than the rows have")


def check_counts(segment, stripes, rows):
    """Partial records count nowhere; a resource's attribute counts once for each of its rows."""
    resources, scopes = [0] * len(segment.resources), [0] * len(segment.scopes)
    for row in rows:
        resources[row.resource_place] += 1
        scopes[row.scope_place] += 1
    need(resources == segment.resource_counts, "resources counted otherwise")
    need(scopes == segment.scope_counts, "scopes counted otherwise")
    found, listed = {}, {}
    for stripe in stripes:
        for place, count in stripe.key_counts.items():
            level, code, _, _ = segment.keys[place]
            key = (level, segment.strings[code])
            found[key] = found.get(key, 0) + count
    for level, attributes, messages, counts in (
            (3, 1, segment.resources, resources), (4, 3, segment.scopes, scopes)):
        for message, count in zip(messages, counts):
            inner = b"".join(value for number, wire, value, _ in fields(message) if (number, wire) == (1, 2))
            for number, _, value, _ in fields(inner):
                if number == attributes and count:
                    (key,) = [text for at, _, text, _ in fields(value) if at == 1] or [b""]
                    found[level, key] = found.get((level, key), 0) + count
    for level, code, _, count in segment.keys:
        key = (level, segment.strings[code])
        listed[key] = listed.get(key, 0) + count
    need(listed == found, f"keys counted otherwise: {sorted(listed.items() ^ found.items())}")


def check_texts(segment, rows):
    """The filter over texts denies no value of an attribute."""
    if 15 not in segment.sections:
        return
    known = whole(Filter, Reader(segment.section(15)))
    need(text_hash(b"") in known, "an empty text that the filter denies")

    def check(owners, attributes):
        for owner in owners:
            for key_value in inner(owner, attributes):
                for value in inner(key_value, 2):
                    found = list(fields(value))
                    if len(found) == 1 and found[0][0] in (1, 7) and found[0][1] == 2:
                        need(text_hash(found[0][2]) in known, f"a text that the filter denies: {found[0][2]}")

    for row in rows:
        check(inner(row.resource, 1), 1)
        check(inner(row.scope, 1), 3)
        check([row.span], 9)
        check(inner(row.span, 11), 3)
        check(inner(row.span, 13), 4)


def inner(message, number):
    """The messages or texts that stand at a field."""
    return [value for at, wire, value, _ in fields(message) if (at, wire) == (number, 2)]


def requests(path):
    """Each span and partial record of a segment as an OTLP request, serialised."""
    rows, partials = read(path)
    return [bytes_field(1, row.resource + bytes_field(2, row.scope + bytes_field(2, row.span)))
            for row in rows + partials]


def described(kind, row):
    return {
        "is": kind, "contentHash": row.hash, "resource": as_json("ResourceSpans", row.resource),
        "scope": as_json("ScopeSpans", row.scope), "span": as_json("Span", row.span)}


def golden(path):
    """(kind, trace id, span id, start, duration, content hash) of each span that a dump names."""
    with open(path, encoding="utf-8") as file:
        return [tuple(line.split()[:6]) for line in file if line.startswith(("span ", "partial "))]


def check(path, dump):
    rows, partials = read(path)
    found = [(kind, row.trace_id, row.span_id, str(row.start), str(row.duration), row.hash)
             for kind, some in (("span", rows), ("partial", partials)) for row in some]
    wanted = golden(dump)
    for index, (left, right) in enumerate(zip(found, wanted)):
        need(left == right, f"span {index} is {' '.join(left)}, the dump says {' '.join(right)}")
    need(len(found) == len(wanted), f"{len(found)} spans, the dump has {len(wanted)}")
    print(f"{path}: {len(rows)} spans and {len(partials)} partial records as the dump says")


def main():
    parser = argparse.ArgumentParser(description="Reads segments from what FORMAT.md says, and nothing else.")
    parser.add_argument("--check", action="store_true", help="compare with the golden dumps beside them")
    parser.add_argument("paths", nargs="+")
    arguments = parser.parse_args()

    if arguments.check:
        for path in arguments.paths:
            check(path, path.removesuffix(".seg") + ".dump.txt")
        return 0
    for path in arguments.paths:
        rows, partials = read(path)
        for kind, found in (("span", rows), ("partial", partials)):
            for row in found:
                print(json.dumps(described(kind, row), ensure_ascii=False))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Damaged as error:
        sys.exit(f"read_segment: {error}")
