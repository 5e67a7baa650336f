package spec

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/watch"
)

// VerifyTime bounds one verification; between two `it`s it is looked at.
const VerifyTime = 30 * time.Second

// MaxFindings bounds what one verification reports.
const MaxFindings = 50

// Verify runs what the specs have to say of the changed scripts, given by their
// paths, before those go live: each `it` whose scripts include one of them. The
// specs are the files *_spec.lua below the folders that the scripts were found in;
// their scripts are those of sources, whatever the files hold meanwhile. What
// fails is an error at its line, and so is a spec beside or above a changed script
// that cannot be run. Scripts without specs pass.
//
// It may be called from any goroutine, by several at a time if host allows that,
// and enters no shard but its worlds'.
func Verify(host Host, sources []engine.Source, changed []string) diag.List {
	v := verification{host: host, sources: sources, changed: map[string]bool{}, end: time.Now().Add(VerifyTime)}
	for _, p := range changed {
		v.changed[p] = true
	}
	var diags diag.List
	files, err := v.specs()
	if err != nil {
		return diag.List{{Msg: fmt.Sprintf("specs cannot be found: %s", err)}}
	}
	for _, file := range files {
		diags = append(diags, v.file(file)...)
		if len(diags) >= MaxFindings || v.late {
			break
		}
	}
	return diags
}

// verification is one run of [Verify].
type verification struct {
	host    Host
	sources []engine.Source
	changed map[string]bool // by path
	end     time.Time
	late    bool
}

// specs lists the spec files below the folders of the changed scripts.
func (v *verification) specs() ([]string, error) {
	var roots []string
	for i := range v.sources {
		src := &v.sources[i]
		root := src.Root
		if root == "" {
			root = path.Dir(src.Path)
		}
		if _, err := os.Stat(root); err == nil && v.changed[src.Path] && !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	if len(roots) == 0 {
		return nil, nil
	}
	return watch.Find(roots, watch.IsSpec)
}

// file runs one spec file.
func (v *verification) file(name string) diag.List {
	r := &Runner{host: v.host, scan: v.scan}
	if diags := r.load(name); diags.HasErrors() {
		if v.concerns(path.Dir(filepath.ToSlash(name))) {
			return diags
		}
		return nil
	}
	defer r.vm.Close()
	var diags diag.List
	for _, c := range r.cases {
		sources, err := r.sources(c.scripts)
		if errors.Is(err, watch.ErrNoScripts) || err == nil && !slices.ContainsFunc(sources, v.isChanged) {
			continue
		}
		if time.Now().After(v.end) {
			v.late = true
			return append(diags, r.diagnose(c.line, fmt.Sprintf("the specs of the changed scripts take longer than %s", VerifyTime)))
		}
		if res := r.run(c, sources, err); res.Failure != nil {
			res.Failure.Msg = res.Name + ": " + res.Failure.Msg
			if len(res.Notes) > 0 && res.Failure.Hint == "" {
				res.Failure.Hint, _, _ = strings.Cut(res.Notes[len(res.Notes)-1], "\n")
			}
			diags = append(diags, res.Failure)
		}
	}
	return diags
}

// concerns tells whether a changed script is in the folder or below it.
func (v *verification) concerns(dir string) bool {
	for p := range v.changed {
		if below(p, dir) {
			return true
		}
	}
	return false
}

// isChanged tells whether a source, as a spec names it, is of a changed script.
func (v *verification) isChanged(s engine.Source) bool { return v.changed[s.File] }

// scan reads the files below paths, as a spec that is run by itself has them, with
// the sources that are to be verified in the place of their files.
func (v *verification) scan(paths ...string) ([]engine.Source, error) {
	files, err := watch.Scan(paths...)
	list := make([]engine.Source, 0, len(files))
	for i := range v.sources {
		src := &v.sources[i]
		if slices.ContainsFunc(paths, func(p string) bool { return below(src.Path, path.Clean(filepath.ToSlash(p))) }) {
			list = append(list, *src)
		}
	}
	if err != nil && len(list) == 0 {
		return nil, err
	}
	for _, f := range files {
		if i := slices.IndexFunc(list, func(s engine.Source) bool { return s.Path == f.Path }); i >= 0 {
			list[i].Module, list[i].Base = f.Module, f.Base // as the spec finds it
			continue
		}
		if i := slices.IndexFunc(v.sources, func(s engine.Source) bool { return s.Path == f.Path }); i >= 0 {
			f.Text = v.sources[i].Text // a module beside a script that was named
		}
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b engine.Source) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

// below tells whether p is dir or below it; both are clean, with forward slashes.
func below(p, dir string) bool {
	rest, ok := strings.CutPrefix(p, dir)
	return dir == "." && !path.IsAbs(p) && !strings.HasPrefix(p, "../") || ok && (rest == "" || rest[0] == '/' || dir == "/")
}
