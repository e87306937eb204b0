/// What went wrong, where, and what to do about it.
public struct TracestoreError: Error, Sendable {
  /// The kinds of failure a caller can tell apart. New kinds may be added: always handle the default.
  public struct Code: RawRepresentable, Hashable, Sendable {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The bytes of a request are not what they claim to be; nothing of the request was stored.
    public static let malformedInput = Code(rawValue: "malformedInput")
    /// An argument or a query is outside of what it may be.
    public static let invalidArgument = Code(rawValue: "invalidArgument")
    /// A limit was reached; the message names the limit.
    public static let limitExceeded = Code(rawValue: "limitExceeded")
    /// Bytes on disk do not match their checksum or their grammar.
    public static let corrupt = Code(rawValue: "corrupt")
    /// The file was written by a newer version.
    public static let unsupportedFormat = Code(rawValue: "unsupportedFormat")
    /// The operation is not offered by this store.
    public static let unsupported = Code(rawValue: "unsupported")
    /// Another process holds the writer lock.
    public static let locked = Code(rawValue: "locked")
    /// The operating system refused.
    public static let inputOutput = Code(rawValue: "inputOutput")
    /// The disk is full; writes work again when there is room.
    public static let diskFull = Code(rawValue: "diskFull")
    /// The disk budget is used up.
    public static let diskBudget = Code(rawValue: "diskBudget")
    /// An earlier sync failed, so nothing can be promised until the store is opened again.
    public static let poisoned = Code(rawValue: "poisoned")
    /// The store is closed or closing.
    public static let closed = Code(rawValue: "closed")
    /// The store was opened read-only.
    public static let readOnly = Code(rawValue: "readOnly")
    /// A long read outlived the files it started with; run it again.
    public static let snapshotExpired = Code(rawValue: "snapshotExpired")
    /// There is nothing under that name or id.
    public static let notFound = Code(rawValue: "notFound")
  }

  public var code: Code
  /// One sentence: what happened, where, and what to do.
  public var message: String
  /// The file, when there is one.
  public var path: String?
  /// The byte offset in that file or input, when it is known.
  public var offset: UInt64?
  /// What caused it, when something else did.
  public var cause: (any Error)?

  public init(_ code: Code, _ message: String, path: String? = nil, offset: UInt64? = nil, cause: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.path = path
    self.offset = offset
    self.cause = cause
  }
}

extension TracestoreError: CustomStringConvertible {
  public var description: String {
    var text = message
    let place = [path, offset.map { "at byte \($0)" }].compactMap { $0 }.joined(separator: " ")
    if !place.isEmpty { text += " [\(place)]" }
    if let cause { text += ": \(cause)" }
    return text
  }
}
