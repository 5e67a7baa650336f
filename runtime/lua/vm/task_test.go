package vm

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	glua "github.com/yuin/gopher-lua"
)

// positions are programs that wait where a function can be called. wait(...)
// returns its arguments; say writes a line.
var positions = []struct{ name, src string }{
	{"body", `local a, b = wait(1, nil) say(a, b) wait() say "end" return a`},
	{"tail call", `local function f(x) return wait(x, 2) end say(f(1)) return wait(3)`},
	{"nested tail call", `local function f(n) if n == 0 then return wait("deep", n) end return f(n - 1) end
		local function g() return f(20) end say(g()) return g()`},
	{"pcall", `say(pcall(wait, 1, 2)) say(pcall(function() return wait(3), wait(4) end))
		local n = 0 local function inc() n = n + 1 end
		pcall(function() inc() wait() inc() error "x" end) inc() say(n)`},
	{"nested pcall", `say(pcall(pcall, pcall, wait, 1)) say(xpcall(function()
			local ok, err = pcall(function() wait() error({}) end) wait() error(type(err)) end,
			function(e) wait() return "handled " .. e end))`},
	{"error after wait", `say(pcall(function() wait(1)
			local t = nil
			return t.x end)) wait() error "at the end"`},
	{"iterator", `local function upto(n) local i = 0 return function() i = i + 1 if wait(i) <= n then return i, wait(i * i) end end end
		for i, sq in upto(4) do say(i, sq) if i == 3 then wait() end end
		for i in wait, 1 do say(i) break end
		for k, v in pairs { a = 1 } do wait() say(k, v) end`},
	{"metamethod", `local mt = {} local o = setmetatable({}, mt)
		mt.__index = function(t, k) return wait(k) .. "!" end mt.__newindex = function(t, k, v) wait() rawset(t, k, wait(v)) end
		mt.__call = function(self, a) return wait(a) end mt.__add = function(a, b) return wait "sum" end
		mt.__eq = function() return wait(true) end mt.__lt = function() return wait(true) end mt.__le = function() return wait(false) end
		mt.__concat = function() return wait "cat" end mt.__unm = function() return wait "neg" end mt.__tostring = function() return wait "text" end
		say(o.x, o(7), o + 1, o == setmetatable({}, mt), o < o, o <= o, o .. "x", -o, tostring(o)) o.y = 5 say(rawget(o, "y"))`},
	{"gsub", `say((("a b c"):gsub("%a", function(s) return wait(s):upper() .. ("xyz"):gsub("y", function() return wait "-" end) end)))
		say((("k"):gsub("k", setmetatable({}, { __index = function(_, k) return wait(k .. k) end }))))`},
	{"sort", `local t = { 5, 2, 9, 1, 7, 3, 8 } table.sort(t, function(a, b) return wait(a) < wait(b) end) say(table.concat(t, " "))`},
	{"vararg", `local function v(...) return select("#", ...), ... end
		say(v(wait(1, nil, nil))) say(v((wait(1, 2)))) say(v(wait(1), wait(2, 3)))
		local function pass(...) wait() return ... end say(pass(1, nil, 3))`},
	{"table constructor", `local t = { wait(1), wait(2, 3), k = wait(4), wait(5, 6, 7) } say(#t, t[2], t[3], t[5], t.k)
		say(#{ wait() }, #{ (wait(1, 2)) })`},
	{"coroutine in coroutine", `local co = coroutine.wrap(function(a)
			local b = coroutine.yield(wait(a)) wait()
			local inner = coroutine.wrap(function() for i = 1, 2 do coroutine.yield(wait(i)) end end)
			say(inner(), pcall(inner), coroutine.running() ~= nil) return wait(b) end)
		say(co(1)) wait() say(co(2)) say(pcall(co))
		local bad = coroutine.create(function() wait() error "inside" end) say(coroutine.resume(bad)) say(coroutine.status(bad))`},
	{"condition and operands", `if wait(false) then say "no" elseif wait(1) then say "yes" end
		local n = 0 while wait(n) < 3 do n = n + wait(1) end say(n)
		repeat n = n - 1 until wait(n) == 0 say(n, wait(nil) or wait "or", not wait(1), #wait "four", wait(2) ^ wait(3))
		for i = wait(1), wait(3), wait(1) do say(i) end
		local a, b = wait(1), wait(2) a, b = b, wait(a) say(a, b, "x" .. wait "y" .. wait(1))`},
	{"results that are too many or too few", `local a, b, c = wait(1) say(a, b, c) local d = wait(1, 2, 3) say(d) wait(1, 2)
		local x, y, z = 7, wait() say(x, y, z) say(wait(1, 2, 3)) say((wait())) local t = { wait(), wait(nil, 2), wait() } say(#t, t[1], t[2])
		local mt = setmetatable({}, { __index = function(t, k) return k end }) local p, q = wait() say(p, q, mt.x, mt.y, p, q)`},
	{"deep down", `local function f(n, ...) if n == 0 then return wait(...) end local a, b = f(n - 1, n, ...) return a, b, n end
		say(f(40)) say(pcall(f, 30, 1, 2)) local function g(n) if n > 0 then return (g(n - 1)) end wait() error "deep" end say(pcall(g, 25)) g(20)`},
	{"errors through threads", `say(type(select(2, pcall(coroutine.wrap(function() wait() error { 1 } end)))))
		say(pcall(function() local f = coroutine.wrap(function() wait(1)
			error("in it") end) f() end))
		say(coroutine.resume(coroutine.create(function() pcall(error, "x") wait() local ok, err = pcall(function() wait() error "y" end) wait() return ok, err end)))
		say(xpcall(function() wait() error "z" end, function(e) wait() error(e) end)) say(xpcall(function() wait() error "z" end, 5))
		say(xpcall(function() wait() return 1, nil end, error)) say(select("#", pcall(function() wait() end)), select("#", xpcall(function() error() end, function() wait() end)))
		local f = coroutine.wrap(function() wait() error "uncaught" end)
		f()
		say "never"`},
	{"coroutines and waits in turn", `local gen = coroutine.wrap(function(a) for i = 1, 3 do a = coroutine.yield(wait(a, i)) end return "last" end)
		for i = 1, 4 do say(gen(wait(i * 10))) end say(pcall(gen))
		local outer = coroutine.create(function() local inner = coroutine.create(function() coroutine.yield(wait(1)) wait() return 2 end)
			say(coroutine.resume(inner)) coroutine.yield("between") say(coroutine.resume(inner)) say(coroutine.status(inner), coroutine.running() ~= nil) return wait("o") end)
		say(coroutine.resume(outer)) say(coroutine.status(outer)) say(coroutine.resume(outer)) say(coroutine.status(outer)) say(coroutine.resume(outer))`},
	{"what waits is all there is", `say(coroutine.wrap(wait)(1, 2)) say(pcall(coroutine.wrap(wait), 3)) say(coroutine.wrap(function(...) return wait(...) end)(4, 5))
		say(coroutine.wrap(function() return pcall(wait, 6) end)()) local co = coroutine.create(wait) say(coroutine.resume(co, 7)) say(coroutine.status(co)) say(coroutine.resume(co))
		return pcall(wait, 8)`},
	{"upvalues that outlive", `local function make() local n = wait(1) local function inc() n = n + 1 return n end wait() inc() return inc, function() return n end end
		local inc, get = make() wait() say(inc(), get(), wait(get())) for i = 1, 2 do local j = i pcall(function() wait() j = j + inc() end) say(j) end`},
	{"closures and upvalues", `local fs = {} for i = 1, 3 do local x = wait(i) fs[i] = function() x = x + 1 return x end wait() end
		say(fs[1](), fs[1](), fs[2](), wait(fs[3]()))`},
}

