package netio

import "testing"

// TestDocLimits has a name, a value and a sentence for each, once.
func TestDocLimits(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range DocLimits() {
		if l.Name == "" || l.Default == "" || l.Default == "0" || l.Default == "0s" || l.Doc == "" || seen[l.Name] {
			t.Errorf("%+v", l)
		}
		seen[l.Name] = true
	}
	if len(seen) < 20 {
		t.Errorf("%d limits", len(seen))
	}
}
