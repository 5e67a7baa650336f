package lua

import (
	"errors"
	"fmt"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/record"
)

// dataLimits bound a data file as a record: it is made for configuration and
// plans, and for what is larger there are stores.
var dataLimits = record.Limits{Depth: 32, Value: 16 << 20, Total: 16 << 20}

// readData reads a data file that the file at from names.
func (in *instance) readData(from, name string) (*engine.Data, error) {
	if in.env.Data == nil {
		return nil, errors.New("data files are not read here")
	}
	return in.env.Data(from, name)
}

// loadData is data "plan.json": a JSON file as a read-only record.
func (in *instance) loadData(L *glua.LState) int {
	if in.mode != loading || in.decl == nil {
		in.raise(L, remark{msg: "data in a handler: read it at the top level", word: "data"})
	}
	name, ok := L.Get(1).(glua.LString)
	if !ok {
		in.raise(L, remark{msg: fmt.Sprintf("data takes the name of a file, not %s", describe(L.Get(1))), hint: `as in data "plan.json"`, word: "data"})
	}
	from := in.requirer()
	key := from + "\x00" + string(name)
	root := in.files[key]
	if root == nil {
		root = in.decl.readRecord(L, from, string(name))
		if in.files == nil {
			in.files = map[string]*record.Root{}
		}
		in.files[key] = root
	}
	L.Push(in.recordOf(root.Table()))
	return 1
}

// readRecord reads a file. One that is no JSON is reported at its line, and an
// empty record stands for it, so that the script tells what else is wrong.
func (d *declarer) readRecord(L *glua.LState, from, name string) *record.Root {
	file, err := d.in.readData(from, name)
	if err != nil {
		d.in.raise(L, remark{msg: "data: " + err.Error(), word: "data"})
	}
	d.plan.Files = append(d.plan.Files, engine.DataUse{Path: file.Path, Sum: file.Sum})
	_ = d.in.vm.Spend(len(file.Text)) // too much shows at the next instruction
	root, err := record.ParseData(name, &dataLimits, file.Text)
	if err == nil {
		return root
	}
	r := remark{msg: err.Error()}
	var at *record.SyntaxError
	if errors.As(err, &at) {
		r.msg, r.line = at.Err.Error(), at.Line
	}
	d.diags = append(d.diags, diagnose(file.Path, file.Text, r))
	root = record.NewRoot(name, &dataLimits)
	root.Freeze()
	return root
}