// waiting is a machine whose tasks wait with wait, if they do at all.
type waiting struct {
	*VM
	said map[*Task]*strings.Builder
	main strings.Builder
	held map[*Task][]glua.LValue
}

func newWaiting(tb testing.TB, limits Limits) *waiting {
	w := &waiting{said: map[*Task]*strings.Builder{}, held: map[*Task][]glua.LValue{}}
	w.VM = New(Config{Chunk: "t.lua", Limits: limits})
	tb.Cleanup(w.Close)
	w.Globals().RawSetString("wait", w.State().NewFunction(func(L *glua.LState) int {
		var args []glua.LValue
		for i := 1; i <= L.GetTop(); i++ {
			args = append(args, L.Get(i))
		}
		if t := w.Task(); t != nil {
			w.held[t] = args
			if _, parks := w.parkable(L); parks != (interpreters() == 1+w.depth-w.entered) {
				tb.Errorf("parks: %t, with %d interpreters on the stack for %d threads", parks, interpreters(), 1+w.depth-w.entered)
			}
			return w.Wait(L)
		}
		for _, a := range args {
			L.Push(a)
		}
		return len(args)
	}))
	w.Globals().RawSetString("say", w.State().NewFunction(func(L *glua.LState) int {
		out := &w.main
		if t := w.Task(); t != nil {
			out = w.said[t]
		}
		for i := 1; i <= L.GetTop(); i++ {
			fmt.Fprintf(out, "%s\t", w.show(L, L.Get(i)))
		}
		out.WriteString("\n")
		return 0
	}))
	return w
}

