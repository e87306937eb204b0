/// A fuzzer cannot guess a checksum. In the build of `Tests/Fuzz`, and in no other, they are all zero, so that its
/// mutants reach the code behind them.
enum Fuzzing {
  #if TRACESTORE_FUZZING
    static let isOn = true
  #else
    @inline(__always) static var isOn: Bool { false }
  #endif
}
