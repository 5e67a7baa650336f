package lua

import (
	"fmt"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/match"
)

// test is a value of `is`: a test with what it compares with.
type test struct {
	word   string // "is.prefix"
	op     match.Op
	values []match.Value
}

// String is what tostring gives.
func (t *test) String() string { return t.word }

// openIs installs the words that match tables are written with.
func (in *instance) openIs() {
	members := map[string]glua.LValue{}
	for _, w := range match.Words() {
		members[w.Name] = in.vm.State().NewFunction(func(L *glua.LState) int {
			L.Push(value(in.makeTest(L, w), lazily(&in.meta.test, in.testMeta)))
			return 1
		})
	}
	in.api(&family{name: "is", has: "test"}, members)
}

// testMeta makes the metatable of tests.
func (in *instance) testMeta() *glua.LTable { return in.metatable("test", nil, nil, stringerText) }

// makeTest reads the arguments of a word, or the list that is its only one.
func (in *instance) makeTest(L *glua.LState, w match.Word) *test {
	t := &test{word: "is." + w.Name, op: w.Op}
	args := make([]glua.LValue, 0, L.GetTop())
	for i := 1; i <= L.GetTop(); i++ {
		args = append(args, L.Get(i))
	}
	if len(args) == 1 {
		if list, ok := args[0].(*glua.LTable); ok {
			args = in.elements(L, t.word, list)
		}
	}
	if len(args) < w.Min || w.Max > 0 && len(args) > w.Max {
		in.raise(L, remark{
			msg:  fmt.Sprintf("%s takes %s, not %d", t.word, countWords(w.Min, w.Max), len(args)),
			hint: "as in " + w.Example, word: w.Name,
		})
	}
	for _, a := range args {
		v, ok := matchValue(a)
		if !ok {
			in.raise(L, remark{
				msg:  fmt.Sprintf("%s compares with text, numbers, true, false and stores, not with %s", t.word, describe(a)),
				word: w.Name,
			})
		}
		t.values = append(t.values, v)
	}
	return t
}

// elements returns those of a list.
func (in *instance) elements(L *glua.LState, what string, t *glua.LTable) []glua.LValue {
	var list []glua.LValue
	for k, v := t.Next(glua.LNil); k != glua.LNil; k, v = t.Next(k) {
		if k != glua.LNumber(len(list)+1) {
			in.raise(L, remark{msg: what + " takes a list, without names", word: last(what)})
		}
		list = append(list, v)
	}
	return list
}

func countWords(least, most int) string {
	switch {
	case most == 0:
		return fmt.Sprintf("at least %s", values(least))
	case least == most:
		return values(least)
	}
	return fmt.Sprintf("%d or %s", least, values(most))
}

func values(n int) string {
	if n == 1 {
		return "1 value"
	}
	return fmt.Sprintf("%d values", n)
}

// matchValue returns what a literal or store is to compare with.
func matchValue(v glua.LValue) (match.Value, bool) {
	switch v := v.(type) {
	case glua.LString:
		return match.Text(string(v)), true
	case glua.LNumber:
		return match.Number(float64(v)), true
	case glua.LBool:
		return match.Bool(bool(v)), true
	}
	if s, ok := valueOf[*storeValue](v); ok {
		return match.In(storeSet{s.st}), true
	}
	return match.Value{}, false
}
