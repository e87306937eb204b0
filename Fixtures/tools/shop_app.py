"""A small web shop, traced by the OpenTelemetry SDK, that writes the shop fixtures.

Eight services call each other through W3C headers, as they would over a network. Time and ids come from a seeded
source instead of the machine, so that a second run writes the same bytes.

    python shop_app.py DIRECTORY
"""

import contextlib
import logging
import os
import random
import sys
import traceback

import opentelemetry.sdk.trace as sdk_trace
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import otlp_files

HTTP_SCHEMA = "https://opentelemetry.io/schemas/1.27.0"
OLD_SCHEMA = "https://opentelemetry.io/schemas/1.9.0"
MORNING = 1_767_254_400_000_000_000  # 2026-01-01T08:00:00Z
MICROSECOND, MILLISECOND, SECOND = 1_000, 1_000_000, 1_000_000_000


class Clock:
    """The shop's one true time, and each machine's deviation from it."""

    def __init__(self, start):
        self.now = start
        self.skew = 0

    def work(self, nanoseconds):
        self.now += int(nanoseconds)

    def read(self):
        return self.now + self.skew


class SeededIds(IdGenerator):
    def __init__(self, source):
        self.source = source

    def generate_span_id(self):
        return self.source.getrandbits(64) | 1

    def generate_trace_id(self):
        return self.source.getrandbits(128) | 1


class Outbox(SpanExporter):
    """Collects finished spans; every `batch` spans become one request, as a batching exporter would send them."""

    def __init__(self, requests, batch):
        self.requests = requests
        self.batch = batch
        self.spans = []

    def export(self, spans):
        self.spans.extend(spans)
        if len(self.spans) >= self.batch:
            self.flush()
        return SpanExportResult.SUCCESS

    def flush(self):
        if self.spans:
            self.requests.append(encode_spans(self.spans))
        self.spans = []


class CardDeclined(Exception):
    pass


class Service:
    def __init__(self, shop, name, resource, schema=HTTP_SCHEMA, skew=0, limits=None, batch=16):
        self.shop, self.name, self.skew = shop, name, skew
        attributes = {
            "service.name": name,
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.version": "1.45.2",
            **resource,
        }
        self.outbox = Outbox(shop.requests, batch)
        self.provider = TracerProvider(
            resource=Resource(attributes, schema),
            id_generator=shop.ids,
            span_limits=limits or SpanLimits(),
            shutdown_on_exit=False,
        )
        self.provider.add_span_processor(SimpleSpanProcessor(self.outbox))

    def tracer(self, library, version=None, schema=None, attributes=None):
        return self.provider.get_tracer(library, version, schema, attributes)

    @contextlib.contextmanager
    def span(self, tracer, name, kind=SpanKind.INTERNAL, headers=None, links=(), attributes=None):
        """One span on this service's machine: its clock is read, whoever called."""
        context = TraceContextTextMapPropagator().extract(headers, Context()) if headers is not None else None
        clock, before = self.shop.clock, self.shop.clock.skew
        clock.skew = self.skew
        span = tracer.start_span(name, context=context, kind=kind, links=links, attributes=attributes)
        try:
            with trace.use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
                yield span
        finally:
            clock.skew = self.skew
            span.end()
            clock.skew = before


def headers_of_current_span():
    headers = {}
    TraceContextTextMapPropagator().inject(headers)
    return headers


def stack_text(error):
    """The traceback with the module's name instead of a machine's path."""
    lines = ["Traceback (most recent call last):"]
    for frame in traceback.extract_tb(error.__traceback__):
        lines.append(f'  File "{os.path.basename(frame.filename)}", line {frame.lineno}, in {frame.name}')
        lines.append(f"    {frame.line}")
    lines.append(f"{type(error).__name__}: {error}")
    return "\n".join(lines) + "\n"


def record(span, error, escaped=False):
    span.record_exception(
        error,
        attributes={
            "exception.type": type(error).__name__,
            "exception.stacktrace": stack_text(error),
            "exception.escaped": str(escaped),
        },
    )