// interpreters returns how many loops of gopher-lua run on this goroutine, one for each
// thread and one for each call that Go code of it made.
func interpreters() (n int) {
	pcs := make([]uintptr, 2000)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for {
		frame, more := frames.Next()
		if frame.Function == "github.com/yuin/gopher-lua.mainLoopWithContext" {
			n++
		}
		if !more {
			return n
		}
	}
}

// start begins a task and reports whether it ended at once.
func (w *waiting) start(tb testing.TB, fn *glua.LFunction) *Task {
	tb.Helper()
	t, err := w.NewTask()
	if err != nil {
		tb.Fatal(err)
	}
	w.said[t] = &strings.Builder{}
	t.Thread().Push(fn)
	t.Start(200_000, "handler", 0)
	return t
}

// finish resumes a task until it ended and returns what it did.
func (w *waiting) finish(t *Task) string {
	for !t.ended {
		t.Resume(200_000, "handler", w.held[t]...)
	}
	defer t.End()
	return w.said[t].String() + outcome(t.Result(1))
}

func outcome(v glua.LValue, err error) string {
	var f *Failure
	if errors.As(err, &f) {
		return fmt.Sprintf("failed: %v\n%s", err, Traceback(f.Frames))
	}
	return "returned " + v.String()
}

// direct runs fn as a call that does not wait.
func (w *waiting) direct(fn *glua.LFunction) string {
	w.main.Reset()
	w.Begin(200_000, "handler").Push(fn)
	err := w.Call(0, 1)
	text := w.main.String() + outcome(w.Result(1), err)
	w.End()
	return text
}

func TestWaitingChangesNothing(t *testing.T) {
	t.Parallel()
	for _, p := range positions {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			w := newWaiting(t, Limits{})
			fn := load(t, w.VM, p.src)
			want := w.direct(fn)
			if failed := strings.Contains(want, "failed: "); failed != (p.name == "error after wait" || p.name == "deep down" || p.name == "errors through threads") {
				t.Fatalf("without waiting: %s", want)
			}
			if diff := cmp.Diff(want, w.finish(w.start(t, fn))); diff != "" {
				t.Errorf("what never waits, and what does:\n%s", diff)
			}
		})
	}
}

// TestWaitsKeepNoResults has a task wait again: what its wait before returned is the script's alone.
func TestWaitsKeepNoResults(t *testing.T) {
	t.Parallel()
	w := newWaiting(t, Limits{})
	task := w.start(t, load(t, w.VM, `wait() wait() return "end"`))
	if ended := task.Resume(200_000, "handler", glua.LString("much")); ended || task.values != nil {
		t.Errorf("ended %t, with %v", ended, task.values)
	}
	if got := w.finish(task); got != "returned end" {
		t.Error(got)
	}
}

// TestTasksAreApart has all programs wait at the same time, three times over,
// each taking its turn.
func TestTasksAreApart(t *testing.T) {
	t.Parallel()
	w := newWaiting(t, Limits{})
	var tasks []*Task
	var want []string
	var fns []*glua.LFunction
	for range 3 {
		for _, p := range positions {
			fn := load(t, w.VM, p.src)
			fns, want = append(fns, fn), append(want, w.direct(fn))
			tasks = append(tasks, w.start(t, fn))
		}
	}
	for round, live := 0, true; live; round++ {
		live = false
		for i, task := range tasks {
			if task.ended {
				continue
			}
			live = true
			task.Resume(200_000, "handler", w.held[task]...)
			if n := (round + i) % len(fns); w.direct(fns[n]) != want[n] {
				t.Fatalf("a call between them does something else: %s", w.direct(fns[n]))
			}
		}
	}
	for i, task := range tasks {
		if diff := cmp.Diff(want[i], w.finish(task)); diff != "" {
			t.Errorf("%s:\n%s", positions[i%len(positions)].name, diff)
		}
	}
	if w.co.tasks != 0 {
		t.Errorf("%d tasks are counted when all ended", w.co.tasks)
	}
}

