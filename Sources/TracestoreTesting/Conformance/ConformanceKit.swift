public import TracestoreV2

/// Checks of the storage contract that any `TracestoreV2` store can be put through, without any test framework.
///
/// Every check starts with an empty store, writes through `createTraceWriter()` and asks `createTraceReader()` for a new
/// reader before it reads: a subject that closes and reopens its store there is tested for what survives. A check that
/// needs a capability which the store does not declare passes without asking.
public enum ConformanceKit {
  /// All checks, in the order of their reports.
  public static let checks: [ConformanceCheck] =
    batteryChecks + boundChecks + writeChecks + readChecks + conditionChecks + filterChecks
    + summaryChecks + pagingChecks + discoveryChecks + partialChecks + sideStoreChecks
}

/// One named check.
public struct ConformanceCheck: Sendable, CustomStringConvertible {
  /// A sentence that the contract says.
  public let name: String
  /// True when the check takes much memory or time (seconds).
  public let isSlow: Bool
  let body: @Sendable (ConformanceSession) async throws -> Void

  init(_ name: String, isSlow: Bool = false, _ body: @escaping @Sendable (ConformanceSession) async throws -> Void) {
    self.name = name
    self.isSlow = isSlow
    self.body = body
  }

  public var description: String { name }

  /// Runs the check on a new store.
  ///
  /// - Throws: `ConformanceFailure` when the store breaks the contract or throws where it must not.
  public func run(
    makeStore: @Sendable () async throws -> any TracestoreFactory,
    discard: @Sendable (any TracestoreFactory) async throws -> Void = { _ in }
  ) async throws {
    do {
      let store = try await makeStore()
      do {
        try await body(ConformanceSession(store: store))
      } catch {
        try? await discard(store)
        throw error
      }
      try await discard(store)
    } catch let failure as ConformanceFailure {
      throw ConformanceFailure(check: name, message: failure.message)
    } catch {
      throw ConformanceFailure(check: name, message: "unexpected error: \(error)")
    }
  }
}

/// How a store broke the contract.
public struct ConformanceFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// The name of the check.
  public var check: String
  /// What was expected and what came instead.
  public var message: String

  public init(check: String = "", message: String) {
    self.check = check
    self.message = message
  }

  public var description: String { "\(check): \(message)" }
}

/// Runs the checks one after another and collects every failure.
///
/// - Parameters:
///   - includesSlow: Whether to run the checks that take much memory or time.
///   - makeStore: Makes a new empty store.
///   - discard: Closes and removes a store that `makeStore` made.
/// - Returns: The failures; empty for a store that keeps the contract.
public func runConformance(
  includesSlow: Bool = false,
  makeStore: @Sendable () async throws -> any TracestoreFactory,
  discard: @Sendable (any TracestoreFactory) async throws -> Void = { _ in }
) async -> [ConformanceFailure] {
  var failures: [ConformanceFailure] = []
  for check in ConformanceKit.checks where includesSlow || !check.isSlow {
    do {
      try await check.run(makeStore: makeStore, discard: discard)
    } catch let failure as ConformanceFailure {
      failures.append(failure)
    } catch {
      failures.append(ConformanceFailure(check: check.name, message: "unexpected error: \(error)"))
    }
  }
  return failures
}
