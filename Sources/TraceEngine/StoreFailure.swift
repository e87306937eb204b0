import TraceModel

/// Errors that the engine itself raises.
enum StoreFailure {
  static let closed = TracestoreError(.closed, "The store is closed; open it again.")
  static let readOnly = TracestoreError(
    .readOnly, "The store was opened read-only; open it for writing in the process that owns it.")
}
