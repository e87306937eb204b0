import Synchronization

/// What a text has to be, as UTF-8.
package enum TextTest: Sendable {
  /// One of these; none passes when there are none. What can be looked up in dictionaries and filters.
  case list(TextList)
  case notEmpty
  case all
  case condition(TextCondition)

  package static func oneOf(_ texts: [[UInt8]]) -> TextTest { .list(TextList(texts)) }
  package static func equal(_ bytes: [UInt8]) -> TextTest { .oneOf([bytes]) }
  package static let none = TextTest.oneOf([])

  package var isNone: Bool {
    if case .list(let list) = self { list.isEmpty } else { false }
  }

  /// The texts that pass, when they are few enough to be named.
  package var list: TextList? {
    if case .list(let list) = self { list } else { nil }
  }

  /// A name under which an answer may be remembered: equal names, equal answers. It spells bytes, because equal
  /// `String`s may have different ones.
  package var name: String {
    switch self {
    case .list(let list): list.name
    case .notEmpty: "not empty"
    case .all: "all"
    case .condition(let condition): condition.name
    }
  }

  /// A function that decides texts; for one thread.
  package func makeDecision() -> (UnsafeRawBufferPointer) -> Bool {
    switch self {
    case .list(let list): return { list.contains($0) }
    case .notEmpty: return { !$0.isEmpty }
    case .all: return { _ in true }
    case .condition(let condition): return condition.makeDecision()
    }
  }

  /// One text. Many are cheaper with a decision.
  package func matches(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { matches(UnsafeRawBufferPointer($0)) }
  }

  package func matches(_ text: UnsafeRawBufferPointer) -> Bool {
    switch self {
    case .list(let list): list.contains(text)
    case .notEmpty: !text.isEmpty
    case .all: true
    case .condition(let condition): condition.matches(text)
    }
  }
}

/// A condition on a text that is more than a list: a pattern, or a place in the order of bytes.
package final class TextCondition: Sendable {
  /// A decision that one caller at a time borrows.
  private struct Decision: @unchecked Sendable {
    let decide: (UnsafeRawBufferPointer) -> Bool
  }

  /// Says all that decides the answer.
  package let name: String
  private let make: @Sendable () -> (UnsafeRawBufferPointer) -> Bool
  private let idle = Mutex<[Decision]>([])

  /// - Parameter make: gives a function that decides texts, for one thread; it may keep what it learns.
  package init(_ name: String, _ make: @escaping @Sendable () -> (UnsafeRawBufferPointer) -> Bool) {
    self.name = name
    self.make = make
  }

  package func makeDecision() -> (UnsafeRawBufferPointer) -> Bool { make() }

  package func matches(_ text: UnsafeRawBufferPointer) -> Bool {
    let decision = idle.withLock { $0.popLast() } ?? Decision(decide: make())
    defer { idle.withLock { $0.append(decision) } }
    return decision.decide(text)
  }
}
