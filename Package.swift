// swift-tools-version: 6.1
import PackageDescription

// The rooms of the house. A room may import only the rooms its row names, plus the C and
// external modules listed there; `ArchitectureTests` checks every `import` against this table.
// The order is the direction of the data: a room imports only rooms above it.
let rooms: KeyValuePairs<String, [String]> = [
  "TraceText": [],
  "TraceModel": ["TraceText"],
  "TraceBytes": ["CChecksum", "CLZ4", "CZstd"],
  "TraceFiles": ["CMemory", "TraceText", "TraceModel"],
  "TracestoreV2": ["TraceModel"],
  "TraceOTLP": ["TraceText", "TraceModel", "TraceBytes"],
  "TraceMerge": ["TraceModel", "TraceBytes", "TraceOTLP"],
  "TraceColumns": ["TraceModel", "TraceBytes"],
  "TraceAggregate": ["CMemory", "TraceModel", "TraceColumns"],
  "TraceGraph": ["TraceModel", "TraceBytes", "TraceAggregate"],
  "TraceAnalysis": ["TraceModel", "TracestoreV2", "TraceAggregate", "TraceGraph"],
  "TraceSource": ["TraceText", "TraceModel", "TraceBytes", "TraceColumns", "TraceGraph"],
  "TraceFilter": ["TraceText", "TraceModel", "TracestoreV2", "TraceColumns", "TraceSource"],
  "TraceWAL": ["TraceModel", "TraceBytes", "TraceFiles"],
  "TraceSegment": [
    "CMemory", "TraceModel", "TraceBytes", "TraceFiles", "TraceMerge", "TraceOTLP", "TraceColumns", "TraceAggregate",
    "TraceGraph", "TraceSource",
  ],
  "TraceManifest": ["TraceModel", "TraceBytes", "TraceFiles", "TracestoreV2", "TraceColumns", "TraceSegment"],
  "TraceIngest": [
    "TraceModel", "TraceBytes", "TraceFiles", "TraceMerge", "TraceOTLP", "TraceColumns", "TraceGraph", "TraceSource",
    "TraceWAL", "TraceSegment", "TraceManifest",
  ],
  "TraceMaintenance": ["TraceModel", "TraceBytes", "TraceMerge", "TraceColumns", "TraceSegment", "TraceManifest"],
  "TraceQuery": [
    "TraceText", "TraceModel", "TraceBytes", "TracestoreV2", "TraceMerge", "TraceColumns", "TraceGraph", "TraceSource",
    "TraceFilter", "TraceAggregate", "TraceSegment", "TraceManifest",
  ],
  "TraceRecorder": ["TraceModel", "TracestoreV2", "TraceMerge"],
  "TraceEngine": [
    "TraceModel", "TraceBytes", "TraceFiles", "TracestoreV2", "TraceMerge", "TraceOTLP", "TraceColumns",
    "TraceAnalysis", "TraceSource", "TraceFilter", "TraceWAL", "TraceSegment", "TraceManifest", "TraceIngest",
    "TraceMaintenance", "TraceQuery", "TraceRecorder",
  ],
  "TracestoreTracing": ["TraceModel", "TraceRecorder"],
  "TracestoreV1": ["TraceText", "TraceModel", "TracestoreV2"],
  "TracestoreTesting": ["TraceModel", "TracestoreV2", "TraceFilter"],
  "TraceInspect": [
    "TraceText", "TraceModel", "TraceBytes", "TraceFiles", "TracestoreV2", "TraceMerge", "TraceOTLP", "TraceColumns",
    "TraceSource", "TraceWAL", "TraceSegment", "TraceManifest",
  ],
]

// External modules that a room may use besides its row.
let externals: [String: [Target.Dependency]] = [
  "TracestoreTracing": [
    .product(name: "Tracing", package: "swift-distributed-tracing", condition: .when(traits: ["Tracing"]))
  ]
]

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

let roomTargets: [Target] = rooms.map { name, imports in
  .target(
    name: name,
    dependencies: imports.map { .target(name: $0) } + externals[name, default: []],
    swiftSettings: settings)
}

func tests(_ name: String, _ imports: [String]) -> Target {
  .testTarget(
    name: name, dependencies: imports.map { .target(name: $0) }, path: "Tests/\(name)", swiftSettings: settings)
}