func TestEachResumeHasItsBudget(t *testing.T) {
	t.Parallel()
	w := newWaiting(t, Limits{})
	fn := load(t, w.VM, `for i = 1, 10 do for j = 1, 100 do end wait() end for j = 1, 1e9 do end`)
	task := w.start(t, fn)
	for i := range 9 {
		if task.Resume(500, "handler") {
			t.Fatalf("ended at wait %d: %v", i, task.err)
		}
	}
	if !task.Resume(500, "handler") {
		t.Fatal("an endless loop waits")
	}
	var f *Failure
	if _, err := task.Result(1); !errors.As(err, &f) || !f.Overrun || !strings.Contains(f.Message, "budget of 500") || f.Line != 1 {
		t.Errorf("an endless loop gives %v", err)
	}
	task.End()
}

func TestCancelEndsWhateverIsCaught(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		`while true do pcall(wait) end`,
		`while true do pcall(pcall, wait) say "still here" end`,
		`local t = {} for i = 1, 50 do t[i] = 50 - i end table.sort(t, function(a, b) pcall(wait) say "still here" return a < b end)`,
		`coroutine.wrap(function() while true do pcall(wait) end end)()`,
		`setmetatable({}, { __index = function() while true do xpcall(wait, function() wait() end) end end }).x = nil
		 local o = setmetatable({}, { __index = function() wait() end }) return o.x`,
		`for i in function() wait() return 1 end do end`,
		`wait()`,
	} {
		w := newWaiting(t, Limits{})
		task := w.start(t, load(t, w.VM, src))
		task.Cancel(errors.New("its connection ended"))
		var f *Failure
		if _, err := task.Result(1); !errors.As(err, &f) || !f.Canceled || f.Overrun {
			t.Errorf("%s: canceled: %v", src, err)
		}
		if out := w.said[task].String(); out != "" {
			t.Errorf("%s: goes on: %s", src, out)
		}
		task.End()
		if got := w.direct(load(t, w.VM, `return 1`)); got != "returned 1" {
			t.Errorf("%s: the next call: %s", src, got)
		}
	}
}

func TestTasksAreLimited(t *testing.T) {
	t.Parallel()
	w := newWaiting(t, Limits{Coroutines: 3})
	fn := load(t, w.VM, `wait()`)
	a, b := w.start(t, fn), w.start(t, fn)
	if got := w.direct(load(t, w.VM, `keep = coroutine.create(wait) return coroutine.create(wait)`)); !strings.Contains(got, "too many coroutines: 3") {
		t.Errorf("a fourth coroutine: %s", got)
	}
	if _, err := w.NewTask(); !errors.Is(err, ErrCoroutines) {
		t.Errorf("a fourth task: %v", err)
	}
	w.finish(a)
	unstarted, err := w.NewTask()
	if err != nil {
		t.Fatalf("one of them ended: %v", err)
	}
	unstarted.Cancel(errors.New("over"))
	unstarted.End()
	b.Cancel(errors.New("over"))
	b.End()
	if w.co.tasks != 0 {
		t.Errorf("%d tasks left", w.co.tasks)
	}
}

// TestWaitOutsideOfATask is what a Go function gets that is not in one.
func TestWaitOutsideOfATask(t *testing.T) {
	t.Parallel()
	w := newWaiting(t, Limits{})
	w.Globals().RawSetString("hold", w.State().NewFunction(w.Wait))
	if got := w.direct(load(t, w.VM, `say(pcall(hold)) hold()`)); !strings.Contains(got, "false\ta call that is no task cannot wait\t\nfailed: line 1: a call that is no task") {
		t.Errorf("got %s", got)
	}
}

