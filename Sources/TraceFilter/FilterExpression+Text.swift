public import TracestoreV2

// The readable form of a filter:
//
//   span.duration > 2s && resource.service = "cart" || some(event, event.name = "exception")
//
// The grammar, in EBNF; white space may stand between all tokens:
//
//   filter      = conjunction { "||" conjunction } ;
//   conjunction = condition { "&&" condition } ;
//   condition   = "!" condition
//               | "(" filter ")"
//               | "exists" "(" reference ")"
//               | "some" "(" ( "event" | "link" ) "," filter ")"
//               | operand ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) operand
//               | reference "=~" ( string | literal | word | typed )
//               | reference [ "not" ] "in" list ;
//   operand     = reference | constant ;
//   reference   = level "." name             (* a field of the level, or else an attribute *)
//               | level "[" string "]"       (* an attribute, whatever its key *)
//               | "." name | "[" string "]"  (* an attribute of the span or of the resource *) ;
//   level       = "span" | "resource" | "scope" | "event" | "link" ;
//   name        = part { "." part } ;        (* part: letters, digits, "_", "-", "/" *)
//   constant    = string | literal | word | typed ;
//   literal     = number | duration | instant ;
//   word        = "true" | "false" | a word of span.kind or of span.status ;
//   typed       = type "(" ( string | literal | name ) ")" ;
//   type        = "string" | "int" | "double" | "bool" | "duration" | "timestamp" ;
//   list        = [ "string" | "int" | "double" | "bool" | "untyped" ] "(" element { "," element } ")" ;
//   element     = string | literal | word ;  (* behind a type any name *)
//   string      = a JSON string ;
//   number      = [ "-" ] digits [ "." digits ] [ ( "e" | "E" ) [ "+" | "-" ] digits ] ;
//   duration    = as in Go, beginning with a digit or "-": 250ms, 1h30m, -1.5s ;
//   instant     = RFC 3339: 2026-01-07T10:00:00.5Z ;
//
// Documentation.docc/FilterLanguage.md says the same to users.

extension FilterExpression {
  /// The most bytes of text that are read as a filter.
  public static let maximumTextByteCount = 1 << 18

  /// Reads the readable form: `span.duration > 2s && resource.service = "cart"`.
  ///
  /// `&&` binds more tightly than `||`; `a && b && c` is one `and` of three conditions, and parentheses make calls of
  /// their own. A constant without a type around it (`"x"`, `200`, `2s`, `true`, `server`) is an untyped constant of
  /// that text, whether quoted or not: beside a field it is read as the field's type, beside an attribute it matches
  /// whatever type was stored. `string("x")`, `int(5)`, `double(2.5)` and `bool(true)` match only what was stored with
  /// that type. In a list beside an attribute, elements of one evident type declare it.
  ///
  /// The tree is read, not checked: a store says what is wrong with it when it is asked.
  public init(text: String) throws(FilterTextError) {
    let byteCount = text.utf8.count
    guard byteCount <= Self.maximumTextByteCount else {
      throw FilterTextError(
        "The filter has \(byteCount) bytes; at most \(Self.maximumTextByteCount) are read.",
        at: Self.maximumTextByteCount)
    }
    var parser = try FilterParser(text)
    self = .call(try parser.filter())
  }

  /// The readable form. Reading it gives the same tree, if the tree keeps the rules of filters.
  public var text: String { FilterPrinter.text(self) }
}