class Shop:
    products = [
        ("AB-1001", "teapot", 34.5),
        ("AB-1002", "crème brûlée torch", 27.95),
        ("ZX-9", "鉄瓶 (iron kettle)", 119.0),
        ("QQ-77", "🫖 cosy", 12.25),
    ]

    def __init__(self, seed, start, batch=16):
        self.random = random.Random(seed)
        self.ids = SeededIds(random.Random(seed + 1))
        self.clock = Clock(start)
        self.requests = []
        self.queue = []
        host = {"host.name": "node-3", "host.arch": "arm64", "os.type": "linux"}
        self.storefront = Service(
            self, "storefront", {"service.version": "3.14.0", "deployment.environment.name": "demo", **host}, batch=batch
        )
        self.carts = [
            Service(self, "cart", {"service.instance.id": f"cart-{n}", "k8s.pod.name": f"cart-7d9f-{n}"}, batch=batch)
            for n in (1, 2)
        ]
        self.pricing = Service(
            self, "pricing", {"service.namespace": "shop", "process.command_args": ["pricing", "--port=9000"]}, batch=batch
        )
        # A machine whose clock is 120 ms behind: its spans seem to begin before those that called them.
        self.inventory = Service(self, "inventory", host, schema=OLD_SCHEMA, skew=-120 * MILLISECOND, batch=batch)
        self.payments = Service(self, "payments", {"service.version": "2.0.0-rc.1"}, batch=batch)
        self.shipping = Service(self, "shipping", {"cloud.region": "eu-central-1"}, schema="", batch=batch)
        self.search = Service(self, "поиск", {"service.version": "0.9"}, limits=SpanLimits(8, 3, 2), batch=batch)
        self.assistant = Service(self, "assistant", {"gpu.count": 2, "gpu.shared": False, "gpu.load": 0.75}, batch=batch)

    def pause(self, low, high):
        self.clock.work(self.random.randint(low, high))

    # Every handler below is what the service of that name does with a request.

    def http_call(self, caller, tracer, method, host, route, headers_to):
        with caller.span(
            tracer, method, SpanKind.CLIENT,
            attributes={"http.request.method": method, "server.address": host, "url.full": f"http://{host}{route}"},
        ) as span:
            self.pause(80 * MICROSECOND, 400 * MICROSECOND)
            status, answer = headers_to(headers_of_current_span())
            self.pause(80 * MICROSECOND, 400 * MICROSECOND)
            span.set_attribute("http.response.status_code", status)
            if status >= 400:
                span.set_attribute("error.type", str(status))
                span.set_status(Status(StatusCode.ERROR))
            return status, answer

    def browse(self):
        product = self.random.choice(self.products)
        tracer = self.storefront.tracer("shop.http", "1.2.0", HTTP_SCHEMA, {"shop.team": "front", "shop.tier": 1})
        vendor = {"tracestate": "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"} if self.random.random() < 0.3 else {}
        browser = {
            "traceparent": f"00-{self.ids.generate_trace_id():032x}-{self.ids.generate_span_id():016x}-01",
            **vendor,
        }
        with self.storefront.span(tracer, "GET /products/{sku}", SpanKind.SERVER, headers=browser) as span:
            span.set_attributes({
                "http.request.method": "GET",
                "http.route": "/products/{sku}",
                "url.path": f"/products/{product[0]}",
                "user_agent.original": "Mozilla/5.0 (X11; Linux aarch64) Gecko/20100101 Firefox/133.0",
                "client.address": f"203.0.113.{self.random.randint(1, 254)}",
            })
            self.pause(MILLISECOND, 3 * MILLISECOND)
            self.http_call(
                self.storefront, tracer, "GET", "pricing", "/quote",
                lambda headers: self.quote(headers, [product]))
            with self.storefront.span(tracer, "render product.html") as render:
                render.set_attribute("template.blocks", ["header", "gallery", "", "footer"])
                render.set_attribute("template.cached", [True, False, True])
                self.pause(MILLISECOND, 4 * MILLISECOND)
            span.set_attribute("http.response.status_code", 200)

    def look_for(self, text):
        tracer = self.search.tracer("shop.search")
        with self.search.span(tracer, "найти товары", SpanKind.SERVER, headers={}) as span:
            # More attributes, events and links than this service's limits allow: the SDK counts what it drops.
            for n in range(12):
                span.set_attribute(f"search.shard.{n}", n * 7)
            for n in range(5):
                span.add_event("shard answered", {"shard": n, "hits": [n, n + 1], "score": 1 / (n + 1)})
                self.pause(100 * MICROSECOND, 900 * MICROSECOND)
            for _ in range(3):
                span.add_link(trace.SpanContext(self.ids.generate_trace_id(), self.ids.generate_span_id(), True))
            span.update_name(f"найти товары: {text}")

    def quote(self, headers, products):
        tracer = self.pricing.tracer("grpc.server", "1.68.0")
        with self.pricing.span(tracer, "shop.Pricing/Quote", SpanKind.SERVER, headers=headers) as span:
            span.set_attributes({"rpc.system": "grpc", "rpc.service": "shop.Pricing", "rpc.method": "Quote"})
            self.pause(200 * MICROSECOND, MILLISECOND)
            prices = [price for _, _, price in products]
            span.set_attribute("pricing.prices", prices)
            span.set_attribute("pricing.skus", [sku for sku, _, _ in products])
            span.set_attribute("pricing.rule", {"name": "winter", "percent": -5.5, "tiers": [1, 10, 100], "stacked": False})
            span.add_event("cache miss", {"cache.key": "winter:" + products[0][0]})
            span.set_attribute("rpc.grpc.status_code", 0)
            return 200, sum(prices)

    def load_cart(self, headers, cart, user):
        tracer = cart.tracer("shop.http", "1.2.0")
        redis = cart.tracer("redis.instrumentation", "5.1.1", OLD_SCHEMA)
        with cart.span(tracer, "GET /cart/{user}", SpanKind.SERVER, headers=headers) as span:
            span.set_attributes({"http.request.method": "GET", "http.route": "/cart/{user}", "enduser.id": user})
            with cart.span(redis, "GET", SpanKind.CLIENT) as query:
                query.set_attributes({"db.system": "redis", "db.query.text": f"GET cart:{user}", "db.redis.database_index": 3})
                query.set_attribute("db.response.checksum", self.random.getrandbits(128).to_bytes(16, "big"))
                self.pause(150 * MICROSECOND, 700 * MICROSECOND)
            span.set_attribute("http.response.status_code", 200)
            return 200, self.random.sample(self.products, 2)

    def reserve(self, headers, products):
        tracer = self.inventory.tracer("shop.inventory", "0.4")
        sql = self.inventory.tracer("psycopg", "3.2.1")
        with self.inventory.span(tracer, "reserve stock", SpanKind.SERVER, headers=headers) as span:
            for sku, name, _ in products:
                with self.inventory.span(sql, "UPDATE stock", SpanKind.CLIENT) as query:
                    query.set_attributes({
                        "db.system": "postgresql",
                        "db.namespace": "shop",
                        "db.query.text": "UPDATE stock SET reserved = reserved + 1\n WHERE sku = $1 AND available > reserved",
                        "db.query.parameter.1": sku,
                        "product.name": name,
                        "db.response.returned_rows": 1,
                    })
                    self.pause(500 * MICROSECOND, 6 * MILLISECOND)
            span.set_status(Status(StatusCode.OK))
            return 200, None

    def charge(self, headers, amount):
        tracer = self.payments.tracer("shop.payments", "2.0.0")
        with self.payments.span(tracer, "charge card", SpanKind.SERVER, headers=headers) as span:
            span.set_attributes({"payment.amount": amount, "payment.currency": "EUR", "payment.attempt": 1})
            self.pause(8 * MILLISECOND, 60 * MILLISECOND)
            try:
                if self.random.random() < 0.3:
                    raise CardDeclined("issuer says no: code 51, limit exceeded — “insufficient funds”")
            except CardDeclined as error:
                record(span, error)
                span.set_status(Status(StatusCode.ERROR, str(error)))
                return 503, None
            return 200, f"pay-{self.random.getrandbits(40):010x}"

    def publish_order(self, order):
        tracer = self.storefront.tracer("kafka.producer", "2.2")
        with self.storefront.span(tracer, "orders publish", SpanKind.PRODUCER) as span:
            span.set_attributes({
                "messaging.system": "kafka",
                "messaging.destination.name": "orders",
                "messaging.kafka.message.offset": 9_007_199_254_740_993 + len(self.queue),
            })
            self.pause(100 * MICROSECOND, 500 * MICROSECOND)
            self.queue.append((order, headers_of_current_span()))

    def ship(self):
        """One consumer span takes every waiting order and links to the spans that published them."""
        orders, self.queue = self.queue, []
        if not orders:
            return
        tracer = self.shipping.tracer("kafka.consumer", "2.2")
        links = []
        for order, headers in orders:
            context = trace.get_current_span(TraceContextTextMapPropagator().extract(headers)).get_span_context()
            links.append(Link(context, {"messaging.kafka.partition": order["number"] % 3}))
        self.pause(SECOND, 3 * SECOND)
        with self.shipping.span(tracer, "orders process", SpanKind.CONSUMER, headers={}, links=links) as span:
            span.set_attribute("messaging.batch.message_count", len(orders))
            for order, _ in orders:
                with self.shipping.span(tracer, "print label") as label:
                    label.set_attribute("order", order)
                    label.add_event("label printed", {"printer.ok": True, "printer.ink": 0.1 + 0.2})
                    self.pause(3 * MILLISECOND, 9 * MILLISECOND)

    def advise(self):
        """A language model's answer: long texts and token counts."""
        tracer = self.assistant.tracer("shop.assistant", "0.1.0")
        with self.assistant.span(tracer, "chat gift-finder", SpanKind.CLIENT, headers={}) as span:
            question = "Which kettle suits someone who drinks sencha every day, and why? " * 6
            answer = "An iron kettle keeps 80 °C for long; rinse it, dry it, never scrub it. ☕️\n" * 18
            span.set_attributes({
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "gift-finder-2",
                "gen_ai.request.temperature": 0.2,
                "gen_ai.usage.input_tokens": 96,
                "gen_ai.usage.output_tokens": 412,
                "gen_ai.response.finish_reasons": ["stop"],
                "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": question}]}],
            })
            self.pause(900 * MILLISECOND, 4 * SECOND)
            span.add_event("gen_ai.choice", {"index": 0, "content": answer})

    def checkout(self, number):
        user = f"user-{self.random.randint(1, 20):03d}"
        tracer = self.storefront.tracer("shop.http", "1.2.0", HTTP_SCHEMA, {"shop.team": "front", "shop.tier": 1})
        with self.storefront.span(tracer, "POST /checkout", SpanKind.SERVER, headers={}) as span:
            span.set_attributes({"http.request.method": "POST", "http.route": "/checkout", "enduser.id": user})
            self.pause(500 * MICROSECOND, 2 * MILLISECOND)
            cart = self.random.choice(self.carts)
            _, products = self.http_call(
                self.storefront, tracer, "GET", "cart", f"/cart/{user}",
                lambda headers: self.load_cart(headers, cart, user))
            _, amount = self.http_call(
                self.storefront, tracer, "POST", "pricing", "/quote", lambda headers: self.quote(headers, products))
            self.http_call(
                self.storefront, tracer, "POST", "inventory", "/reserve",
                lambda headers: self.reserve(headers, products))
            status, payment = self.http_call(
                self.storefront, tracer, "POST", "payments", "/charge", lambda headers: self.charge(headers, amount))
            if status == 200:
                self.publish_order({"number": number, "payment": payment, "gift": number % 2 == 0, "note": None})
            else:
                span.set_status(Status(StatusCode.ERROR, "payment failed"))
                span.add_event("checkout abandoned", {"cart.total": amount})
            span.set_attribute("http.response.status_code", status)

    def run(self, visits):
        for number in range(visits):
            self.browse()
            self.pause(200 * MILLISECOND, 2 * SECOND)
            if number % 2 == 0:
                self.checkout(number)
                self.pause(100 * MILLISECOND, SECOND)
            if number % 4 == 1:
                self.look_for(("чайник", "čaj", "茶")[number % 3])
                self.ship()
            if number % 5 == 2:
                self.advise()
        self.ship()
        services = [self.storefront, *self.carts, self.pricing, self.inventory, self.payments]
        for service in [*services, self.shipping, self.search, self.assistant]:
            service.outbox.flush()
        return self.requests


