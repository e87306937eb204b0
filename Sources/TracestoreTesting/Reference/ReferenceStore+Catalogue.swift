import Synchronization
import TraceModel
public import TracestoreV2

extension ReferenceStore {
  public func getServices() async throws -> ResultList<String> {
    let names = Set(views.map { Array($0.resource.serviceName.utf8) })
    return ResultList(
      names.filter { !$0.isEmpty }.sorted { $0.lexicographicallyPrecedes($1) }
        .map { String(decoding: $0, as: UTF8.self) })
  }

  public func getOperations(_ query: OperationQuery) async throws -> ResultList<Operation> {
    let operations = views.filter {
      $0.resource.serviceName.utf8.elementsEqual(query.serviceName.utf8)
        && (query.spanKind == nil || $0.span.kind == query.spanKind)
    }.map { Operation(name: $0.span.name, spanKind: $0.span.kind) }
    return ResultList(
      Set(operations).sorted {
        $0.name.utf8.elementsEqual($1.name.utf8)
          ? $0.spanKind.rawValue < $1.spanKind.rawValue : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
      })
  }

  public func getAttributeKeys(_ query: AttributeKeyQuery) async throws -> ResultList<AttributeKeyInfo> {
    var counts: [ContentKey: AttributeKeyInfo] = [:]
    forEachAttribute(query.serviceName, query.startMinimum, query.startMaximum) { level, attribute in
      guard query.level == nil || query.level == level else { return }
      let type = AttributeType(of: attribute.value)
      let key = ContentKey {
        $0.add(attribute.key)
        $0.add(level.rawValue)
        $0.add(type.rawValue)
      }
      counts[key, default: AttributeKeyInfo(key: attribute.key, level: level, type: type)].count += 1
    }
    return ResultList(
      counts.values.sorted {
        if !$0.key.utf8.elementsEqual($1.key.utf8) { return $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        return $0.level != $1.level ? $0.level < $1.level : $0.type < $1.type
      })
  }

  public func getAttributeValues(_ query: AttributeValueQuery) async throws -> ResultStream<AttributeValueInfo> {
    guard query.limit >= 1 else {
      throw TracestoreError(.invalidArgument, "The limit is \(query.limit); it must be at least 1.")
    }
    var counts: [ContentKey: AttributeValueInfo] = [:]
    forEachAttribute(query.serviceName, query.startMinimum, query.startMaximum) { level, attribute in
      guard query.level == nil || query.level == level, attribute.key.utf8.elementsEqual(query.key.utf8),
        query.prefix.isEmpty
          || AttributeText.text(of: attribute.value)?.utf8.starts(with: query.prefix.utf8) == true
      else { return }
      let key = ContentKey { $0.add(attribute.value) }
      counts[key, default: AttributeValueInfo(value: attribute.value, count: 0)].count += 1
    }
    let sorted = counts.values.map { (info: $0, order: Self.order($0.value)) }
      .sorted {
        $0.info.count != $1.info.count ? $0.info.count > $1.info.count : $0.order.lexicographicallyPrecedes($1.order)
      }.map(\.info)
    return ResultStream(
      Array(sorted.prefix(query.limit)), summary: ResultSummary(isTruncated: sorted.count > query.limit))
  }

  /// By text; values with one text by their type, then by their content.
  private static func order(_ value: AttributeValue) -> [UInt8] {
    Array((AttributeText.text(of: value) ?? "").utf8) + [0] + Array(AttributeType(of: value).rawValue.utf8) + [0]
      + ContentKey { $0.add(value) }.bytes
  }

  /// Span, event and link attributes once for each span; resource and scope attributes once for each distinct one.
  private func forEachAttribute(
    _ serviceName: String, _ startMinimum: Timestamp?, _ startMaximum: Timestamp?,
    _ body: (AttributeLevel, Attribute) -> Void
  ) {
    var seen: Set<ContentKey> = []
    for record in views {
      guard serviceName.isEmpty || record.resource.serviceName.utf8.elementsEqual(serviceName.utf8),
        record.span.start >= startMinimum ?? .zero, record.span.start <= startMaximum ?? .maximum
      else { continue }
      let isNewResource = seen.insert(
        ContentKey {
          $0.bytes.append(0)
          $0.add(record.resource)
        }
      ).inserted
      let isNewScope = seen.insert(
        ContentKey {
          $0.bytes.append(1)
          $0.add(record.scope)
        }
      ).inserted
      let levels: [(AttributeLevel, [Attribute])] = [
        (.resource, isNewResource ? record.resource.attributes : []),
        (.scope, isNewScope ? record.scope.attributes : []),
        (.span, record.span.attributes),
        (.event, record.span.events.flatMap(\.attributes)),
        (.link, record.span.links.flatMap(\.attributes)),
      ]
      for (level, attributes) in levels {
        for attribute in attributes { body(level, attribute) }
      }
    }
  }
}
