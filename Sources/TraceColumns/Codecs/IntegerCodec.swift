package import TraceBytes

/// What an encoding would take for a page, and the parameters it would use.
struct IntegerPlan {
  var encoding: IntegerEncoding
  /// The bytes of the body behind the base.
  var byteCount: Int
  var width = 0
  var exceptionCount = 0
  /// The bits of a value that do not fit `width`.
  var highWidth = 0
  /// What a delta is reduced by.
  var deltaBase: Int64 = 0
  /// What steps are counted round.
  var cycle: UInt64 = 0
}

/// Chooses the cheapest encoding of a page by exact cost and writes it.
package enum IntegerCodec {
  /// Appends the page of `values`, at most 1,024 of them. The choice depends on the values and the cycle alone.
  ///
  /// - Parameter cycle: what all values are below, if they may go round it: how many codes there are. 0 if unknown.
  package static func encode(
    _ values: UnsafeBufferPointer<UInt64>, cycle: UInt64 = 0, into writer: inout ByteWriter, scratch: ColumnScratch
  ) {
    precondition(values.count <= IntegerPage.maximumCount, "a page holds at most 1,024 values")
    let workspace = scratch.integers
    let statistics = workspace.survey(values)
    let plan = bestPlan(statistics, workspace, cycle: cycle)
    write(plan, statistics, workspace, into: &writer)
  }

  /// What each encoding would take for these values, with header and checksum, cheapest first. For people: it
  /// also costs the encodings that `encode` can rule out early.
  package static func estimates(
    _ values: UnsafeBufferPointer<UInt64>, cycle: UInt64 = 0, scratch: ColumnScratch
  ) -> [(name: String, byteCount: Int)] {
    precondition(values.count <= IntegerPage.maximumCount, "a page holds at most 1,024 values")
    let workspace = scratch.integers
    let statistics = workspace.survey(values)
    let plans: [IntegerPlan?] = [
      ConstantIntegers.estimate(statistics), PackedIntegers.estimate(statistics),
      PatchedIntegers.estimate(statistics, workspace), DeltaIntegers.estimate(statistics, workspace),
      RunIntegers.estimate(statistics), DictionaryIntegers.estimate(statistics, workspace, below: .max),
      HuffmanIntegers.estimate(statistics, workspace, below: .max),
      StepIntegers.estimate(statistics, workspace, cycle: cycle, below: .max),
    ]
    return plans.compactMap { $0 }
      .map { ($0.encoding.name, totalByteCount($0, base: statistics.base)) }
      .sorted { $0.1 != $1.1 ? $0.1 < $1.1 : $0.0 < $1.0 }
  }

  /// Ties go to the encoding named first: the ones with direct access come before the sequential ones.
  private static func bestPlan(
    _ statistics: IntegerStatistics, _ workspace: IntegerWorkspace, cycle: UInt64
  ) -> IntegerPlan {
    if let plan = ConstantIntegers.estimate(statistics) { return plan }
    var best = PackedIntegers.estimate(statistics)
    func consider(_ plan: IntegerPlan?) {
      if let plan, plan.byteCount < best.byteCount { best = plan }
    }
    consider(PatchedIntegers.estimate(statistics, workspace))
    consider(RunIntegers.estimate(statistics))
    consider(DeltaIntegers.estimate(statistics, workspace))
    let dictionary = DictionaryIntegers.estimate(statistics, workspace, below: best.byteCount)
    consider(dictionary)
    // Entropy coding and steps give direct access up, so they have to earn an eighth of the page.
    let limit = best.byteCount - best.byteCount / 8
    consider(HuffmanIntegers.estimate(statistics, workspace, below: limit))
    consider(StepIntegers.estimate(statistics, workspace, cycle: cycle, below: min(limit, best.byteCount)))
    return best
  }

  private static func varintByteCount(_ value: UInt64) -> Int { max(1, (BitPacking.width(of: value) + 6) / 7) }

  private static func totalByteCount(_ plan: IntegerPlan, base: UInt64) -> Int {
    let body = varintByteCount(base) + plan.byteCount
    return IntegerPage.fixedByteCount + varintByteCount(UInt64(body)) + body
  }

  private static func write(
    _ plan: IntegerPlan, _ statistics: IntegerStatistics, _ workspace: IntegerWorkspace, into writer: inout ByteWriter
  ) {
    let start = writer.count
    let bodyByteCount = varintByteCount(statistics.base) + plan.byteCount
    writer.append(plan.encoding.rawValue)
    writer.append(statistics.scale.code)
    writer.append(UInt8(plan.width))
    writer.appendInteger(UInt16(statistics.count))
    writer.appendVarint(bodyByteCount)
    let bodyStart = writer.count
    writer.appendVarint(statistics.base)
    switch plan.encoding {
    case .constant: break
    case .packed: PackedIntegers.encode(plan, statistics, workspace, into: &writer)
    case .patched: PatchedIntegers.encode(plan, statistics, workspace, into: &writer)
    case .delta, .zigzagDelta: DeltaIntegers.encode(plan, statistics, workspace, into: &writer)
    case .runs: RunIntegers.encode(plan, statistics, workspace, into: &writer)
    case .dictionary: DictionaryIntegers.encode(plan, statistics, workspace, into: &writer)
    case .huffman: HuffmanIntegers.encode(plan, statistics, workspace, into: &writer)
    case .steps: StepIntegers.encode(plan, statistics, workspace, into: &writer)
    }
    precondition(writer.count - bodyStart == bodyByteCount, "an encoding missed its own estimate")
    let checksum = writer.bytes.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    writer.appendInteger(checksum)
  }
}