def shop_requests(seed, start, visits, batch=16):
    shop = Shop(seed, start, batch)
    # The SDK has no clock to inject; it reads this name.
    sdk_trace.time_ns = shop.clock.read
    return shop.run(visits)


def main(directory):
    # One service runs into its span limits on purpose.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)

    def write(name, content):
        with open(os.path.join(directory, name), "wb") as file:
            file.write(content)

    def payloads(requests):
        return [request.SerializeToString(deterministic=True) for request in requests]

    hour = 3600 * SECOND
    write("shop-morning.otlp", otlp_files.framed(payloads(shop_requests(11, MORNING, 14))))
    noon = otlp_files.framed(payloads(shop_requests(12, MORNING + 4 * hour, 12)))
    write("shop-noon.otlp.gz", otlp_files.gzipped(noon))
    evening = otlp_files.json_lines(shop_requests(13, MORNING + 11 * hour, 12))
    write("shop-evening.jsonl.zst", otlp_files.zstd_compressed(evening))

    small = shop_requests(14, MORNING + 2 * hour, 2, batch=8)
    write("shop-small.jsonl", otlp_files.json_lines(small))
    write("shop-small.varint.otlp", otlp_files.varint_delimited(payloads(small)))
    whole = type(small[0])()
    for request in small:
        whole.MergeFrom(request)
    write("shop-small.single.otlp", whole.SerializeToString(deterministic=True))
    write("shop-small.json", otlp_files.as_json(whole).encode())


if __name__ == "__main__":
    main(sys.argv[1])
