// swift-tools-version: 6.1
import PackageDescription

// A package outside the project that embeds the engine, as a user's would: the README's program, and a span that outlives
// its process, built and run.
let package = Package(
  name: "embedding",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(name: "tracestore", path: "../..")
  ],
  targets: [
    .executableTarget(name: "Minute", dependencies: [.product(name: "TraceEngine", package: "tracestore")]),
    .executableTarget(name: "OpenSpan", dependencies: [.product(name: "TraceEngine", package: "tracestore")]),
  ]
)
