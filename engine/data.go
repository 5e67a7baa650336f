package engine

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/store"
)

// Data is a data file that a script names.
type Data struct {
	// Path is where it was read, as the engine's ReadFile has it.
	Path string
	Text []byte
	// Sum identifies path and text.
	Sum store.Source
}

// DataUse is a data file that a script has the content of.
type DataUse struct {
	Path string
	Sum  store.Source
}

// errNoFiles is what scripts get where there is nothing to read files with.
var errNoFiles = errors.New("data files are not read here")

// dataPath resolves the name of a data file: relative to the file that names it,
// inside the folder of the scripts.
func (src *Source) dataPath(name string) (string, error) {
	file := src.File
	if file == "" {
		file = src.Path
	}
	root := src.Root
	if root == "" {
		root = path.Dir(file)
	}
	switch {
	case name == "":
		return "", errors.New("a data file has a name")
	case path.IsAbs(name) || strings.ContainsAny(name, "\\\x00"):
		return "", fmt.Errorf("a data file is named relative to the script, with forward slashes, not %q", name)
	}
	full := path.Join(path.Dir(file), name)
	inside := root == "." && full != ".." && !strings.HasPrefix(full, "../") && !path.IsAbs(full) ||
		strings.HasPrefix(full, strings.TrimSuffix(path.Clean(root), "/")+"/")
	if !inside {
		return "", fmt.Errorf("%s is outside of %s, the folder of the scripts", name, root)
	}
	return full, nil
}

// data reads a file for a script or module.
func (st *Staged) data(from, name string) (*Data, error) {
	src := st.sources[from]
	if src == nil {
		return nil, errNoFiles
	}
	full, err := src.dataPath(name)
	if err != nil {
		return nil, err
	}
	return st.read(full)
}

// read reads a file once a staging, so that all that is staged sees the same.
func (st *Staged) read(full string) (*Data, error) {
	if d := st.files[full]; d != nil {
		return d, nil
	}
	if st.engine.cfg.ReadFile == nil {
		return nil, errNoFiles
	}
	text, err := st.engine.cfg.ReadFile(full)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	io.WriteString(h, full+"\x00")
	h.Write(text)
	d := &Data{Path: full, Text: text}
	h.Sum(d.Sum[:0])
	st.files[full] = d
	return d, nil
}

// dataChanged reports whether a script would read something else now.
func (st *Staged) dataChanged(uses []DataUse) bool {
	for _, use := range uses {
		if d, err := st.read(use.Path); err != nil || d.Sum != use.Sum {
			return true
		}
	}
	return false
}

// fill gives stores the content that their files hold, where that changed, and
// new ones that persist what was saved.
func (st *Staged) fill() diag.List {
	var diags diag.List
	for _, d := range st.stores.Declarations() {
		switch {
		case d.Config.File != "":
			diags = append(diags, st.fillFromFile(&d)...)
		case st.engine.cfg.Inherit != nil && !d.Live:
			st.inherit(&d)
		case d.Config.Persist && !d.Live:
			diags = append(diags, st.restore(&d)...)
		}
	}
	return diags
}

func (st *Staged) fillFromFile(d *store.Declaration) diag.List {
	file, err := st.read(d.Config.File)
	if err != nil {
		return diag.List{{File: d.Scripts[0], Msg: fmt.Sprintf("store %q: %v", d.Config.Name, err)}}
	}
	if file.Sum == d.Source {
		return nil
	}
	var diags diag.List
	aside := st.stores.Aside(d.Config.Name)
	for _, e := range aside.AddLines(string(file.Text)) {
		diags = append(diags, &diag.Diagnostic{
			File: file.Path, Line: e.Line, Source: e.Text,
			Msg: e.Err.Error(), Hint: fmt.Sprintf("it fills store %q of %s", d.Config.Name, d.Scripts[0]),
		})
	}
	st.stores.Fill(d.Config.Name, aside, file.Sum)
	return diags
}
