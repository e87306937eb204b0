// swift-tools-version: 6.1
import PackageDescription

// Measures the public interface from outside, so that nobody who embeds the library resolves a benchmark package.
let package = Package(
  name: "tracestore-benchmarks",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(name: "tracestore", path: "..", traits: ["Tracing"]),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
    // Without its allocation and runtime interposers, which need what a plain machine does not have.
    .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
  ],
  targets: [
    .executableTarget(
      name: "StoreBenchmarks",
      dependencies: [
        "BenchmarkSupport",
        .product(name: "Benchmark", package: "benchmark"),
        .product(name: "TraceEngine", package: "tracestore"),
      ],
      path: "Benchmarks/StoreBenchmarks",
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
    // Our side of `make bench-peers`.
    .executableTarget(
      name: "tracestore-bench",
      dependencies: [
        "BenchmarkSupport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "TraceAnalysis", package: "tracestore"),
        .product(name: "TraceOTLP", package: "tracestore"),
        .product(name: "TracestoreTracing", package: "tracestore"),
        .product(name: "Tracing", package: "swift-distributed-tracing"),
      ]),
    .target(
      name: "BenchmarkSupport",
      dependencies: [
        .product(name: "TraceEngine", package: "tracestore"),
        .product(name: "TraceOTLP", package: "tracestore"),
      ]),
  ]
)
