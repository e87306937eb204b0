#if Tracing
  import TraceModel
  import TraceRecorder
  public import Tracing

  /// A span of `StoreTracer`.
  ///
  /// Errors that `recordError` is given become events by OpenTelemetry's conventions; they do not change the status.
  public struct TracedSpan: Tracing.Span {
    public let context: ServiceContext
    /// Nil when the span is not sampled, or when too many are open.
    let live: LiveSpan?

    /// Whether the span is sampled and has not ended: only then anything is kept.
    public var isRecording: Bool { live?.isOpen ?? false }

    public var operationName: String {
      get { live?.record.name ?? "" }
      nonmutating set { live?.setName(newValue) }
    }

    public var attributes: SpanAttributes {
      get { live.map { SpanAttributes(modelAttributes: $0.attributes) } ?? [:] }
      nonmutating set { live?.setAttributes(newValue.modelAttributes) }
    }

    public func setStatus(_ status: Tracing.SpanStatus) {
      live?.setStatus(status.code == .ok ? .ok : .error, message: status.message ?? "")
    }

    public func addEvent(_ event: Tracing.SpanEvent) {
      live?.addEvent(
        event.name, attributes: event.attributes.modelAttributes,
        at: Timestamp(nanoseconds: event.nanosecondsSinceEpoch))
    }

    public func recordError<Instant: TracerInstant>(
      _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
    ) {
      guard let live else { return }
      var all: SpanAttributes = [
        "exception.type": .string(String(reflecting: type(of: error))), "exception.message": .string("\(error)"),
      ]
      all.merge(attributes)
      live.addEvent(
        "exception", attributes: all.modelAttributes, at: Timestamp(nanoseconds: instant().nanosecondsSinceEpoch))
    }

    /// A link to a context without a span says nothing and is left out.
    public func addLink(_ link: Tracing.SpanLink) {
      guard let live, let target = link.context.traceParent else { return }
      live.addLink(
        TraceModel.SpanLink(
          traceID: target.traceID, spanID: target.spanID, traceState: target.traceState,
          attributes: link.attributes.modelAttributes, flags: target.modelFlags))
    }

    public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
      live?.finish(at: Timestamp(nanoseconds: instant().nanosecondsSinceEpoch))
    }
  }

  extension TraceParent {
    /// OTLP's flags: the W3C flags, and whether the span is of another program.
    var modelFlags: UInt32 { UInt32(flags) | 0x100 | (isRemote ? 0x200 : 0) }
  }

  extension SpanAttributes {
    /// Ascending by key: the order of a dictionary is nobody's.
    var modelAttributes: [Attribute] {
      var result: [Attribute] = []
      result.reserveCapacity(count)
      forEach { key, value in result.append(Attribute(key, AttributeValue(value))) }
      return result.sorted { $0.key < $1.key }
    }

    init(modelAttributes: [Attribute]) {
      self.init(Dictionary(modelAttributes.map { ($0.key, SpanAttribute($0.value)) }) { _, last in last })
    }
  }

  extension AttributeValue {
    init(_ value: SpanAttribute) {
      switch value {
      case .int32(let value): self = .int(Int64(value))
      case .int64(let value): self = .int(value)
      case .int32Array(let values): self = .array(values.map { .int(Int64($0)) })
      case .int64Array(let values): self = .array(values.map { .int($0) })
      case .double(let value): self = .double(value)
      case .doubleArray(let values): self = .array(values.map { .double($0) })
      case .bool(let value): self = .bool(value)
      case .boolArray(let values): self = .array(values.map { .bool($0) })
      case .string(let value): self = .string(value)
      case .stringArray(let values): self = .array(values.map { .string($0) })
      case .stringConvertible(let value): self = AttributeValue(convertible: value)
      case .stringConvertibleArray(let values): self = .array(values.map { AttributeValue(convertible: $0) })
      default: self = .string("\(value)")
      }
    }

    /// The library hands over an `[Int]` that was set by a subscript as values that are convertible to text.
    private init(convertible value: any CustomStringConvertible & Sendable) {
      switch value {
      case let value as Int: self = .int(Int64(value))
      case let value as Int32: self = .int(Int64(value))
      case let value as Int64: self = .int(value)
      case let value as Double: self = .double(value)
      case let value as Bool: self = .bool(value)
      default: self = .string(value.description)
      }
    }
  }

  extension SpanAttribute {
    /// Values that came from a `SpanAttribute` come back as one, texts for what was only convertible to text.
    init(_ value: AttributeValue) {
      switch value {
      case .int(let value): self = .int64(value)
      case .double(let value): self = .double(value)
      case .bool(let value): self = .bool(value)
      case .string(let value): self = .string(value)
      case .array(let values): self = SpanAttribute(values)
      case .absent, .empty, .bytes, .map, .opaque: self = .string(value.text)
      }
    }

    private init(_ values: [AttributeValue]) {
      func all<Element>(_ element: (AttributeValue) -> Element?) -> [Element]? {
        let found = values.compactMap(element)
        return found.count == values.count ? found : nil
      }
      if let ints = all({ if case .int(let value) = $0 { value } else { nil } }) {
        self = .int64Array(ints)
      } else if let doubles = all({ if case .double(let value) = $0 { value } else { nil } }) {
        self = .doubleArray(doubles)
      } else if let bools = all({ if case .bool(let value) = $0 { value } else { nil } }) {
        self = .boolArray(bools)
      } else {
        self = .stringArray(values.map { if case .string(let value) = $0 { value } else { $0.text } })
      }
    }
  }
#endif
