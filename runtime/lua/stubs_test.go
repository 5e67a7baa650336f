package lua

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStubsNameEveryKey compares the keys that declarations take with those that
// the editor stubs, and with them `hookd doc`, name.
func TestStubsNameEveryKey(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "scripts", "types", "hookd.lua"))
	if err != nil {
		t.Fatal(err)
	}
	field := regexp.MustCompile(`(?m)^---@field (\w+)`)
	for word, keys := range map[string][]string{
		"script": scriptKeys, "rule": ruleKeys, "handler": handlerKeys, "event": eventKeys, "timer": timerKeys, "store": storeKeys,
	} {
		class := regexp.MustCompile(`(?m)^---@class hookd\.` + word + `\.decl\n((?:---@field .*\n)*)`).FindSubmatch(text)
		if class == nil {
			t.Errorf("the stubs have no class of the declaration of %s", word)
			continue
		}
		var named []string
		for _, m := range field.FindAllSubmatch(class[1], -1) {
			named = append(named, string(m[1]))
		}
		want := slices.Sorted(slices.Values(keys))
		slices.Sort(named)
		if diff := cmp.Diff(want, named); diff != "" {
			t.Errorf("keys of %s (-taken +in the stubs):\n%s", word, diff)
		}
	}
}
