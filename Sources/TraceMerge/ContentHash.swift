package import TraceBytes
package import TraceModel
import TraceOTLP

/// The identity of a (resource, scope, span) triple: equal content has equal canonical bytes, and these a 128-bit hash.
///
/// Content is everything that a producer said: absent and empty values, the presence of a status, doubles by their
/// bits, texts by their bytes, attribute order, duplicate keys, unknown fields. The order in which unknown fields of
/// one message came is not content: they are sorted by number, then by bytes.
///
/// The hash resists accidents, not adversaries. Whoever drops a record because its hash is known compares the
/// canonical bytes first. All functions are pure and linear in the size of the content.
package enum ContentHash {
  /// The hash of a triple.
  package static func hash(resource: Resource, scope: InstrumentationScope, span: SpanRecord) -> Hash128 {
    Hash128(of: canonicalBytes(resource: resource, scope: scope, span: span))
  }

  /// The bytes that are hashed: three parts, each behind its length as a varint.
  package static func canonicalBytes(resource: Resource, scope: InstrumentationScope, span: SpanRecord) -> [UInt8] {
    canonicalBytes(
      resourceIdentity: OTLP.identity(of: resource), scopeIdentity: OTLP.identity(of: scope),
      spanIdentity: OTLP.identity(of: span))
  }

  /// As above, from parts made by `OTLP.identity(of:)`: many spans share the first two.
  package static func canonicalBytes(
    resourceIdentity: [UInt8], scopeIdentity: [UInt8], spanIdentity: [UInt8]
  ) -> [UInt8] {
    var writer = ByteWriter(reserving: resourceIdentity.count + scopeIdentity.count + spanIdentity.count + 15)
    writer.appendLengthPrefixed(resourceIdentity)
    writer.appendLengthPrefixed(scopeIdentity)
    writer.appendLengthPrefixed(spanIdentity)
    return writer.bytes
  }

  /// The hash of a triple whose parts are at hand; a batch's canonical span is its own third part. `scratch` is
  /// overwritten and holds the canonical bytes afterwards.
  package static func hash(
    resourceIdentity: [UInt8], scopeIdentity: [UInt8], spanIdentity: UnsafeRawBufferPointer, scratch: inout [UInt8]
  ) -> Hash128 {
    var writer = ByteWriter()
    swap(&writer.bytes, &scratch)
    writer.bytes.removeAll(keepingCapacity: true)
    writer.appendLengthPrefixed(resourceIdentity)
    writer.appendLengthPrefixed(scopeIdentity)
    writer.appendLengthPrefixed(spanIdentity)
    swap(&writer.bytes, &scratch)
    return Hash128(of: scratch)
  }
}
