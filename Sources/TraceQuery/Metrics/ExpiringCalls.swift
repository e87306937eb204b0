import TraceColumns
package import TraceSegment
package import TraceSource

/// What is written down of spans before they go.
package enum ExpiringCalls {
  /// The hourly figures of the distinct final spans of some segments that stand nowhere else: a copy that stays is
  /// counted where it stays, and when that goes.
  ///
  /// - Parameter staying: everything else that is visible.
  /// - Returns: also a sentence for each damaged place; what stands there is not in the figures.
  /// - Throws: what else kept something from being read: figures without it would stay wrong.
  package static func figures(
    of expiring: [Segment], besides staying: [any SpanSource]
  ) throws -> (figures: HourlyFigures, damage: [String]) {
    var damage = DamageReport()
    let repeats = RepeatedRows(last: expiring, behind: staying, &damage)
    var figures = HourlyFigures()
    for (place, segment) in expiring.enumerated() {
      var names: [UInt32: [UInt8]] = [:]
      func name(_ code: UInt32, _ stripe: any SpanStripe) throws -> [UInt8] {
        if let known = names[code] { return known }
        let text = try stripe.text(code)
        names[code] = text
        return text
      }
      for stripe in segment.stripes where stripe.holdsFinals {
        let mask = repeats[staying.count + place, stripe.index].map { repeated in
          var mask = RowMask(count: stripe.rowCount, filled: true)
          mask.subtract(repeated)
          return mask
        }
        damage.salvage(0..<stripe.rowCount, atLeast: TraceSearch.salvagedRowCount) { rows in
          var part = HourlyFigures()
          try stripe.forEachCallRun(CallSelection(), in: rows, mask) { run in
            let series = HourlyFigures.Series(
              service: try name(run.service, stripe), operation: try name(run.name, stripe), kind: run.kind)
            part.update(series, starts: run.starts, durations: run.durations, errors: run.errors)
          }
          figures.merge(part)
        }
      }
    }
    if let failure = damage.failure { throw failure }
    return (figures, damage.messages)
  }
}