// TestParkedCoroutinesAreNobodysElse: a coroutine that waits with its task cannot
// be resumed by another.
func TestParkedCoroutinesAreNobodysElse(t *testing.T) {
	t.Parallel()
	w := newWaiting(t, Limits{})
	task := w.start(t, load(t, w.VM, `co = coroutine.create(function() return wait(1) end) say(coroutine.resume(co))`))
	got := w.direct(load(t, w.VM, `say(coroutine.status(co), coroutine.resume(co))`))
	if want := "normal\tfalse\tcannot resume normal coroutine\t\nreturned nil"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := w.finish(task), "true\t1\t\nreturned nil"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestCostOfACoroutine holds that one which yielded takes less than 6 KiB.
func TestCostOfACoroutine(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's memory counts too")
	}
	const coroutines = 5000
	w := newWaiting(t, Limits{})
	fn := load(t, w.VM, `kept = {} for i = 1, 5000 do
		local co = coroutine.wrap(function(a, b) local c = coroutine.yield(a) return b, c end)
		co(i, "x")
		kept[i] = co
	end`)
	before := memory()
	L := w.Begin(100_000_000, "the test")
	L.Push(fn)
	if err := w.Call(0, 0); err != nil {
		t.Fatal(err)
	}
	after := memory()
	each := (after.HeapAlloc + after.StackInuse - before.HeapAlloc - before.StackInuse) / coroutines
	t.Logf("a suspended coroutine holds %d bytes", each)
	if each > 6<<10 {
		t.Errorf("a suspended coroutine holds %d bytes, more than 6 KiB", each)
	}
	w.End()
}

// TestCostOfATask measures what a suspended task holds, of heap and of Go's stacks.
func TestCostOfATask(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's memory counts too")
	}
	for _, tt := range []struct {
		name, src string
		most      int64
	}{
		{"in its function", `local a, b, c = 1, 2, 3 local r, err = wait(a) return r, err, b + c`, 3600},
		{"two functions down", `local function f(x) return (wait(x)) end local function g(x) return { f(x) } end return g(1)`, 4 << 10},
		{"in pcall", `local a = 1 return pcall(function() return wait(a) end)`, 13 << 9},
		{"in two pcalls", `return pcall(function() return pcall(function(x) return x, wait(x) end, 1) end)`, 10 << 10},
		{"in a coroutine", `return coroutine.wrap(function(x) return wait(x) end)(1)`, 7 << 10},
		// Go's smallest stack, 2 KiB, has room for 1.2: the interpreter's own frames down to
		// the wait take more.
		{"in an iterator", `for x in function() return wait(1) end do return end`, 9 << 10},
	} {
		tasks := int64(2000)
		w := newWaiting(t, Limits{Coroutines: 2*int(tasks) + 1})
		fn := load(t, w.VM, tt.src)
		w.finish(w.start(t, fn))
		list := make([]*Task, 0, tasks)
		before := memory()
		for range tasks {
			task, err := w.NewTask()
			if err != nil {
				t.Fatal(err)
			}
			task.Thread().Push(fn)
			task.Start(200_000, "handler", 0)
			list = append(list, task)
		}
		clear(w.held)
		after := memory()
		heap, stack := int64(after.HeapAlloc-before.HeapAlloc)/tasks, int64(after.StackInuse-before.StackInuse)/tasks
		t.Logf("%s: a suspended task holds %d bytes of heap and %d of stack", tt.name, heap, stack)
		if each := heap + max(stack, 0); each > tt.most {
			t.Errorf("%s: a suspended task holds %d bytes, more than %d", tt.name, each, tt.most)
		}
		for _, task := range list {
			task.Cancel(errors.New("over"))
			task.End()
		}
	}
}

func memory() (m runtime.MemStats) {
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

func BenchmarkTask(b *testing.B) {
	w := newWaiting(b, Limits{})
	for _, bb := range []struct{ name, src string }{{"that ends", `return function() end`}, {"that waits", `return function() wait() end`}} {
		fn := function1(b, w.VM, bb.src)
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				task, err := w.NewTask()
				if err != nil {
					b.Fatal(err)
				}
				task.Thread().Push(fn)
				for ended := task.Start(200_000, "handler", 0); !ended; {
					ended = task.Resume(200_000, "handler")
				}
				task.End()
			}
		})
	}
}
