import TraceModel
import TraceText

/// Writes v1 traces as Jaeger's UI JSON.
struct JaegerJSONEncoding {
  var writer = JSONWriter()

  private mutating func object(_ body: (inout JaegerJSONEncoding) -> Void) {
    writer.beginObject()
    body(&self)
    writer.endObject()
  }

  private mutating func list<Element>(
    _ key: String, _ elements: [Element], _ body: (inout JaegerJSONEncoding, Element) -> Void
  ) {
    writer.key(key)
    writer.beginArray()
    for element in elements { body(&self, element) }
    writer.endArray()
  }

  private mutating func field(_ key: String, _ text: String) {
    writer.key(key)
    writer.string(text)
  }

  private mutating func field(_ key: String, number: some FixedWidthInteger) {
    writer.key(key)
    writer.literal(String(number))
  }

  mutating func document(_ traces: [V1Trace]) {
    object { $0.list("data", traces) { $0.trace($1) } }
  }

  /// Processes are called p1, p2, … in the order in which the spans name them.
  mutating func trace(_ trace: V1Trace) {
    var numbers: [V1Process: Int] = [:]
    var processes: [V1Process] = []
    object {
      $0.field("traceID", trace.traceID.map(Self.text) ?? "")
      $0.list("spans", trace.spans) { encoder, span in
        let number = numbers[span.process] ?? processes.count + 1
        if number > processes.count {
          numbers[span.process] = number
          processes.append(span.process)
        }
        encoder.span(span, processID: "p\(number)")
      }
      $0.writer.key("processes")
      $0.object {
        for (index, process) in processes.enumerated() {
          $0.writer.key("p\(index + 1)")
          $0.object {
            $0.field("serviceName", process.serviceName)
            $0.tags("tags", process.tags)
          }
        }
      }
      $0.warnings(trace.warnings)
    }
  }

  private mutating func span(_ span: V1Span, processID: String) {
    object {
      $0.field("traceID", Self.text(span.traceID))
      $0.field("spanID", span.spanID.hex)
      if span.flags != 0 { $0.field("flags", number: span.flags) }
      $0.field("operationName", span.operationName)
      $0.list("references", span.references) { encoder, reference in
        encoder.object {
          $0.field("refType", reference.type.rawValue)
          $0.field("traceID", Self.text(reference.traceID))
          $0.field("spanID", reference.spanID.hex)
        }
      }
      $0.field("startTime", number: span.startTime.nanoseconds / 1000)
      $0.field("duration", number: max(0, span.durationNanoseconds) / 1000)
      $0.tags("tags", span.tags)
      $0.list("logs", span.logs) { encoder, log in
        encoder.object {
          $0.field("timestamp", number: log.timestamp.nanoseconds / 1000)
          $0.tags("fields", log.fields)
        }
      }
      $0.field("processID", processID)
      $0.warnings(span.warnings)
    }
  }

  /// Null when there are none, unlike every other list.
  private mutating func warnings(_ warnings: [String]) {
    guard !warnings.isEmpty else {
      writer.key("warnings")
      writer.literal("null")
      return
    }
    list("warnings", warnings) { $0.writer.string($1) }
  }

  private mutating func tags(_ key: String, _ tags: [V1Tag]) {
    list(key, tags) { encoder, tag in
      encoder.object {
        $0.field("key", tag.key)
        $0.field("type", tag.value.typeName)
        $0.writer.key("value")
        $0.value(tag.value)
      }
    }
  }

  /// The greatest whole number that JavaScript tells from its neighbours.
  private static let maximumExactInteger: UInt64 = 1 << 53 - 1

  private mutating func value(_ value: V1Value) {
    switch value {
    case .string(let text), .unknown(_, let text): writer.string(text)
    case .bool(let value): writer.bool(value)
    case .int64(let value):
      let text = String(value)
      if value.magnitude > Self.maximumExactInteger { writer.string(text) } else { writer.literal(text) }
    case .float64(let value):
      let text = AttributeValue.double(value).text
      if value.isFinite { writer.literal(text) } else { writer.string(text) }
    case .binary(let bytes): writer.string(Base64.text(bytes))
    }
  }

  /// 16 digits when the upper half is zero.
  private static func text(_ traceID: TraceID) -> String {
    traceID.high == 0 ? SpanID(traceID.low).hex : traceID.hex
  }
}
