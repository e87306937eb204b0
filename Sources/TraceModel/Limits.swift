/// Bounds on what one request may hold. Each line says what breaks if it grows.
public enum Limits {
  /// Bytes of one request, after decompression: a request is held whole while it is decoded.
  public static let maximumRequestByteCount = 256 << 20
  /// Levels of nested values: every level is a stack frame in decoders and encoders of all peers.
  public static let maximumValueDepth = 100
  /// Attributes of one span, event, link, resource or scope: shapes are interned whole.
  public static let maximumAttributeCount = 1 << 16
  /// Spans in one request: row numbers inside a batch are 32-bit.
  public static let maximumSpanCount = 1 << 22
  /// Resources, scopes, attributes, nested values, entity references, events and links in one request together: an
  /// empty one takes two bytes on the wire and up to eighty in memory.
  public static let maximumElementCount = 1 << 23
  /// Bytes of one name, key or text or byte value: dictionary entries and segment blocks hold them whole.
  public static let maximumValueByteCount = 64 << 20
}
