package source

import "fmt"

// frame is something that was opened and has to be closed: a bracket, a block
// or, at the bottom, the chunk.
type frame struct {
	open int  // index of the opening token
	kind kind // its kind; tEOF for the chunk
	// awaits is tThen or tDo while the head of a statement is being read.
	awaits kind
	stmt   int // index of the first token of the statement being read

	call    bool // a bracket that continues an expression: f(, t[, f{
	params  bool // the parentheses of a function's parameters
	inline  bool // a function that is a value
	last    bool // an if that had its else
	varargs bool // a function or chunk in which ... means something

	// How deep the tree of the expression being read will be: tight counts
	// unary operators and ^, right counts .., left the other operators and
	// suffixes the calls and indexes of the operand being read. Arms counts
	// elseifs, each of which is a tree in the one before.
	tight, right, left, suffixes, arms int
}

// block tells whether statements stand in f.
func (f *frame) block() bool {
	switch f.kind {
	case tLParen, tLBracket, tLBrace:
		return false
	}
	return f.awaits == tEOF
}

// shape follows the tokens of a source as far as brackets, blocks and the ends
// of operands go. That is enough to refuse what is nested too deep before
// anything recurses over it, and to explain the parser's errors afterwards.
type shape struct {
	text
	tokens   []token
	stack    []frame
	problems []*complaint
	limit    *complaint // a limit was passed; nothing after it was looked at
	at       int        // index of the next token
	broken   bool       // tokens[at] closes what is not open

	operand   bool // the last token ended an operand
	prefix    bool // and that operand can be called or indexed
	boundary  bool // a statement begins here, whatever it is
	declaring bool // the names being read are declared, not used

	nesting   int // sum over the stack of tight and right, and the stack itself
	chain     int // sum over the stack of left, suffixes and arms
	functions int
	labels    int
	constants map[string]struct{} // spellings of names and literals

	// The first block whose "end" stands further left than its opening, and
	// the first "end" that stands further right: where indentation says that
	// one is missing or one is too many.
	lacking, surplus misfit
}

// misfit is a pair of tokens whose indentation does not fit.
type misfit struct {
	open, end int
	found     bool
}

// trace follows the tokens in front of index until.
func trace(t text, tokens []token, until int) *shape {
	s := &shape{text: t, tokens: tokens, boundary: true, constants: make(map[string]struct{})}
	s.push(frame{kind: tEOF, varargs: true})
	for ; s.at < until && s.limit == nil; s.at++ {
		if s.step(tokens[s.at].kind); s.broken {
			return s
		}
	}
	return s
}

func (s *shape) top() *frame { return &s.stack[len(s.stack)-1] }

// function returns the frame of the innermost function, or of the chunk.
func (s *shape) function() *frame {
	for i := len(s.stack) - 1; i > 0; i-- {
		if f := &s.stack[i]; f.kind == tFunction {
			return f
		}
	}
	return &s.stack[0]
}

func (s *shape) push(f frame) {
	f.open, f.stmt = s.at, s.at
	s.stack = append(s.stack, f)
	s.grow(&s.nesting, 1, 0)
}

func (s *shape) pop() frame {
	f := *s.top()
	s.nesting -= 1 + f.tight + f.right
	s.chain -= f.left + f.suffixes + f.arms
	s.stack = s.stack[:len(s.stack)-1]
	return f
}

// grow adds to one of the sums, and to the frame's own counter if there is one.
func (s *shape) grow(sum *int, by, own int) int {
	*sum += by
	switch {
	case s.nesting > MaxNesting+1: // the chunk is a frame too
		s.refuse(fmt.Sprintf("nested deeper than %d levels", MaxNesting),
			"split it: brackets, blocks, unary operators and chains of .. and ^ count")
	case s.chain > MaxChain:
		s.refuse(fmt.Sprintf("expression of more than %d operators, calls and indexes", MaxChain),
			"split it with local variables, or put its data in a table; arithmetic operators count fourfold")
	}
	return own + by
}

func (s *shape) refuse(msg, hint string) {
	if s.limit == nil {
		t := s.tokens[min(s.at, len(s.tokens)-1)]
		s.limit = &complaint{from: int(t.from), to: int(t.to), msg: msg, hint: hint}
	}
}

func (s *shape) problem(msg, hint string) {
	t := s.tokens[s.at]
	s.problems = append(s.problems, &complaint{from: int(t.from), to: int(t.to), msg: msg, hint: hint})
}

// restart forgets the expression being read.
func (s *shape) restart() {
	f := s.top()
	s.nesting -= f.tight + f.right
	s.chain -= f.left + f.suffixes
	f.tight, f.right, f.left, f.suffixes = 0, 0, 0, 0
}

// operator counts a binary operator.
func (s *shape) operator(k kind) {
	f := s.top()
	s.chain -= f.suffixes
	f.suffixes = 0
	if k == tCaret {
		f.tight = s.grow(&s.nesting, 1, f.tight)
		return
	}
	s.nesting -= f.tight
	f.tight = 0
	switch k {
	case tConcat:
		f.right = s.grow(&s.nesting, 1, f.right)
		return
	case tEq, tNe, tLt, tLe, tGt, tGe, tAnd, tOr:
		s.nesting -= f.right
		f.right = 0
		f.left = s.grow(&s.chain, 1, f.left)
	default:
		f.left = s.grow(&s.chain, arithmeticWeight, f.left)
	}
}

