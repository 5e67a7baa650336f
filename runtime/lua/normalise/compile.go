package normalise

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/hookd/hookd/runtime/lua/syntax"
	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// Limits that gopher-lua has and does not check.
const (
	// maxUpvalues is how many a function may have: their count is a byte.
	maxUpvalues = 255
	// maxJump is the longest jump, in instructions, and so the longest function.
	maxJump = 1<<17 - 1
	// maxBatches is how often a constructor may store list items.
	maxBatches = 511
)

// Compile normalises a chunk and compiles it. It uses the chunk's tree up:
// whatever else wants to look at that must do so before. The list is empty if
// and only if there is a prototype, which may be shared by any number of states
// and goroutines. Functions, where it is not nil, is filled with what the
// prototypes were made of. Compile never panics.
func Compile(chunk *source.Chunk, functions Functions) (proto *lua.FunctionProto, list diag.List) {
	defer func() {
		if p := recover(); p != nil {
			proto, list = nil, diag.List{complain(chunk, 0, "", fmt.Sprintf("the compiler failed: %v", p), "")}
		}
	}()
	if list = refuse(chunk); len(list) > 0 {
		return nil, list
	}
	chunk.Stmts = Chunk(chunk.Stmts, 0)
	l := mark(chunk.Stmts)
	proto, err := lua.Compile(chunk.Stmts, chunk.Name)
	l.unmark(proto, functions)
	if err != nil {
		return nil, diag.List{compileError(chunk, err)}
	}
	if list = trim(chunk, proto); len(list) > 0 {
		return nil, list
	}
	return proto, nil
}

// complain builds a diagnostic; token says what on the line is meant.
func complain(chunk *source.Chunk, line int, token, msg, hint string) *diag.Diagnostic {
	col, text := diag.Locate(chunk.Src, line, token)
	return &diag.Diagnostic{File: chunk.Name, Line: line, Col: col, Width: len(token), Source: text, Msg: msg, Hint: hint}
}

// compileError says what the compiler found.
func compileError(chunk *source.Chunk, err error) *diag.Diagnostic {
	var ce *lua.CompileError
	if !errors.As(err, &ce) {
		return complain(chunk, 0, "", err.Error(), "")
	}
	msg, hint, token := ce.Message, "", ""
	switch {
	case msg == "too many local variables", msg == "register overflow", msg == "register overflow(too many local variables)":
		token = "function"
		msg = "a function needs more than 200 locals and intermediate values"
		hint = "put variables that belong together into tables, or code into functions; arguments and operands count too"
	case msg == "too many constants", msg == "too long to jump.":
		token = "function"
		msg = "a function is too long"
		hint = "split it"
	}
	return complain(chunk, ce.Line, token, msg, hint)
}

// refuse finds what the compiler would get wrong and no rewrite helps: list
// items whose batch has a number of more than nine bits.
func refuse(chunk *source.Chunk) diag.List {
	var list diag.List
	syntax.All(chunk.Stmts, func(ast.Stmt) {}, func(e ast.Expr) {
		if t, ok := e.(*ast.TableExpr); ok && items(t) > maxBatches*lua.FieldsPerFlush {
			list = append(list, complain(chunk, t.Line(), "{",
				fmt.Sprintf("a table of more than %d list items", maxBatches*lua.FieldsPerFlush),
				"move its data to a store or a data file, or nest tables"))
		}
	})
	list.Sort()
	return list
}

// items counts the list items of a constructor.
func items(t *ast.TableExpr) int {
	n := 0
	for _, f := range t.Fields {
		if f.Key == nil {
			n++
		}
	}
	return n
}

// trim gives back what the compiler allocated in advance, some 14 KB a
// function, and checks what it does not.
func trim(chunk *source.Chunk, proto *lua.FunctionProto) diag.List {
	var list diag.List
	if n := len(proto.DbgUpvalues); n > maxUpvalues {
		list = append(list, complain(chunk, proto.LineDefined, "function",
			fmt.Sprintf("a function uses %d variables of the functions around it: the limit is %d", n, maxUpvalues),
			"put them into a table"))
	}
	if n := len(proto.Code); n > maxJump {
		list = append(list, complain(chunk, proto.LineDefined, "function",
			fmt.Sprintf("a function of %d instructions is too long: the limit is %d", n, maxJump), "split it"))
	}
	proto.Code = slices.Clone(proto.Code)
	proto.DbgSourcePositions = slices.Clone(proto.DbgSourcePositions)
	proto.Constants = slices.Clone(proto.Constants)
	proto.FunctionPrototypes = slices.Clone(proto.FunctionPrototypes)
	proto.DbgLocals = slices.Clone(proto.DbgLocals)
	proto.DbgCalls = slices.Clone(proto.DbgCalls)
	for _, child := range proto.FunctionPrototypes {
		list = append(list, trim(chunk, child)...)
	}
	return list
}
