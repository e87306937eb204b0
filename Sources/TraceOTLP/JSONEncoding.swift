import TraceBytes
import TraceModel
import TraceText

/// Writes model values as OTLP/JSON.
struct JSONEncoding {
  var writer = JSONWriter()

  private mutating func object(_ body: (inout JSONEncoding) -> Void) {
    writer.beginObject()
    body(&self)
    writer.endObject()
  }

  private mutating func list<Element>(
    _ key: String, _ elements: [Element], _ body: (inout JSONEncoding, Element) -> Void
  ) {
    guard !elements.isEmpty else { return }
    presentList(key, elements, body)
  }

  private mutating func presentList<Element>(
    _ key: String, _ elements: [Element], _ body: (inout JSONEncoding, Element) -> Void
  ) {
    writer.key(key)
    writer.beginArray()
    for element in elements { body(&self, element) }
    writer.endArray()
  }

  private mutating func field(_ key: String, _ text: String) {
    guard !text.utf8.isEmpty else { return }
    writer.key(key)
    writer.string(text)
  }

  private mutating func field(_ key: String, number value: some FixedWidthInteger) {
    guard value != 0 else { return }
    writer.key(key)
    writer.literal(String(value))
  }

  private mutating func field(_ key: String, _ time: Timestamp) {
    guard time != .zero else { return }
    writer.key(key)
    writer.string(String(time.nanoseconds))
  }

  mutating func data(_ data: TraceData) {
    object {
      $0.presentList("resourceSpans", data.resourceSpans) { encoder, group in
        encoder.object {
          $0.resource(group.resource)
          $0.list("scopeSpans", group.scopeSpans) { encoder, scoped in
            encoder.object {
              $0.scope(scoped.scope)
              $0.list("spans", scoped.spans) { $0.span($1) }
              $0.field("schemaUrl", scoped.scope.schemaURL)
            }
          }
          $0.field("schemaUrl", group.resource.schemaURL)
        }
      }
    }
  }

  private mutating func resource(_ resource: Resource) {
    writer.key("resource")
    object {
      $0.attributes(resource.attributes)
      $0.field("droppedAttributesCount", number: resource.droppedAttributeCount)
      $0.list("entityRefs", resource.entityReferences) { $0.entityReference($1) }
    }
  }

  private mutating func entityReference(_ bytes: [UInt8]) {
    let reference = EntityReference(bytes)
    object {
      $0.field("schemaUrl", reference.schemaURL)
      $0.field("type", reference.type)
      $0.list("idKeys", reference.idKeys) { $0.writer.string($1) }
      $0.list("descriptionKeys", reference.descriptionKeys) { $0.writer.string($1) }
    }
  }

  private mutating func scope(_ scope: InstrumentationScope) {
    writer.key("scope")
    object {
      $0.field("name", scope.name)
      $0.field("version", scope.version)
      $0.attributes(scope.attributes)
      $0.field("droppedAttributesCount", number: scope.droppedAttributeCount)
    }
  }

  private mutating func span(_ span: SpanRecord) {
    object {
      $0.field("traceId", span.traceID.hex)
      $0.field("spanId", span.spanID.hex)
      $0.field("traceState", span.traceState)
      $0.field("parentSpanId", span.parentSpanID?.hex ?? "")
      $0.field("name", span.name)
      $0.field("kind", number: span.kind.rawValue)
      $0.field("startTimeUnixNano", span.start)
      $0.field("endTimeUnixNano", span.end)
      $0.attributes(span.attributes)
      $0.field("droppedAttributesCount", number: span.droppedAttributeCount)
      $0.list("events", span.events) { $0.event($1) }
      $0.field("droppedEventsCount", number: span.droppedEventCount)
      $0.list("links", span.links) { $0.link($1) }
      $0.field("droppedLinksCount", number: span.droppedLinkCount)
      if let status = span.status {
        $0.writer.key("status")
        $0.object {
          $0.field("message", status.message)
          $0.field("code", number: status.code.rawValue)
        }
      }
      $0.field("flags", number: span.flags)
    }
  }

  private mutating func event(_ event: SpanEvent) {
    object {
      $0.field("timeUnixNano", event.time)
      $0.field("name", event.name)
      $0.attributes(event.attributes)
      $0.field("droppedAttributesCount", number: event.droppedAttributeCount)
    }
  }

  private mutating func link(_ link: SpanLink) {
    object {
      $0.field("traceId", link.traceID?.hex ?? "")
      $0.field("spanId", link.spanID?.hex ?? "")
      $0.field("traceState", link.traceState)
      $0.attributes(link.attributes)
      $0.field("droppedAttributesCount", number: link.droppedAttributeCount)
      $0.field("flags", number: link.flags)
    }
  }

  private mutating func attributes(_ attributes: [Attribute]) {
    list("attributes", attributes) { $0.attribute($1) }
  }

  private mutating func attribute(_ attribute: Attribute) {
    object {
      $0.field("key", attribute.key)
      if case .absent = attribute.value { return }
      $0.writer.key("value")
      $0.value(attribute.value)
    }
  }

  private mutating func value(_ value: AttributeValue) {
    object {
      switch value {
      case .absent, .empty, .opaque: break
      case .string(let text):
        $0.writer.key("stringValue")
        $0.writer.string(text)
      case .bool(let value):
        $0.writer.key("boolValue")
        $0.writer.bool(value)
      case .int(let value):
        $0.writer.key("intValue")
        $0.writer.string(String(value))
      case .double(let value):
        $0.writer.key("doubleValue")
        if value.isFinite {
          $0.writer.literal(value.description)
        } else {
          $0.writer.string(value.isNaN ? "NaN" : value > 0 ? "Infinity" : "-Infinity")
        }
      case .bytes(let bytes):
        $0.writer.key("bytesValue")
        $0.writer.string(Base64.text(bytes))
      case .array(let elements):
        $0.writer.key("arrayValue")
        $0.object { $0.presentList("values", elements) { $0.value($1) } }
      case .map(let entries):
        $0.writer.key("kvlistValue")
        $0.object { $0.presentList("values", entries) { $0.attribute($1) } }
      }
    }
  }
}

/// OTLP's `EntityRef`, which the model keeps as bytes.
struct EntityReference {
  var schemaURL = ""
  var type = ""
  var idKeys: [String] = []
  var descriptionKeys: [String] = []

  init() {}

  /// Reads what can be read; the bytes were checked when they came in.
  init(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { buffer in
      var reader = WireReader(buffer)
      do throws(WireFault) {
        while !reader.isAtEnd {
          let head = try reader.head()
          switch head {
          case 10: schemaURL = try reader.string()
          case 18: type = try reader.string()
          case 26: idKeys.append(try reader.string())
          case 34: descriptionKeys.append(try reader.string())
          default: try reader.skip(head)
          }
        }
      } catch {
        return
      }
    }
  }

  /// The canonical protobuf bytes.
  var bytes: [UInt8] {
    var writer = ReverseWriter()
    for key in descriptionKeys.reversed() { writer.presentField(34, text: key) }
    for key in idKeys.reversed() { writer.presentField(26, text: key) }
    writer.field(18, text: type)
    writer.field(10, text: schemaURL)
    return writer.bytes
  }
}
