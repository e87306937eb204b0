import TraceModel

/// What a span does; decides its kind, its scope and which attributes it carries.
enum OperationClass: Int {
  case httpServer, httpClient, rpcServer, rpcClient, database, `internal`, producer, consumer

  var kind: SpanKind {
    switch self {
    case .httpServer, .rpcServer: .server
    case .httpClient, .rpcClient, .database: .client
    case .internal: .internal
    case .producer: .producer
    case .consumer: .consumer
    }
  }

  /// The position in `RealisticWorld.scopes`.
  var scope: UInt8 {
    switch self {
    case .httpServer: 0
    case .httpClient: 1
    case .rpcServer, .rpcClient: 2
    case .database: 3
    case .internal: 4
    case .producer, .consumer: 5
    }
  }

  /// Median self time, the middle of the operations of this class.
  var medianNanoseconds: Double {
    switch self {
    case .httpServer: 1.5e6
    case .httpClient: 2e5
    case .rpcServer: 8e5
    case .rpcClient: 1.2e5
    case .database: 1.8e6
    case .internal: 4e5
    case .producer: 6e5
    case .consumer: 2e6
    }
  }

  /// True for operations that call others.
  var isEntry: Bool { self == .httpServer || self == .rpcServer || self == .consumer }
}

/// One operation of one service, with everything about its spans that never changes.
struct RealisticOperation {
  var operationClass: OperationClass
  var service: Int
  /// The service on the other side; itself for everything but clients.
  var peer: Int
  var name: String
  /// Parameters of the log-normal self time in nanoseconds.
  var mu = 0.0
  var sigma = 0.0
  /// The attributes that come first.
  var lead: [Attribute]
  /// `url.path` or `url.full`: fixed, or around the trace's entity number.
  var location: Location?
  /// Method and route of an HTTP server operation, for its clients.
  var method = ""
  var route = ""

  enum Location {
    case fixed(Attribute)
    case aroundEntity(key: String, prefix: String, suffix: String)

    init(key: String, text: String) {
      let bytes = Array(text.utf8)
      let placeholder = Array("{id}".utf8)
      let place = bytes.indices.first { bytes[$0...].starts(with: placeholder) }
      if let place {
        self = .aroundEntity(
          key: key, prefix: String(decoding: bytes[..<place], as: UTF8.self),
          suffix: String(decoding: bytes[(place + placeholder.count)...], as: UTF8.self))
      } else {
        self = .fixed(Attribute(key, .string(text)))
      }
    }
  }
}
