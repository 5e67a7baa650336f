package source

import "fmt"

// keyword takes a reserved word that is neither an operator nor a value.
func (s *shape) keyword(k kind) {
	s.restart()
	declaring := s.declaring
	s.ended(false, false)
	s.declaring = false
	switch k {
	case tLocal, tGoto:
		s.declaring = true
		if k == tGoto {
			s.countLabel()
		}
	case tReturn:
	case tIn:
	case tBreak:
		s.breaks()
		s.boundary = true
	case tIf:
		s.push(frame{kind: k, awaits: tThen})
	case tWhile:
		s.push(frame{kind: k, awaits: tDo})
	case tFor:
		s.push(frame{kind: k, awaits: tDo})
		s.declaring = true
	case tRepeat:
		s.push(frame{kind: k})
		s.boundary = true
	case tFunction:
		s.functionHead(declaring)
	case tDo, tThen:
		s.head(k)
	case tElse, tElseIf:
		s.arm(k)
	case tEnd, tUntil:
		s.close(k)
	}
}

// functionHead takes "function"; its frame lasts to its "end".
func (s *shape) functionHead(local bool) {
	if s.functions++; s.functions > MaxFunctions {
		s.refuse(fmt.Sprintf("more than %d functions in one file", MaxFunctions), "split the file")
	}
	inline := !local && s.at+1 < len(s.tokens) && s.tokens[s.at+1].kind == tLParen
	s.push(frame{kind: tFunction, inline: inline})
	s.declaring = true
}

// head takes "do" and "then", which end the head of a statement or, in the case
// of "do", begin one.
func (s *shape) head(k kind) {
	f := s.top()
	switch {
	case f.awaits == k:
		f.awaits = tEOF
	case k == tDo && f.block():
		s.push(frame{kind: k})
	default:
		s.broken = true
		return
	}
	s.boundary = true
}

// arm takes "else" and "elseif".
func (s *shape) arm(k kind) {
	f := s.top()
	if f.kind != tIf || f.awaits != tEOF || f.last {
		s.broken = true
		return
	}
	if k == tElseIf {
		f.awaits = tThen
		f.arms = s.grow(&s.chain, 1, f.arms)
		return
	}
	f.last, s.boundary = true, true
}

// close takes "end" and "until".
func (s *shape) close(k kind) {
	f := s.top()
	ends := tEnd
	if f.kind == tRepeat {
		ends = tUntil
	}
	if len(s.stack) == 1 || !f.block() || ends != k {
		s.broken = true
		return
	}
	s.compareIndents(f.open, s.at)
	closed := s.pop()
	s.ended(closed.inline, false)
	s.boundary = !closed.inline && k == tEnd
}

// breaks checks that there is a loop to break.
func (s *shape) breaks() {
	for i := len(s.stack) - 1; i >= 0; i-- {
		switch s.stack[i].kind {
		case tWhile, tFor, tRepeat:
			return
		case tFunction, tEOF:
			s.problem("no loop to break", "'break' ends the loop around it, within one function")
			return
		}
	}
}

func (s *shape) countLabel() {
	if s.labels++; s.labels > MaxLabels {
		s.refuse(fmt.Sprintf("more than %d labels and gotos in one file", MaxLabels), "use loops and functions")
	}
}

func (s *shape) countConstant() {
	tok := s.tokens[s.at]
	spelling := s.src[tok.from:tok.to]
	if _, ok := s.constants[string(spelling)]; ok {
		return
	}
	s.constants[string(spelling)] = struct{}{}
	if len(s.constants) > MaxConstants {
		s.refuse(fmt.Sprintf("more than %d different names, numbers and strings in one file", MaxConstants),
			"split it, or move its data to a store or a data file")
	}
}

// compareIndents notes when the end of a block that stands first on its line
// does not stand under the line that opened the block.
func (s *shape) compareIndents(open, end int) {
	opened, closed := s.tokens[open], s.tokens[end]
	above, below := s.line(int(opened.from)), s.line(int(closed.from))
	if above == below {
		return
	}
	last := s.indent(below)
	if s.lines[below-1]+int32(last) != closed.from {
		return
	}
	first := s.indent(above)
	switch m := (misfit{open, end, true}); {
	case last < first && !s.lacking.found:
		s.lacking = m
	case last > first && !s.surplus.found:
		s.surplus = m
	}
}
