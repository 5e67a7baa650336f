package source

import (
	"fmt"
	"slices"
)

// explain says what is wrong with the token at s.at, which the parser refused.
// The parser knows no more than that; what was open in front of the token, and
// how it stands to its neighbours, tells the rest.
func explain(s *shape) *complaint {
	tok := s.tokens[s.at]
	c := &complaint{from: int(tok.from), to: int(tok.to), unfinished: tok.kind == tEOF}
	for _, try := range []func(*shape, *complaint) bool{
		reservedName, foreignOperator, foreignStatement, wantsArguments, wrongAssignment,
		lostCloser, missingHead, missingCloser, afterReturn, wantsAssignment,
	} {
		if try(s, c) {
			return c
		}
	}
	c.msg = "unexpected " + quote(s.src, tok)
	f := s.top()
	switch {
	case tok.kind == tEOF:
		c.msg = "unexpected end of the file"
		if len(s.stack) > 1 {
			c.hint = s.opened(f)
		}
	case f.kind == tFunction && tok.kind == tName:
		c.hint = "a function that is a value has no name"
	case f.kind == tFunction && s.declaring:
		c.hint = "a local function has a plain name; the function of a field is written: function a.b()"
	case f.block() && (f.stmt == s.at || f.kind == tEOF && s.at == 0):
		c.hint = "a statement is a call, an assignment or begins with a reserved word"
	}
	return c
}

// peek returns the kind of the token n after the offending one.
func (s *shape) peek(n int) kind {
	if i := s.at + n; i >= 0 && i < len(s.tokens) {
		return s.tokens[i].kind
	}
	return tEOF
}

// spelling returns the text of the token n after the offending one.
func (s *shape) spelling(n int) string {
	if i := s.at + n; i >= 0 && i < len(s.tokens) {
		return string(clip(s.src[s.tokens[i].from:s.tokens[i].to]))
	}
	return ""
}

// near is the end of every "expected" message.
func (s *shape) near() string { return " near " + quote(s.src, s.tokens[s.at]) }

// opened says where a frame was opened.
func (s *shape) opened(f *frame) string {
	t := s.tokens[f.open]
	return fmt.Sprintf("'%s' was opened at line %d", t.kind, s.line(int(t.from)))
}

// closerOf returns what would close a frame.
func closerOf(f *frame) kind {
	switch f.kind {
	case tLParen:
		return tRParen
	case tLBrace:
		return tRBrace
	case tLBracket:
		return tRBracket
	case tRepeat:
		return tUntil
	}
	return tEnd
}

// reservedName: a name is wanted and a reserved word stands there.
func reservedName(s *shape, c *complaint) bool {
	tok, prev := s.tokens[s.at], s.peek(-1)
	if prev == tGoto && tok.kind != tName {
		c.msg = "a label is expected" + s.near()
		c.hint = "goto is reserved here, as it is from Lua 5.2 on"
		return true
	}
	if !tok.kind.reserved() {
		return false
	}
	attribute := prev == tDot || prev == tColon
	declared := s.declaring && (prev == tLocal && tok.kind != tFunction || prev == tFor || prev == tGoto || prev == tComma ||
		prev == tFunction)
	parameter := s.top().params && (prev == tComma || prev == tLParen && tok.kind != tEnd)
	if !attribute && !declared && !parameter {
		return false
	}
	c.msg = fmt.Sprintf("a name is expected and '%s' is a reserved word", tok.kind)
	switch {
	case prev == tDot:
		c.hint = fmt.Sprintf("as a field it is written [\"%s\"]", tok.kind)
	case tok.kind == tGoto:
		c.hint = "goto is reserved here, as it is from Lua 5.2 on"
	}
	return true
}

// foreignOperator: two tokens that are one operator in another language, the
// offending one being the first or the second.
func foreignOperator(s *shape, c *complaint) bool {
	for first := s.at; first >= max(0, s.at-1); first-- {
		if first+1 >= len(s.tokens) || s.tokens[first].to != s.tokens[first+1].from {
			continue
		}
		a, b := s.tokens[first], s.tokens[first+1]
		hint := foreignPair(a.kind, b.kind)
		if hint == "" {
			continue
		}
		if b.kind == tAssign && first > 0 && s.tokens[first-1].kind == tName {
			target := s.spelling(first - 1 - s.at)
			hint = fmt.Sprintf("Lua has no '%s='; write: %s = %s %s ...", a.kind, target, target, a.kind)
		}
		c.from, c.to = int(a.from), int(b.to)
		c.msg = fmt.Sprintf("unexpected '%s%s'", a.kind, b.kind)
		c.hint = hint
		return true
	}
	return false
}

