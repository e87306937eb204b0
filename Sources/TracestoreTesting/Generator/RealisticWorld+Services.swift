import TraceModel

extension RealisticWorld {
  /// The services with two to six instances each, every instance a resource.
  mutating func makeServices(_ random: inout TrafficRandom) {
    typealias Words = RealisticVocabulary
    var total = 0.0
    let languageWeights = Words.languages.map { language in
      total += language.weight
      return total
    }
    let nodes = (0..<24).map { _ in
      "ip-10-\(random.below(4))-\(random.below(255))-\(random.below(255)).eu-central-1.compute.internal"
    }
    for (layer, group) in Words.layers.enumerated() {
      for name in group.services {
        var service = Service(name: name, layer: layer, language: random.weightedIndex(languageWeights))
        let replicaSet = Self.letters(9, &random)
        let version = "\(random.integer(in: 1..<9)).\(random.below(40)).\(random.below(20))"
        for _ in 0..<random.integer(in: 2..<Self.maximumInstanceCount + 1) {
          service.instances.append(resources.count)
          let address =
            "10.\(random.integer(in: 64..<96)).\(random.below(255)).\(random.integer(in: 1..<255))"
          podAddresses.append(Attribute("network.peer.address", .string(address)))
          let pod = Pod(
            name: "\(name)-\(replicaSet)-\(Self.letters(5, &random))", replicaSet: "\(name)-\(replicaSet)",
            address: address, node: random.pick(nodes))
          resources.append(
            Self.resource(service, pod, namespace: group.namespace, version: version, &random))
        }
        services.append(service)
      }
    }
  }

  private struct Pod {
    let name: String
    let replicaSet: String
    let address: String
    let node: String
  }

  private static func letters(_ count: Int, _ random: inout TrafficRandom) -> String {
    String(decoding: (0..<count).map { _ in random.pick(RealisticVocabulary.podLetters) }, as: UTF8.self)
  }

  private static func resource(
    _ service: Service, _ pod: Pod, namespace: String, version: String, _ random: inout TrafficRandom
  ) -> Resource {
    let language = RealisticVocabulary.languages[service.language]
    var attributes: [Attribute] = []
    func add(_ key: String, _ text: String) { attributes.append(Attribute(key, .string(text))) }
    add("service.name", service.name)
    add("service.namespace", namespace)
    add("service.version", version)
    add("service.instance.id", TrafficText.uuid(random.next(), random.next()))
    add("deployment.environment.name", "production")
    add("telemetry.sdk.name", "opentelemetry")
    add("telemetry.sdk.language", language.name)
    add("telemetry.sdk.version", language.sdkVersion)
    attributes.append(Attribute("process.pid", .int(Int64(random.integer(in: 1..<60)))))
    add("process.runtime.name", language.runtime)
    add("process.runtime.version", language.runtimeVersion)
    add("host.name", pod.name)
    add("host.arch", "amd64")
    add("os.type", "linux")
    add("k8s.cluster.name", "prod-eu-central-1-blue")
    add("k8s.namespace.name", namespace)
    add("k8s.deployment.name", service.name)
    add("k8s.replicaset.name", pod.replicaSet)
    add("k8s.pod.name", pod.name)
    add("k8s.pod.uid", TrafficText.uuid(random.next(), random.next()))
    add("k8s.pod.ip", pod.address)
    add("k8s.node.name", pod.node)
    add("k8s.container.name", service.name)
    add("container.id", TrafficText.hex(random.next(), random.next(), random.next(), random.next()))
    add("container.image.name", "123456789012.dkr.ecr.eu-central-1.amazonaws.com/\(namespace)/\(service.name)")
    add("container.image.tag", "\(version)-\(TrafficText.hex(random.next()).prefix(8))")
    add("cloud.provider", "aws")
    add("cloud.region", "eu-central-1")
    add("cloud.availability_zone", "eu-central-1\(random.pick(["a", "b", "c"]))")
    add("cloud.account.id", "123456789012")
    attributes.append(Attribute("k8s.pod.hostnetwork", false))
    return Resource(attributes: attributes, schemaURL: TrafficText.schemaURL)
  }
}
