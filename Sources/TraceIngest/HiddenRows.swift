import TraceColumns
import TraceSource

/// The rows of a source that are hidden, by the index of the stripe: a bit for each row of the stripes that have some.
struct HiddenRows {
  private var masks: [Int: RowMask] = [:]

  var byteCount: Int { masks.values.reduce(0) { $0 + $1.count / 8 + 64 } }

  /// - Parameter height: the greatest row count of the stripe.
  mutating func set(_ isHidden: Bool, _ row: Int, ofStripe stripe: Int, height: Int) {
    if isHidden {
      masks[stripe, default: RowMask(count: height)].set(row)
    } else {
      masks[stripe]?.clear(row)
    }
  }

  func contains(_ row: Int, ofStripe stripe: Int) -> Bool { masks[stripe]?[row] ?? false }

  /// The source without the hidden rows.
  func overlaying(_ source: any SpanSource) -> any SpanSource {
    var fitting = masks.filter { !$0.value.isEmpty }
    if fitting.isEmpty { return source }
    for stripe in source.stripes {
      if let mask = fitting[stripe.index], mask.count > stripe.rowCount {
        fitting[stripe.index] = mask.prefix(stripe.rowCount)
      }
    }
    return OverlaidSource(source, hiding: fitting)
  }
}
