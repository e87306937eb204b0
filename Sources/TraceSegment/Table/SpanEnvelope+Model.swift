package import TraceModel
import TraceOTLP
package import TraceSource

extension SpanEnvelope {
  package static func resource(_ resource: Resource) -> SpanEnvelope {
    SpanEnvelope(.resource, resource.attributes, identity: OTLP.identity(of: resource))
  }

  package static func scope(_ scope: InstrumentationScope) -> SpanEnvelope {
    SpanEnvelope(.scope, scope.attributes, identity: OTLP.identity(of: scope))
  }
}
