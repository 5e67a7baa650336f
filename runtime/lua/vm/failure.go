package vm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// Failure is a call that ended with an error.
type Failure struct {
	// Message says what went wrong, without a position.
	Message string
	// Chunk names the source that Line is in.
	Chunk string
	// Line is that of the failing statement, 0 where unknown.
	Line int
	// Frames are the calls that were running, the innermost first.
	Frames []Frame
	// Overrun: the budget was used up.
	Overrun bool
	// Canceled: the call was a task that [Task.Cancel] ended.
	Canceled bool
	// Broken: gopher-lua failed in a way it does not foresee; its state may be
	// damaged and should be made anew.
	Broken bool
}

// Error returns the message with its line.
func (f *Failure) Error() string {
	if f.Line == 0 {
		return f.Message
	}
	return fmt.Sprintf("line %d: %s", f.Line, f.Message)
}

// Frame is one running call of a traceback.
type Frame struct {
	Func  string // "function 'check'", "main chunk"
	Chunk string
	Line  int
}

// Traceback renders the frames, one a line.
func Traceback(frames []Frame) string {
	var b strings.Builder
	for i, f := range frames {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s:%d: in %s", f.Chunk, f.Line, f.Func)
	}
	return b.String()
}

// maxFrames is how many frames a traceback shows: the innermost, and the last
// few.
const (
	maxFrames   = 20
	outerFrames = 5
)

// fail is called by gopher-lua on the thread whose error nothing catches, with
// the error value on top.
func (v *VM) fail(L *glua.LState) {
	v.trace = v.frames(L)
	panic(&glua.ApiError{Type: glua.ApiErrorRun, Object: L.Get(-1)})
}

// frames lists the Lua functions running on L.
func (v *VM) frames(L *glua.LState) (list []Frame) {
	defer func() {
		// A frame that was about to be entered has no position yet, and
		// gopher-lua looks for one before its first instruction.
		_ = recover()
	}()
	var last glua.Debug
	same := 0
	for level := 0; same < maxFrames; level++ {
		dbg, ok := L.GetStack(level)
		if !ok {
			return list
		}
		// A function that tail calls replaced counts as a level for each of them,
		// and asking for one gives the same frame again.
		if *dbg == last {
			same++
			continue
		}
		last, same = *dbg, 0
		if _, err := L.GetInfo("Sln", dbg, glua.LNil); err != nil || dbg.What == "G" || !slices.Contains(v.chunks, dbg.Source) {
			continue
		}
		if len(list) == maxFrames {
			copy(list[maxFrames-outerFrames:], list[maxFrames-outerFrames+1:])
			list = list[:maxFrames-1]
		}
		list = append(list, Frame{Func: funcName(dbg), Chunk: dbg.Source, Line: max(dbg.CurrentLine, dbg.LineDefined)})
	}
	return list
}

func funcName(dbg *glua.Debug) string {
	switch {
	case dbg.LineDefined == 0:
		return "main chunk"
	case dbg.Name == "" || strings.ContainsAny(dbg.Name, "<(?") || dbg.Name == "main chunk" || dbg.Name == "corountine":
		return fmt.Sprintf("function <%s:%d>", dbg.Source, dbg.LineDefined)
	}
	return "function '" + dbg.Name + "'"
}

// recovered makes a failure of what a call panicked with.
func (v *VM) recovered(cause any) error {
	f := &Failure{Overrun: v.budget.overrun(), Frames: v.trace, Canceled: v.budget.cause != nil}
	thread := v.root.G.CurrentThread
	switch cause := cause.(type) {
	case nil:
		f.Message, f.Broken = lostYield, true
	case *glua.ApiError:
		f.Message = v.describe(cause.Object)
	default:
		f.Frames = v.frames(thread)
		f.Message, f.Broken = v.panicText(cause)
	}
	f.Chunk, f.Line, f.Message = v.position(f.Message)
	if f.Line == 0 && len(f.Frames) > 0 {
		f.Chunk, f.Line = f.Frames[0].Chunk, f.Frames[0].Line
	}
	f.Message = v.explain(f.Chunk, f.Line, f.Message)
	v.trace, v.guards, v.guarded, v.depth, v.yielded = nil, guards{}, nil, 0, nil
	v.parked, v.entered, v.leaving = nil, 0, false
	v.budget.enters, v.budget.outer = nil, nil
	v.co.wait = 0 // what the call held is free now
	return f
}

// panicText says what a Go panic inside gopher-lua means.
func (v *VM) panicText(cause any) (msg string, broken bool) {
	text := fmt.Sprint(cause)
	switch {
	case text == "lua callstack overflow":
		return text, false
	case v.budget.spent():
		return v.budget.Err().Error(), true
	case v.yielded != nil:
		return lostYield, true
	}
	return text, true
}

// lostYield is what gopher-lua makes of a yield that would have to cross a Go
// function: it goes on in the wrong thread.
const lostYield = "a yield cannot leave a metamethod, the iterator of a for loop, or a function that string.gsub or table.sort called"

// describe returns the text of an error value.
func (v *VM) describe(value glua.LValue) string {
	switch value := value.(type) {
	case glua.LString:
		return string(value)
	case glua.LNumber:
		return value.String()
	case *glua.LTable, *glua.LUserData:
		if text, ok := v.tostring(value); ok {
			return text
		}
	}
	return "error value is a " + value.Type().String()
}

// tostring calls the __tostring of an error value under the budget that is left.
func (v *VM) tostring(value glua.LValue) (text string, ok bool) {
	meta := v.root.GetMetaField(value, "__tostring")
	if meta == glua.LNil {
		return "", false
	}
	defer func() {
		if cause := recover(); cause != nil {
			text, ok = "error value whose __tostring failed", true
		}
	}()
	L := v.newThread(registryThread)
	L.Push(meta)
	L.Push(value)
	L.Call(1, 1)
	s, isString := L.Get(-1).(glua.LString)
	return string(s), isString
}

// position takes "chunk:line: " off the front of a message. Without it the chunk
// is the script.
func (v *VM) position(msg string) (chunk string, line int, rest string) {
	msg = strings.TrimPrefix(msg, preludePosition)
	for _, chunk := range v.chunks {
		after, ok := strings.CutPrefix(msg, chunk+":")
		if !ok {
			continue
		}
		digits, rest, ok := strings.Cut(after, ": ")
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(digits); err == nil && n > 0 {
			return chunk, n, rest
		}
	}
	return v.cfg.Chunk, 0, msg
}

// maxExplained is the longest message, in bytes, that is looked at: one may hold
// a key of a mebibyte.
const maxExplained = 4096

// explain words a message of gopher-lua for authors.
func (v *VM) explain(chunk string, line int, msg string) string {
	switch {
	case msg == "lua callstack overflow" || msg == "registry overflow" || msg == "stack overflow":
		return fmt.Sprintf("stack overflow: calls nest at most %d deep", v.cfg.Limits.CallDepth)
	case strings.HasPrefix(msg, "runtime error: index out of range [-1]"):
		return fmt.Sprintf("stack overflow: a call holds at most %d values", v.cfg.Limits.Stack)
	case len(msg) > maxExplained:
		return msg
	case strings.HasPrefix(msg, "runtime error: "):
		return "the interpreter failed: " + strings.TrimPrefix(msg, "runtime error: ")
	}
	if v.cfg.Explain != nil {
		return v.cfg.Explain(chunk, line, msg)
	}
	return msg
}
