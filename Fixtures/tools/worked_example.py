"""The worked example of a segment in FORMAT.md: every byte of a file, part by part.

    python worked_example.py SEGMENT                  prints it
    python worked_example.py SEGMENT --write FORMAT   puts it into the document's section
"""

import argparse
import re

from format_stripe import FIRST_ATTRIBUTE_CHUNK, Stripe
from read_segment import Segment

LEVELS = ("span", "event", "link", "resource", "scope")
TYPES = ("absent", "empty", "string", "bool", "int", "double", "bytes", "array", "map", "opaque", "opaqueAttribute")
LINE = 20


def table(document, heading, key, value):
    """The cells of two columns of the first table below a heading that has both."""
    lines = iter(document[document.index(f"\n{heading}\n") :].split("\n"))
    for line in lines:
        names = [cell.strip() for cell in line.strip("|").split("|")]
        if key in names and value in names:
            next(lines)
            cells = {}
            for row in lines:
                if not row.startswith("|"):
                    return cells
                parts = [cell.strip() for cell in row.strip("|").split("|")]
                cells[int(parts[names.index(key)])] = parts[names.index(value)]
    raise SystemExit(f"no table with {key} and {value} below {heading}")


def parts(segment, document):
    """(offset, what it is) of each part, ascending."""
    chunk_names = table(document, "### Stripe", "Id", "Name")
    section_names = table(document, "### Sections", "Kind", "Name")
    yield 0, "header"
    for number, record in enumerate(segment.records):
        stripe = Stripe(segment, number, record)
        yield record.offset, "stripe: counts, chunk entries, checksum"
        for kind, (offset, _) in stripe.chunks.items():
            name = chunk_names.get(kind)
            if kind >= FIRST_ATTRIBUTE_CHUNK:
                level, code, type_, _ = segment.keys[kind - FIRST_ATTRIBUTE_CHUNK]
                name = f"attribute:{LEVELS[level]}:{segment.strings[code].decode()}:{TYPES[type_]}"
            yield record.offset + offset, f"chunk {kind}, {name}"
    for kind, (offset, _) in segment.sections.items():
        yield offset, f"section {section_names[kind]}"
    yield segment.footer_offset, "footer: head, section entries, totals, checksum"
    yield len(segment.data) - 40, "trailer"


def lines(segment, document):
    found = sorted(parts(segment, document))
    ends = [offset for offset, _ in found[1:]] + [len(segment.data)]
    for (offset, what), end in zip(found, ends):
        for start in range(offset, end, LINE):
            digits = segment.data[start : min(start + LINE, end)].hex()
            groups = " ".join(digits[place : place + 8] for place in range(0, len(digits), 8))
            yield f"{start:03x}  {groups:<47}  {what if start == offset else ''}".rstrip()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("segment")
    parser.add_argument("--format", default="FORMAT.md", help="where the names stand")
    parser.add_argument("--write", action="store_true", help="replace the example in that document")
    options = parser.parse_args()
    with open(options.segment, "rb") as file:
        segment = Segment(file.read())
    with open(options.format, encoding="utf-8") as file:
        document = file.read()
    example = "\n".join(lines(segment, document))
    if not options.write:
        print(example)
        return
    start = document.index("### Worked example of a segment")
    changed = re.sub(r"```\n.*?\n```", lambda _: f"```\n{example}\n```", document[start:], count=1, flags=re.DOTALL)
    with open(options.format, "w", encoding="utf-8") as file:
        file.write(document[:start] + changed)


if __name__ == "__main__":
    main()
