package source

import "fmt"

// missingHead: a statement's "then", "do", "in" or "=" is missing.
func missingHead(s *shape, c *complaint) bool {
	f := s.top()
	if f.awaits == tEOF || !s.operand {
		return false
	}
	wanted := fmt.Sprintf("'%s'", f.awaits)
	if f.kind == tFor && s.declaring {
		wanted = "'=' or 'in'"
		if s.peek(-2) == tComma {
			wanted = "'in'"
		}
	}
	c.msg = wanted + " expected" + s.near()
	c.hint = s.opened(f)
	if s.peek(0) == tDo && f.awaits == tThen {
		c.hint = "'if' goes with 'then', 'while' and 'for' with 'do'"
	}
	return true
}

// missingCloser: something is open, what is in it could end here, and the
// offending token does not go on with it.
func missingCloser(s *shape, c *complaint) bool {
	f := s.top()
	tok := s.peek(0)
	if len(s.stack) == 1 {
		return false
	}
	if f.block() {
		switch tok {
		case tEOF, tRParen, tRBrace, tRBracket, tEnd, tUntil, tElse, tElseIf:
		default:
			return false
		}
		if !s.complete() {
			return false
		}
	} else if !s.operand && s.peek(-1) != tComma && s.peek(-1) != tSemicolon && s.peek(-1) != f.kind {
		return false
	}
	closer := closerOf(f)
	if closer == tok {
		return false
	}
	c.msg = fmt.Sprintf("'%s' expected%s", closer, s.near())
	c.hint = s.opened(f)
	switch {
	case f.block():
		s.suspect(c, f)
	case s.operand && (tok == tName || tok.literal() || tok == tLBrace || tok == tFunction):
		if c.hint += "; or a ',' is missing in front"; f.kind == tLBrace && s.peek(-1) == tName && tok != tName {
			c.hint = "a field is written name = value, and a ',' stands between fields"
		}
	}
	return true
}

// suspect adds where a missing "end" likely belongs, by indentation.
func (s *shape) suspect(c *complaint, f *frame) {
	opener := s.tokens[f.open]
	if f.kind == tIf && f.open > 0 && s.tokens[f.open-1].kind == tElse &&
		s.line(int(opener.from)) == s.line(int(s.tokens[f.open-1].from)) {
		c.hint += "; 'else if' opens a second 'if' with an 'end' of its own, 'elseif' does not"
		return
	}
	if f.kind == tIf && f.last && (s.peek(0) == tElse || s.peek(0) == tElseIf) {
		c.hint = "'else' is the last part of an 'if', and there is one of it"
		return
	}
	if m := s.lacking; m.found {
		lost := s.tokens[m.open]
		c.hint = fmt.Sprintf("by its indentation the '%s' of line %d has no '%s'",
			lost.kind, s.line(int(lost.from)), closerOf(&frame{kind: lost.kind}))
	}
}

// afterReturn: something follows "return", which ends its block.
func afterReturn(s *shape, c *complaint) bool {
	f := s.top()
	if !f.block() || f.stmt >= s.at {
		return false
	}
	last := s.tokens[f.stmt].kind
	if k := s.tokens[s.at-1].kind; k == tBreak || k == tReturn {
		last = k
	} else if k == tSemicolon && s.at > 1 && s.tokens[s.at-2].kind == tBreak {
		last = tBreak
	}
	if last != tReturn && last != tBreak || !s.complete() {
		return false
	}
	wanted := "'" + closerOf(f).String() + "'"
	if len(s.stack) == 1 {
		wanted = "the end of the file"
	}
	c.msg = wanted + " expected" + s.near()
	c.hint = fmt.Sprintf("'%s' is the last statement of its block; to leave early write: do %s end", last, last)
	return true
}

// wantsArguments: "a:b" is no value.
func wantsArguments(s *shape, c *complaint) bool {
	if s.peek(-1) != tName || s.peek(-2) != tColon || s.declaring {
		return false
	}
	c.msg = "arguments expected" + s.near()
	c.hint = fmt.Sprintf("':' calls a method; the field is read with '.%s'", s.spelling(-1))
	return true
}

// wantsAssignment: a statement that is only a value.
func wantsAssignment(s *shape, c *complaint) bool {
	f := s.top()
	if !f.block() || !s.operand || f.stmt >= s.at {
		return false
	}
	first := s.tokens[f.stmt]
	switch {
	case first.kind == tLocal:
		c.msg = "'=' expected" + s.near()
		switch k := s.peek(0); {
		case k == tDot || k == tColon || k == tLBracket:
			c.hint = "'local' declares plain names; a field is assigned without it"
		case k == tLParen || k == tString || k == tLBrace:
			c.hint = "to call it leave out 'local'; to declare a function write: local function " + s.spelling(-1) + "()"
		}
	case s.binary():
		c.msg = "unexpected " + quote(s.src, s.tokens[s.at])
		c.hint = "a statement is a call or an assignment, and what stands here is only a value"
	case s.prefix && s.peek(-1) != tRParen:
		c.msg = "'=' expected" + s.near()
		c.hint = fmt.Sprintf("'%s' alone does nothing: assign it or call it", quoteRange(s, f.stmt, s.at-1))
	default:
		return false
	}
	return true
}

// quoteRange puts a run of tokens into a message.
func quoteRange(s *shape, from, to int) string {
	text := s.src[s.tokens[from].from:s.tokens[to].to]
	for i, b := range text {
		if b < ' ' {
			text = text[:i]
			break
		}
	}
	return string(clip(text))
}

// binary tells whether the offending token is a binary operator.
func (s *shape) binary() bool {
	switch k := s.peek(0); k {
	case tAnd, tOr, tConcat:
		return true
	default:
		return k >= tPlus && k <= tGt && k != tHash
	}
}
