"""The questions that everybody is asked, as plain data: one list for tracestore's program and for the peers' SQL."""

import random

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
WARMUPS = 3
# Reads of single traces to one instance of each search: a store that is in use is asked for many, and what it has read
# before counts.
TRACE_READS = 10


def span(key, value, kind="str", level="span"):
    return {"key": key, "text": str(value), "type": kind, "level": level}


def anywhere(key, value):
    return span(key, value, level="any")


def make(shape, facts, seed, count):
    """For each line of the table its name, kind and `count` instances, no two lists sharing their random numbers."""
    services = sorted({service for service, _ in facts.operations})
    common, p999, p9999 = facts.quantiles(0.99, 0.999, 0.9999)
    samples = facts.samples
    traces = [sample[0] for sample in samples]
    width = HOUR // 2 if shape == "realistic" else 12 * HOUR

    def values(key):
        return sorted(facts.values[key])

    def window(dice):
        start = dice.randrange(facts.first, max(facts.first + 1, facts.last - HOUR))
        return {"start": start, "end": start + HOUR}

    def dashboard(dice):
        end = (facts.last // MINUTE + 1 - dice.randrange(10)) * MINUTE
        return {"start": end - 6 * HOUR, "end": end}

    def everything(dice):
        trace, service, name, start, duration, pair = dice.choice([s for s in samples if s[5]])
        return {
            "service": service, "operation": name, "minimumDuration": duration // 2, "maximumDuration": duration * 100,
            "start": start - width, "end": start + width, "attributes": [anywhere(*pair)],
        }  # fmt: skip

    def above(duration, dice):
        return {"minimumDuration": duration + dice.randrange(1000)}

    def operation(dice):
        sample = dice.choice(samples)
        return {"service": sample[1], "operation": sample[2]}

    lines = [
        ("get a trace by id", "trace", lambda dice: {"traceID": dice.choice(traces)}),
        ("service", "search", lambda dice: {"service": dice.choice(services)}),
        ("service and operation", "search", operation),
        ("duration, p99 to p99.9", "search", lambda dice: {**above(common, dice), "maximumDuration": p999}),
        ("duration, above p99.99", "search", lambda dice: above(p9999, dice)),
        ("one hour", "search", window),
        ("service in one hour", "search", lambda dice: {"service": dice.choice(services), **window(dice)}),
    ]

    def attribute(name, condition):
        lines.append((f"attribute {name}", "search", lambda dice: {"attributes": [condition(dice)]}))

    if shape == "realistic":
        users, pods, types = values("enduser.id"), values("k8s.pod.ip"), values("exception.type")
        status = "http.response.status_code"
        attribute("of the span, rare", lambda dice: span("enduser.id", dice.choice(users)))
        attribute("of the span, a number", lambda dice: span(status, dice.choice([404, 500, 502, 503, 504]), "int"))
        attribute("of the resource", lambda dice: span("k8s.pod.ip", dice.choice(pods), level="resource"))
        attribute("of an event", lambda dice: span("exception.type", dice.choice(types), level="event"))
        attribute("at any level", lambda dice: anywhere("enduser.id", dice.choice(users)))
        attribute("at any level, no match", lambda dice: anywhere("enduser.id", f"nobody-{dice.randrange(10**9)}"))
    else:

        def pair(dice):
            return f"attr_{dice.randrange(97):02d}", f"val_{dice.randrange(1000):02d}"

        attribute("of the span", lambda dice: span(*pair(dice)))
        attribute("at any level", lambda dice: anywhere(*pair(dice)))
        attribute("at any level, no match", lambda dice: anywhere(pair(dice)[0], f"nothing-{dice.randrange(10**9)}"))
    lines.append(("all filters", "search", everything))
    lines.append(("summaries, by service", "summaries", lambda dice: {"service": dice.choice(services)}))
    lines += [
        ("p95 by operation and minute", "latencies", lambda dice: {**dashboard(dice), "isByOperation": True}),
        ("p95 by service and minute", "latencies", lambda dice: {**dashboard(dice), "isByOperation": False}),
    ]
    if shape == "realistic":  # the other has no calls between services
        lines.append(("service graph", "graph", dashboard))

    def instances(name, kind, choose):
        dice = random.Random(f"{seed} {name}")
        return [choose(dice) for _ in range(count * (TRACE_READS if kind == "trace" else 1) + WARMUPS)]

    return [{"name": name, "kind": kind, "instances": instances(name, kind, choose)} for name, kind, choose in lines]


def turn(questions, number, turns):
    """The share of one turn: the same warm-up each time, then instances that no other turn asks."""
    share = []
    for question in questions:
        warmup, rest = question["instances"][:WARMUPS], question["instances"][WARMUPS:]
        share.append({**question, "warmup": warmup, "variants": rest[number::turns], "instances": None})
    return share
