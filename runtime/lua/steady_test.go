package lua

import "testing"

// TestSteady reads the words of sources: of a script that has none of those that
// wait no handler does.
func TestSteady(t *testing.T) {
	t.Parallel()
	rt := &Runtime{waiting: [][]string{{"sleep"}, {"http", "get"}, {"read_line"}}}
	for text, want := range map[string]bool{
		"":                                  true,
		"rule 'a' { on = flow.conn_start }": true,
		"sleep(1)":                          false,
		"local s = sleep":                   false,
		"asleep() sleep_2()":                true,
		"c:read_line()":                     false,
		"c['read_line'](c)":                 false,
		"c:read()":                          true,
		"store:get(1)":                      true,
		"http.get { }":                      false,
		"local h = http; return h.get":      false,
		"http.request()":                    true,
	} {
		in := &instance{prog: &program{file: file{text: []byte(text)}, rt: rt}}
		if got := in.steady(); got != want {
			t.Errorf("%q: steady %v", text, got)
		}
	}
	in := &instance{prog: &program{file: file{text: []byte("local m = require 'm' m.http.x()")}, rt: rt}}
	in.required.files = map[string]*file{"m": {text: []byte("return { http = 1, get = 2 }")}}
	if in.steady() {
		t.Error("what a module has is not seen")
	}
}
