package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/explain"
)

// TestAttended ends an explanation in the middle: what was seen until then is told.
func TestAttended(t *testing.T) {
	t.Parallel()
	stop := newInterrupt(t.Context())
	src, err := attend([]string{"../../examples/office/capture.pcap"}, "", stop, nil, t.Output(), t.Output(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	seen := 0
	acc := explain.New(func(event.Kept) bool {
		if seen++; seen == 2 {
			stop.cancel(errInterrupted)
		}
		return true
	}, describeConn)
	l, err := newLane(t.Output(), &houseOptions{}, []string{"testdata/same/rules.lua"}, acc)
	if err != nil {
		t.Fatal(err)
	}
	defer l.engine.Close()
	defer l.engine.Follow(acc.Step)()
	ended := src.failed(feedLane(src, l))
	if ended.Error() != "interrupted after 25 packets; what came of them is written" {
		t.Errorf("it ends with %v", ended)
	}
	var code *exitError
	if !errors.As(ended, &code) || code.code != exitInterrupted {
		t.Errorf("%v is no interruption", ended)
	}
	var out bytes.Buffer
	if err := acc.WriteText(&out); err != nil || strings.Count(out.String(), "\nconnection ")+1 != 2 {
		t.Errorf("not the story of two connections: %v\n%s", err, &out)
	}
}
