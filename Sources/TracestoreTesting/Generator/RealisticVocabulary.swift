/// The words that the realistic shape is made of.
enum RealisticVocabulary {
  /// Services by layer; a service calls services of deeper layers.
  static let layers: [(namespace: String, services: [String])] = [
    ("edge", ["frontend-web", "mobile-gateway", "partner-api"]),
    ("bff", ["checkout-bff", "catalog-bff", "account-bff", "search-bff", "orders-bff", "admin-bff"]),
    (
      "shop",
      [
        "cart-service", "product-service", "pricing-service", "user-service", "order-service", "search-service",
        "recommendation-service", "promo-service", "auth-service",
      ]
    ),
    (
      "core",
      [
        "payment-service", "inventory-service", "shipping-service", "tax-service", "notification-service",
        "fraud-service", "review-service", "image-service", "profile-service", "session-service",
      ]
    ),
    (
      "platform",
      [
        "ledger-service", "warehouse-service", "email-sender", "sms-sender", "geo-service", "currency-service",
        "feature-flags",
      ]
    ),
    ("infra", ["audit-service", "kms-proxy", "config-service", "token-service", "rate-limiter"]),
  ]

  struct Language {
    let name: String
    let sdkVersion: String
    let runtime: String
    let runtimeVersion: String
    /// The clock's resolution.
    let clockNanoseconds: Int64
    /// The share of services, out of 100.
    let weight: Double
  }

  static let languages = [
    Language(
      name: "go", sdkVersion: "1.38.0", runtime: "go", runtimeVersion: "1.25.3", clockNanoseconds: 1, weight: 35),
    Language(
      name: "java", sdkVersion: "1.54.0", runtime: "OpenJDK Runtime Environment", runtimeVersion: "21.0.8+9-LTS",
      clockNanoseconds: 1000, weight: 30),
    Language(
      name: "python", sdkVersion: "1.37.0", runtime: "cpython", runtimeVersion: "3.13.2", clockNanoseconds: 1,
      weight: 15),
    Language(
      name: "nodejs", sdkVersion: "2.1.0", runtime: "nodejs", runtimeVersion: "22.11.0", clockNanoseconds: 1000,
      weight: 15),
    Language(
      name: "dotnet", sdkVersion: "1.12.0", runtime: ".NET", runtimeVersion: "9.0.4", clockNanoseconds: 1, weight: 5),
  ]

  static let nouns = [
    "orders", "items", "users", "carts", "products", "prices", "sessions", "reviews", "payments", "shipments",
    "coupons", "addresses", "images", "quotes", "events",
  ]
  static let verbs = ["Get", "List", "Create", "Update", "Validate", "Reserve", "Compute", "Lookup"]
  static let tables = [
    "orders", "order_items", "users", "carts", "products", "prices", "sessions", "reviews", "payments",
    "ledger_entries", "inventory_levels", "coupons", "audit_log",
  ]
  static let columns = [
    "id", "tenant_id", "created_at", "updated_at", "status", "amount", "currency", "customer_id", "sku", "quantity",
    "version",
  ]
  static let functions = ["validate", "render", "serialize", "cacheLookup", "computeTotals", "authorize", "mapDto"]
  static let methods = ["GET", "GET", "GET", "POST", "PUT", "DELETE"]
  static let databases = ["postgresql", "postgresql", "mysql", "redis", "mongodb"]
  static let databasePorts = ["postgresql": 5432, "mysql": 3306, "redis": 6379, "mongodb": 27_017]
  static let redisCommands = ["GET", "SET", "HGETALL", "EXPIRE", "MGET"]
  static let sqlCommands = ["SELECT", "SELECT", "SELECT", "INSERT", "UPDATE"]
  static let podLetters = [UInt8]("bcdfghjklmnpqrstvwxz2456789".utf8)

  struct Failure {
    let type: String
    /// The message stands around a number.
    let messagePrefix: String
    let messageSuffix: String
    /// The message without its number, as a span status says it.
    let statusMessage: String
  }

  static let failures = [
    Failure(
      type: "java.net.SocketTimeoutException", messagePrefix: "Read timed out after ", messageSuffix: " ms",
      statusMessage: "Read timed out after ms"),
    Failure(
      type: "io.grpc.StatusRuntimeException",
      messagePrefix: "UNAVAILABLE: upstream connect error, reset reason: connection failure, attempt ",
      messageSuffix: "",
      statusMessage: "UNAVAILABLE: upstream connect error, reset reason: connection failure, attempt"),
    Failure(
      type: "psycopg2.errors.DeadlockDetected", messagePrefix: "deadlock detected: process ",
      messageSuffix: " waits for ShareLock", statusMessage: "deadlock detected: process waits for ShareLock"),
    Failure(
      type: "ValueError", messagePrefix: "invalid literal for int() with base 10: ", messageSuffix: "",
      statusMessage: "invalid literal for int() with base 10:"),
    Failure(
      type: "*errors.errorString", messagePrefix: "context deadline exceeded after ", messageSuffix: "ms",
      statusMessage: "context deadline exceeded afterms"),
    Failure(
      type: "TypeError", messagePrefix: "Cannot read properties of undefined (reading 'id", messageSuffix: "')",
      statusMessage: "Cannot read properties of undefined (reading 'id')"),
    Failure(
      type: "System.InvalidOperationException", messagePrefix: "Sequence contains no elements, index ",
      messageSuffix: "", statusMessage: "Sequence contains no elements, index"),
    Failure(
      type: "com.shop.OutOfStockException", messagePrefix: "sku ", messageSuffix: " is out of stock",
      statusMessage: "sku is out of stock"),
  ]

  static let retryReasons = ["timeout", "connection reset", "rate limited", "conflict"]
  static let linkKinds = ["follows_from", "batch", "retry_of"]
  static let traceState = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"

  /// Forty browsers and four programs.
  static let userAgents: [String] =
    [
      "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64",
      "Linux; Android 15; SM-S931B", "iPhone; CPU iPhone OS 18_5 like Mac OS X",
    ].flatMap { platform in
      (136..<144).map {
        "Mozilla/5.0 (\(platform)) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/\($0).0.0.0 Safari/537.36"
      }
    } + ["Go-http-client/1.1", "okhttp/4.12.0", "python-requests/2.32.3", "node"]
}