// foreignPair returns what to write for a followed by b, "" if the pair is no
// operator anywhere.
func foreignPair(a, b kind) string {
	switch {
	case b == tAssign && slices.Contains([]kind{tPlus, tMinus, tStar, tSlash, tPercent, tCaret, tConcat}, a):
		return fmt.Sprintf("Lua has no '%s='; write: x = x %s ...", a, a)
	case a == tPlus && b == tPlus:
		return "Lua has no '++'; write: x = x + 1"
	case a == tSlash && b == tSlash:
		return "comments begin with --; a division that rounds down is math.floor(a / b)"
	case a == tSlash && b == tStar:
		return "comments stand between --[[ and ]]"
	case a == tStar && b == tStar:
		return "powers are written a ^ b"
	case a == tLt && b == tLt, a == tGt && b == tGt:
		return "Lua 5.1 has no bitwise operators"
	case a == tAssign && b == tGt:
		return "functions are written: function(a, b) ... end"
	case a == tMinus && b == tGt:
		return "a field is written a.b, a method call a:b()"
	case a == tEq && b == tAssign:
		return "'is equal' is written =="
	}
	return ""
}

// foreignWords are first words of statements in other languages.
var foreignWords = map[string]string{
	"let": "declare it with: local", "var": "declare it with: local", "const": "declare it with: local",
	"def": "functions are declared with: function", "func": "functions are declared with: function",
	"fn": "functions are declared with: function", "fun": "functions are declared with: function",
	"elif": "it is spelled elseif", "elsif": "it is spelled elseif",
	"switch": "Lua has no switch; use if and elseif, or a table of functions",
	"case":   "Lua has no switch; use if and elseif, or a table of functions",
	"try":    "errors are caught with pcall", "catch": "errors are caught with pcall",
	"throw": "errors are raised with error", "raise": "errors are raised with error",
	"import": "modules are loaded with require", "include": "modules are loaded with require",
	"class":    "Lua has no classes; use tables and metatables",
	"foreach":  "loops over a table are written: for k, v in pairs(t) do",
	"unless":   "write: if not",
	"continue": "Lua 5.1 has no continue; put the rest of the body in an if",
	"new":      "objects are made by calling a function",
	"async":    "functions that wait need no mark", "await": "functions that wait need no mark",
}

// foreignStatement: the statement begins with a word of another language.
func foreignStatement(s *shape, c *complaint) bool {
	stmt := s.top().stmt
	if stmt >= len(s.tokens) || s.tokens[stmt].kind != tName || s.tokens[stmt].to > s.tokens[s.at].from {
		return false
	}
	first := s.tokens[stmt]
	hint, ok := foreignWords[string(s.src[first.from:first.to])]
	// Only what cannot continue a name makes it a foreign word.
	if !ok || stmt != s.at-1 {
		return false
	}
	c.from, c.to = int(first.from), int(first.to)
	c.msg = fmt.Sprintf("unexpected '%s'", s.src[first.from:first.to])
	c.hint, c.unfinished = hint, false
	return true
}

// wrongAssignment: "=" where nothing can be assigned to.
func wrongAssignment(s *shape, c *complaint) bool {
	if s.peek(0) != tAssign {
		return false
	}
	f := s.top()
	switch {
	case f.awaits == tThen, f.kind == tWhile && f.awaits == tDo, f.kind == tLParen && !f.params:
		c.msg, c.hint = "unexpected '='", "'is equal' is written =="
		if f.kind == tLParen {
			c.hint = "'is equal' is written ==; arguments have no names, but one table of named fields may: f{ a = 1 }"
		}
	case f.kind == tLBrace && s.operand:
		c.msg, c.hint = "unexpected '='", "a key that is no name stands in brackets: [key] = value"
	case f.params:
		c.msg, c.hint = "unexpected '='", "parameters have no default values; write: a = a or 1"
	case !f.block():
		return false
	case s.peek(-1) == tRParen || s.peek(-1) == tString || s.peek(-1) == tRBrace:
		c.msg = "cannot assign to the result of a call or to a value"
		c.hint = "what stands left of '=' is a name, a field a.b or an entry a[b]"
	case s.operand && s.tokens[f.stmt].kind == tName:
		c.msg = "cannot assign to an expression"
		c.hint = "what stands left of '=' is a name, a field a.b or an entry a[b]"
	default:
		return false
	}
	return true
}

// lostCloser: a closer of something that is not open.
func lostCloser(s *shape, c *complaint) bool {
	tok := s.tokens[s.at]
	switch tok.kind {
	case tEnd, tUntil, tElse, tElseIf, tRParen, tRBrace, tRBracket, tThen:
	default:
		return false
	}
	if len(s.stack) > 1 || !s.complete() {
		return false
	}
	c.msg = fmt.Sprintf("unexpected '%s': nothing is open that it could belong to", tok.kind)
	if m := s.surplus; m.found && tok.kind == tEnd {
		c.hint = fmt.Sprintf("the 'end' at line %d already closed the '%s' of line %d, which its indentation does not show",
			s.line(int(s.tokens[m.end].from)), s.tokens[m.open].kind, s.line(int(s.tokens[m.open].from)))
	}
	return true
}

// complete tells whether a statement could end in front of the offending token.
func (s *shape) complete() bool {
	switch s.peek(-1) {
	case tAssign, tComma, tPlus, tMinus, tStar, tSlash, tPercent, tCaret, tHash, tEq, tNe, tLe, tGe, tLt, tGt,
		tConcat, tAnd, tOr, tNot, tDot, tColon, tLocal, tFor, tIn, tFunction, tGoto, tIf, tElseIf, tWhile, tUntil:
		return false
	}
	return true
}
