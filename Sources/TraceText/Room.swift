// TraceText: how bytes and numbers are spelled.
//
// In: bytes, numbers, borrowed UTF-8. Out: hexadecimal, base64, and JSON as tokens. Must never know: what the text
// is about. Foreign text is checked before it is used; nothing here traps on what it reads. The room stands above the
// model, whose ids and values have text forms, so it brings no library along.
// FORMAT.md: none; no text form is stored. Read next: JSONReader.swift.