func (s *shape) suffix() {
	f := s.top()
	f.suffixes = s.grow(&s.chain, 1, f.suffixes)
}

// step takes one token.
func (s *shape) step(k kind) {
	s.begin(k)
	switch k {
	case tPlus, tStar, tSlash, tPercent, tCaret, tConcat,
		tEq, tNe, tLt, tLe, tGt, tGe, tAnd, tOr:
		s.operator(k)
		s.ended(false, false)
	case tMinus, tNot, tHash:
		if s.operand && k == tMinus {
			s.operator(k)
		} else {
			f := s.top()
			f.tight = s.grow(&s.nesting, 1, f.tight)
		}
		s.ended(false, false)
	case tName, tNumber, tString, tNil, tTrue, tFalse, tDots:
		s.value(k)
	case tDot, tColon:
		s.operand, s.prefix = false, false
		s.suffix()
	case tLParen, tLBrace, tLBracket:
		s.open(k)
	case tRParen, tRBrace, tRBracket:
		s.shut(k)
	case tAssign, tComma:
		s.separator(k)
		s.restart()
		s.ended(false, false)
		s.declaring = s.declaring && k == tComma
	case tSemicolon, tLabel:
		s.separator(k)
		s.restart()
		s.ended(false, false)
		s.boundary, s.declaring = true, false
		if k == tLabel {
			s.countLabel()
		}
	default:
		s.keyword(k)
	}
}

// separator refuses a second separator between the fields of a table.
func (s *shape) separator(k kind) {
	if s.top().kind != tLBrace || k != tComma && k != tSemicolon || s.at == 0 {
		return
	}
	if prev := s.tokens[s.at-1].kind; prev == tComma || prev == tSemicolon {
		s.problem("unexpected '"+k.String()+"'", "one separator stands between two fields")
	}
}

// begin notes where statements begin.
func (s *shape) begin(k kind) {
	f := s.top()
	starts := s.boundary
	switch k {
	case tName:
		starts = starts || s.operand
	case tLParen:
		starts = starts || s.operand && !s.prefix
	case tLocal, tIf, tWhile, tFor, tRepeat, tReturn, tBreak, tGoto, tDo:
		starts = true
	}
	s.boundary = false
	if starts && f.block() {
		f.stmt = s.at
	}
}

func (s *shape) ended(operand, prefix bool) {
	s.operand, s.prefix = operand, prefix
}

// value takes a name or a literal.
func (s *shape) value(k kind) {
	s.countConstant()
	called := k == tString && s.prefix
	attribute := s.at > 0 && (s.tokens[s.at-1].kind == tDot || s.tokens[s.at-1].kind == tColon)
	switch {
	case called:
		s.suffix()
	case s.operand:
		s.restart()
		s.declaring = false // declared names have commas between them
	case !attribute:
		f := s.top()
		s.chain -= f.suffixes
		f.suffixes = 0
	}
	if k == tDots {
		s.dots()
	}
	s.ended(true, called || k == tName && !s.declaring)
}

// dots takes "...", which declares or uses the extra arguments of a function.
func (s *shape) dots() {
	if s.top().params {
		s.function().varargs = true
	} else if !s.function().varargs {
		s.problem("cannot use '...' outside a vararg function",
			"give the function a parameter ... to take it from")
	}
}

// open takes an opening bracket.
func (s *shape) open(k kind) {
	f := frame{kind: k, call: s.prefix}
	switch {
	case k == tLParen && s.top().kind == tFunction && s.declaring:
		f.params, f.call = true, false
	case k == tLParen && s.prefix && s.newline():
		s.problem("ambiguous syntax (function call x new statement)",
			"put ';' in front if it begins a statement, else move it up to the function")
	case s.operand && !s.prefix:
		s.restart()
	}
	s.declaring = f.params
	s.push(f)
	s.ended(false, false)
}

// newline tells whether a line ends between this token and the one before.
func (s *shape) newline() bool {
	if s.at == 0 {
		return false
	}
	for _, c := range s.src[s.tokens[s.at-1].to:s.tokens[s.at].from] {
		if c == '\n' || c == '\r' {
			return true
		}
	}
	return false
}

// shut takes a closing bracket.
func (s *shape) shut(k kind) {
	if s.top().kind != counterpart(k) {
		s.broken = true
		return
	}
	f := s.pop()
	switch {
	case f.params:
		s.ended(false, false)
		s.boundary, s.declaring = true, false
		return
	case f.call:
		s.suffix()
	case k == tRParen && f.open == s.top().stmt && s.top().block() && !s.continued():
		s.problem("a value in parentheses is no statement", "a call stands alone without them")
	}
	s.ended(true, f.call || k == tRParen)
}

// continued tells whether the next token calls or indexes what the last one
// ended, or is the parser's to refuse.
func (s *shape) continued() bool {
	switch s.tokens[s.at+1].kind {
	case tLParen, tLBrace, tLBracket, tString, tDot, tColon, tAssign, tComma:
		return true
	}
	return false
}

// counterpart returns what has to be open for k to close.
func counterpart(k kind) kind {
	switch k {
	case tRParen:
		return tLParen
	case tRBrace:
		return tLBrace
	}
	return tLBracket
}
