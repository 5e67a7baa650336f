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
			var err error
			if args, err = w.Wait(); err != nil {
				L.RaiseError("%s", err.Error())
			}
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

// start begins a task and reports whether it ended at once.
func (w *waiting) start(tb testing.TB, fn *glua.LFunction) *Task {
	tb.Helper()
	t, err := w.NewTask()
	if err != nil {
		tb.Fatal(err)
	}
	w.said[t] = &strings.Builder{}
	t.Thread().Push(fn)
	t.Start(200_000, "handler", 0, 1)
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
			if failed := strings.Contains(want, "failed: "); failed != (p.name == "error after wait") {
				t.Fatalf("without waiting: %s", want)
			}
			if diff := cmp.Diff(want, w.finish(w.start(t, fn))); diff != "" {
				t.Errorf("what never waits, and what does:\n%s", diff)
			}
		})
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
	if _, err := w.Wait(); !errors.Is(err, ErrNoTask) {
		t.Errorf("got %v", err)
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

// TestCostOfATask measures what a suspended task holds.
func TestCostOfATask(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's memory counts too")
	}
	tasks := uint64(10_000)
	if testing.Short() {
		tasks = 1000
	}
	w := newWaiting(t, Limits{Coroutines: int(tasks) + 1})
	fn := load(t, w.VM, `local a, b, c = 1, 2, 3 local r, err = wait(a) return r, err, b + c`)
	w.finish(w.start(t, fn))
	list := make([]*Task, 0, tasks)
	before := memory()
	for range tasks {
		task, err := w.NewTask()
		if err != nil {
			t.Fatal(err)
		}
		task.Thread().Push(fn)
		task.Start(200_000, "handler", 0, 1)
		list = append(list, task)
	}
	clear(w.held)
	after := memory()
	heap, stack := (after.HeapAlloc-before.HeapAlloc)/tasks, (after.StackInuse-before.StackInuse)/tasks
	t.Logf("a suspended task holds %d bytes of heap and %d of stack", heap, stack)
	if heap > 9<<9 {
		t.Errorf("a suspended task holds %d bytes of heap, more than 4.5 KiB", heap)
	}
	// Go's smallest stack, 2 KiB, has room for 1.2: the interpreter's own frames down to
	// the wait take more.
	if stack > 9<<9 {
		t.Errorf("a suspended task holds %d bytes of stack, more than 4.5 KiB", stack)
	}
	for _, task := range list {
		task.Resume(200_000, "handler")
		task.End()
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
				for ended := task.Start(200_000, "handler", 0, 0); !ended; {
					ended = task.Resume(200_000, "handler")
				}
				task.End()
			}
		})
	}
}
