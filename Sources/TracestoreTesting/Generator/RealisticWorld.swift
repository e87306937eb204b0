import TraceModel

/// One span of a trace template; parents stand before children, siblings side by side.
struct TemplateNode {
  var operation: Int32
  var parent: Int32
  var level: Int32
}

/// The system that realistic traffic comes from: services and their instances, operations, who calls whom, and the
/// templates that traces follow. A function of the seed and of how many operations services have.
struct RealisticWorld {
  struct Service {
    var name: String
    var layer: Int
    var language: Int
    /// Positions in `resources`.
    var instances: [Int] = []
    var servers: [Int] = []
    var databases: [Int] = []
    var internals: [Int] = []
    var producers: [Int] = []
    var consumers: [Int] = []
  }

  /// What an operation does while it runs.
  enum Call {
    case remote(Int)
    case local(Int)
  }

  /// Instances that a service has at most; a placement picks among that many.
  static let maximumInstanceCount = 6

  var services: [Service] = []
  var resources: [Resource] = []
  /// The address of each resource's pod, as `network.peer.address` says it.
  var podAddresses: [Attribute] = []
  let scopes = [
    InstrumentationScope(name: "io.opentelemetry.http-server", version: "2.18.1"),
    InstrumentationScope(name: "io.opentelemetry.http-client", version: "2.18.1"),
    InstrumentationScope(
      name: "go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc", version: "0.63.0"),
    InstrumentationScope(name: "io.opentelemetry.db", version: "2.18.1"),
    InstrumentationScope(name: "app", version: "1.0.0"),
    InstrumentationScope(name: "io.opentelemetry.kafka-clients", version: "2.18.1"),
  ]
  var operations: [RealisticOperation] = []
  var calls: [Int: [Call]] = [:]
  /// Client operations by service and callee.
  var clients: [Int: Int] = [:]
  var templates: [[TemplateNode]] = []
  /// Running sums of how often each template is followed.
  var templateWeights: [Double] = []
  var reconcileRun = 0
  var reconcilePage = 0
  var reconcileQueries: [Int] = []
  var stackTraces: [String] = []

  init(seed: UInt64, operationFactor: Int) {
    var random = TrafficRandom(seed: seed, purpose: 3, index: 0)
    makeServices(&random)
    makeOperations(factor: operationFactor, &random)
    makeCalls(&random)
    makeTemplates(count: 3000 * operationFactor, &random)
    makeReconciliation(&random)
    makeStackTraces(&random)
  }

  /// Which instance of `service` a trace with this placement meets.
  func instance(of service: Int, placement: UInt64) -> Int {
    let word = TrafficRandom.mix(placement &+ UInt64(service) &* TrafficRandom.gamma)
    let choice = Int(word.multipliedFullWidth(by: UInt64(Self.maximumInstanceCount)).high)
    let instances = services[service].instances
    return instances[choice % instances.count]
  }

  private mutating func makeStackTraces(_ random: inout TrafficRandom) {
    typealias Words = RealisticVocabulary
    for index in 0..<40 {
      let frames = (0..<random.integer(in: 8..<30)).map { _ in
        let package = random.pick(Words.nouns)
        let type = random.pick(Words.verbs) + TrafficText.capitalized(random.pick(Words.nouns))
        let function = random.pick(Words.verbs).lowercased()
        return
          "\tat com.shop.\(package).\(type).\(function)(\(random.pick(Words.verbs)).java:\(random.integer(in: 10..<900)))"
      }
      let failure = Words.failures[index % Words.failures.count]
      stackTraces.append("\(failure.type): failure\n\(frames.joined(separator: "\n"))")
    }
  }
}
