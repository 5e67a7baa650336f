package lua

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/runtime/lua/analyse"
)

// TestStoreMethodsAreChecked checks that the check before a run knows the same
// methods as stores have.
func TestStoreMethodsAreChecked(t *testing.T) {
	t.Parallel()
	for _, k := range everyKind {
		var has []string
		for _, m := range storeMethods() {
			if slices.Contains(m.kinds, k) {
				has = append(has, m.name)
			}
		}
		known := analyse.StoreMethods(k.String())
		slices.Sort(has)
		slices.Sort(known)
		if diff := cmp.Diff(has, known); diff != "" {
			t.Errorf("%s (-has +known):\n%s", k, diff)
		}
	}
}