let package = Package(
  name: "tracestore",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "TraceModel", targets: ["TraceModel"]),
    .library(name: "TraceOTLP", targets: ["TraceOTLP"]),
    .library(name: "TracestoreV2", targets: ["TracestoreV2"]),
    .library(name: "TraceEngine", targets: ["TraceEngine"]),
    .library(name: "TraceAnalysis", targets: ["TraceAnalysis"]),
    .library(name: "TracestoreTracing", targets: ["TracestoreTracing"]),
    .library(name: "TracestoreV1", targets: ["TracestoreV1"]),
    .library(name: "TracestoreTesting", targets: ["TracestoreTesting"]),
  ],
  traits: [
    .trait(
      name: "Tracing",
      description:
        "Gives the product TracestoreTracing its tracer; without it nobody resolves swift-distributed-tracing.")
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
  ],
  targets: roomTargets + [
    .systemLibrary(name: "CChecksum"),
    .systemLibrary(name: "CMemory"),
    .systemLibrary(
      name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"]), .brew(["lz4"])]),
    .systemLibrary(
      name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
    .systemLibrary(
      name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
    .executableTarget(
      name: "tracestore",
      dependencies: [
        "TraceModel", "TraceOTLP", "TracestoreV2", "TraceAnalysis", "TracestoreV1", "TraceFilter", "TraceEngine",
        "TracestoreTesting", "TraceInspect", "CZlib", "CZstd",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: settings),
    .executableTarget(
      name: "tracestore-kernels",
      dependencies: [
        "TraceAggregate", "TraceBytes", "TraceColumns", "TraceFiles", "TraceFilter", "TraceIngest", "TraceModel",
        "TraceOTLP",
        "TraceQuery", "TraceSegment", "TraceWAL", "TracestoreTesting", "TracestoreV2",
      ], swiftSettings: settings),
    tests("TraceTextTests", ["TraceText"]),
    tests("TraceModelTests", ["TraceModel"]),
    tests("TraceBytesTests", ["TraceBytes"]),
    tests("TraceFilesTests", ["TraceFiles", "TraceModel"]),
    tests("TracestoreV2Tests", ["TracestoreV2", "TraceModel"]),
    tests("TraceMergeTests", ["TraceMerge", "TraceModel", "TraceBytes", "TraceOTLP"]),
    tests("TraceAnalysisTests", ["TraceAnalysis", "TraceGraph", "TraceModel", "TracestoreV2"]),
    tests("TraceRecorderTests", ["TraceRecorder", "TraceModel", "TracestoreV2"]),
    tests("TracestoreTracingTests", ["TracestoreTracing", "TraceRecorder", "TraceModel", "TracestoreV2"]),
    tests("TraceOTLPTests", ["TraceOTLP", "TraceModel", "TraceBytes"]),
    tests("TraceAggregateTests", ["TraceAggregate", "TraceModel"]),
    tests("TraceColumnsTests", ["TraceColumns", "TraceModel", "TraceBytes"]),
    tests(
      "TraceFilterTests",
      ["TraceSource", "TraceFilter", "TraceText", "TraceModel", "TracestoreV2", "TracestoreTesting"]),
    tests("TracestoreV1Tests", ["TracestoreV1", "TracestoreV2", "TraceModel", "TraceText", "TracestoreTesting"]),
    tests("TraceWALTests", ["TraceWAL", "TraceModel", "TraceBytes", "TraceFiles"]),
    tests(
      "TraceIngestTests",
      [
        "TraceIngest", "TraceColumns", "TraceFiles", "TraceGraph", "TraceModel", "TraceOTLP", "TraceSegment",
        "TraceSource",
      ]),
    tests(
      "TraceMaintenanceTests",
      [
        "TraceMaintenance", "TraceColumns", "TraceFiles", "TraceManifest", "TraceMerge", "TraceModel", "TraceSegment",
      ]),
    tests("TraceManifestTests", ["TraceManifest", "TraceModel", "TraceBytes", "TraceFiles"]),
    tests(
      "TraceSegmentTests",
      [
        "TraceSegment", "TraceModel", "TraceBytes", "TraceFiles", "TraceOTLP", "TraceColumns", "TraceAggregate",
        "TraceSource", "TraceMerge",
      ]),
    tests(
      "TracestoreTestingTests", ["TracestoreTesting", "TracestoreV2", "TraceModel", "TraceOTLP", "TraceFilter"]),
    tests(
      "FormatTests",
      [
        "TraceModel", "TraceBytes", "TraceFiles", "TraceOTLP", "TraceMerge", "TraceColumns", "TraceSource",
        "TraceWAL", "TraceManifest", "TraceSegment",
      ]),
    tests(
      "TraceEngineTests",
      [
        "TraceEngine", "TraceModel", "TracestoreV2", "TracestoreTesting", "TraceFiles", "TraceOTLP", "TraceMerge",
        "TraceBytes", "TraceColumns", "TraceGraph", "TraceIngest", "TraceInspect", "TraceManifest", "TraceQuery",
        "TraceSegment", "TraceSource", "TraceWAL",
      ]),
    // Runs the program that the dependency builds.
    tests("CommandLineTests", ["tracestore"]),
    tests("ArchitectureTests", []),
  ]
)

// The documentation plugin is a dependency of `make docs` alone: an embedder never resolves it.
if Context.environment["TRACESTORE_DOCS"] != nil {
  package.dependencies.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0"))
}

// The fuzz targets need a sanitizer in every module: `make fuzz` alone builds them.
if Context.environment["TRACESTORE_FUZZ"] != nil {
  package.targets += [
    .systemLibrary(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"),
    .executableTarget(
      name: "tracestore-fuzz",
      dependencies: [
        "CFuzzer", "TraceText", "TraceModel", "TraceBytes", "TraceFiles", "TracestoreV2", "TracestoreV1", "TraceOTLP",
        "TraceColumns", "TraceSource", "TraceFilter", "TraceWAL", "TraceSegment", "TraceManifest", "TraceIngest",
        "TraceQuery", "TraceInspect",
      ], path: "Tests/Fuzz/Sources", swiftSettings: settings),
  ]
}
