import Testing

@testable import TraceFilter

/// What the syntax means, and what it refuses.
struct PatternSyntaxTests {
  private static let meanings: [(pattern: String, text: String, expected: Bool)] = [
    // Literals, alternation, groups.
    ("GET /users", "a GET /users/7", true), ("get", "GET", false), ("a|bc|", "", true), ("x(a|b)y", "xby", true),
    ("(?P<name>a)(?<other>b)", "ab", true), ("(?:ab)+c", "ababc", true), ("()", "", true), ("a(?:)b", "ab", true),
    // Quantifiers, and braces that are none.
    ("xa{2,3}y", "xay", false), ("xa{2,3}y", "xaaay", true), ("xa{2,3}y", "xaaaay", false), ("xa{2,}y", "xaaaay", true),
    ("xa{0}y", "xy", true), ("xa{0}y", "xay", false), ("a{", "a{", true), ("a{,2}", "aa", false),
    ("a{,2}", "a{,2}", true), ("a{1", "a{1", true), ("a{01}", "a{01}", true),
    ("x{a}", "x{a}", true),
    ("x(ab){2}y", "xababy", true), ("x(?s)*y", "xxy", true), ("a}", "a}", true), ("]", "]", true),
    // Dots, newlines and flags.
    ("a.b", "a\nb", false), ("(?s)a.b", "a\nb", true), ("(?s:a.)b.c", "a\nb\nc", false), ("(?s-s)a.b", "a\nb", false),
    ("(?m)a", "a", true), ("x((?s)a.)b.c", "xa\nb\nc", false), ("((?s)a)|b.c", "b\nc", false),
    ("(?s)a|b.c", "b\nc", true), ("(?-s)a.b", "aéb", true), ("(?)a", "a", true), ("(?ms-m:.)", "\n", true),
    // Classes.
    ("[a-c]x", "bx", true), ("[^a-c]x", "bx", false), ("[^a]", "\n", true), ("[]a]", "]", true), ("[^]a]", "]", false),
    ("[a-]", "-", true), ("[-a]", "-", true), ("[a-c-e]", "-", true), ("[a-c-e]", "d", false), ("[[]", "[", true),
    ("[[:digit:]x]", "5", true), ("[[:^digit:]]", "5", false), ("[[:alpha]", "[", true), ("[[:alpha]", ":", true),
    ("[[:alpha]", "p", true), ("[[:alpha]", "q", false), (#"[\]\\]"#, #"\"#, true), (#"[\d-x]"#, "-", true),
    (#"[\x41-\x43]"#, "B", true), (#"[\n]"#, "\n", true), (#"[^\x00-\x{10FFFF}]"#, "a", false), ("[日-語]", "本", true),
    ("[é]", "è", false), ("[é]", "é", true), (".", "\u{10ffff}", true), (#"[\^]"#, "^", true),
    ("[.]", "a", false), ("[$]", "$", true), ("[*]", "*", true), (#"[\Da]"#, "a", true), (#"[\pLx]"#, "é", true),
    // Perl's classes know ASCII alone.
    (#"\d"#, "٣", false), (#"\d"#, "3", true), (#"\D"#, "3", false), (#"\s"#, "\u{b}", false), (#"\s"#, "\u{c}", true),
    (#"\S"#, " \t\n\r", false), (#"\w"#, "é", false), (#"\w"#, "_", true), (#"\W"#, "é", true),
    // Unicode's classes.
    (#"\pL"#, "é", true), (#"\p{L}"#, "1", false), (#"\p{Lu}"#, "é", false), (#"\p{Lu}"#, "É", true),
    (#"\p{^L}"#, "é", false),
    (#"\P{L}"#, "é", false), (#"\P{^L}"#, "é", true), (#"\p{Nd}"#, "٣", true), (#"\p{Any}"#, "\u{10fffd}", true),
    (#"\p{Sc}"#, "€", true), (#"\p{Zs}"#, "\u{a0}", true), (#"\p{LC}"#, "ǅ", true), (#"\p{LC}"#, "本", false),
    (#"\pN"#, "½", true), (#"\p{ASCII}"#, "é", false), (#"\p{Cn}"#, "a", false), (#"\p{Assigned}"#, "a", true),
    (#"\p{Cs}"#, "a", false), (#"\p{Co}"#, "\u{e000}", true), (#"\p{Cc}"#, "\u{85}", true),
    // Escapes.
    (#"a\.b"#, "axb", false), (#"\a\f\n\r\t\v"#, "\u{7}\u{c}\n\r\t\u{b}", true), (#"\x41\x{42}\x{1F600}"#, "AB😀", true),
    (#"\0\07\101"#, "\0\u{7}A", true), (#"\0118"#, "\t8", true), (#"\Qa.b*\E+"#, "a.b**", true),
    (#"\Qa.b"#, "axb", false),
    (#"x\Q\E*y"#, "xxy", true), (#"\Q\\E"#, #"\"#, true), (#"\_\-\/"#, "_-/", true), (#"\^\$"#, "^$", true),
    (#"\x{d800}"#, "a", false), (#"\x{d800}|b"#, "b", true), (#"\*\+\?\(\)\[\]\{\}\|\\"#, #"*+?()[]{}|\"#, true),
  ]

  @Test(arguments: meanings)
  func meansWhatRE2Means(pattern: String, text: String, expected: Bool) throws {
    #expect(try TextPattern(pattern).matches(text) == expected)
  }

  private static let refusals: [(pattern: String, offset: Int, reason: String)] = [
    ("^a", 0, "anywhere"), ("a|b$", 3, "anywhere"), (#"é\A"#, 2, "no place"), (#"a\z"#, 1, "no place"),
    (#"a\bc"#, 1, "no place"), (#"\B"#, 0, "no place"), (#"\C"#, 0, "bytes"), (#"\Z"#, 0, "no escape"),
    (#"[\b]"#, 1, "no escape"),
    // What a match prefers.
    ("xa*?", 2, "lazy"), ("a+?", 1, "lazy"), ("a??", 1, "lazy"), ("a{2}?", 1, "lazy"), ("a{2,}?b", 1, "lazy"),
    ("(?U)a", 2, "lazy"), ("(?s-U:a)", 4, "lazy"),
    // Case.
    ("(?i)a", 2, "upper and lower"), ("a(?si:b)", 4, "upper and lower"), ("(?-i)a", 3, "upper and lower"),
    // What RE2 lacks.
    (#"(a)\1"#, 3, "back-ref"), (#"\9"#, 0, "back-ref"), (#"\18"#, 0, "back-ref"), ("(?P<n>a)(?P=n)", 8, "back-ref"),
    ("a(?=b)", 1, "look-ahead"),
    ("(?!b)", 0, "look-ahead"), ("(?<=b)", 0, "look-behind"), ("a(?<!b)", 1, "look-behind"),
    ("(?>a)", 2, "no group or flag"),
    ("(?#c)", 2, "no group or flag"), ("(?P>n)", 0, "(?P"), ("a++", 2, "another quantifier"),
    ("a**", 2, "another quantifier"),
    ("a{2}{3}", 4, "another quantifier"), ("a*+", 2, "another quantifier"),
    // Repetition.
    ("*a", 0, "nothing"), ("(+)", 1, "nothing"), ("a|?", 2, "nothing"), ("{2}", 0, "nothing"), ("a{1001}", 1, "1000"),
    ("a{1,1001}", 1, "1000"), ("a{1001,}", 1, "1000"), ("a{99999999999999999999}", 1, "1000"), ("a{3,2}", 1, "before"),
    ("(a{100}){11}", 8, "nested"), ("((a{10}){10}b|c){11}", 16, "nested"), ("(?:a{2}){501,}", 8, "nested"),
    // Groups.
    ("(a", 0, "not closed"), ("é((a)", 2, "not closed"), ("a)", 1, "no group"), ("(?", 0, "not closed"),
    ("(?s", 0, "not closed"),
    ("(?s-)", 4, "missing"), ("(?-:a)", 3, "missing"), ("(?s--m)", 4, "twice"), ("(?x)a", 2, "no group or flag"),
    ("(?P<n>a)(?P<n>b)", 12, "two groups"), ("(?P<>a)", 4, "empty"), ("(?<é>a)", 3, "ASCII"),
    ("(?P<n", 0, "not closed"),
    ("(?Px)", 0, "(?P"),
    // Classes.
    ("[a", 0, "not closed"), ("[[:alpha:]", 0, "not closed"), ("a[]", 1, "not closed"), ("[^]", 0, "not closed"),
    ("[a-", 0, "not closed"),
    ("[b-a]", 1, "before"),
    ("[[:foo:]]", 1, "[:foo:]"), (#"[a-\d]"#, 3, "no escape"), (#"[a\"#, 2, "backslash"), (#"\p{Greek}"#, 0, "scripts"),
    (#"a\pX"#, 1, "scripts"), (#"[\p{}]"#, 1, "scripts"), (#"\p{L"#, 0, "not closed"), (#"\p"#, 0, "needs the name"),
    (#"\p{Letter}"#, 0, "general categories"),
    // Escapes.
    (#"ab\"#, 2, "backslash"), (#"\x4"#, 0, "hexadecimal"), (#"\x{}"#, 0, "hexadecimal"), (#"\x{110000}"#, 0, "10FFFF"),
    (#"\x{41"#, 0, "hexadecimal"), (#"\x{fffffffffffffffffff}"#, 0, "10FFFF"), (#"\y"#, 0, "no escape"),
    (#"\é"#, 0, "no escape"),
  ]

  @Test(arguments: refusals)
  func refuses(pattern: String, offset: Int, reason: String) {
    do throws(PatternError) {
      _ = try TextPattern(pattern)
      Issue.record("`\(pattern)` is not refused")
    } catch {
      #expect(error.offset == offset, "\(error)")
      #expect(error.reason.contains(reason), "\(error)")
      #expect(error.description == "the pattern is refused at byte \(offset): \(error.reason)")
    }
  }

  @Test func limitsAreAllowedAndOneMoreIsRefused() throws {
    let longest = String(repeating: "é", count: TextPattern.maximumByteCount / 2)
    #expect(try TextPattern(longest).matches("x" + longest))
    #expect(throws: PatternError.self) { try TextPattern(longest + "e") }

    func nested(_ depth: Int) -> String {
      String(repeating: "(", count: depth) + "a" + String(repeating: ")", count: depth)
    }
    #expect(try TextPattern(nested(TextPattern.maximumDepth)).matches("a"))
    #expect {
      try TextPattern(nested(TextPattern.maximumDepth + 1))
    } throws: {
      ($0 as? PatternError)?.offset == TextPattern.maximumDepth
    }

    #expect(try TextPattern("ba{1000}b").matches("b" + String(repeating: "a", count: 1000) + "b"))
    #expect(try !TextPattern("ba{1000}b").matches("b" + String(repeating: "a", count: 999) + "b"))
    #expect(try TextPattern("x(a{10}){100}y").matches("x" + String(repeating: "a", count: 1000) + "y"))
    #expect(try TextPattern("x.{1000}y").matches("x" + String(repeating: "é", count: 1000) + "y"))
  }

  @Test func aPatternThatIsCompiledToTooMuchIsRefusedSoon() {
    for pattern in [#"x\p{L}{1000}y"#, "x(.|.){1000}y", String(repeating: "a[^b]{1000}", count: 100) + "c"] {
      do throws(PatternError) {
        _ = try TextPattern(pattern)
        Issue.record("`\(pattern)` is not refused")
      } catch {
        #expect(error.reason.contains("\(TextPattern.maximumProgramSize)"))
      }
    }
  }
}
