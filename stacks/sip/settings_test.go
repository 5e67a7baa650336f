package sip

import (
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/setting"
	"github.com/hookd/hookd/stacks/sip/msg"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	var c Config
	for _, s := range c.Settings() {
		if s.Value == "" || s.Doc == "" {
			t.Errorf("%s has no value or no doc", s.Name)
		}
		if err := c.Set(s.Name, s.Value); err != nil {
			t.Errorf("%s does not take its own value %s: %v", s.Name, s.Value, err)
		}
	}
	for name, value := range map[string]any{"fr_timer": "0s", "wt_timer": "25h", "max_held": 0.0, "noisy_ctimer": "loud", "block_6xx": 3.0} {
		if err := c.Set(name, value); err == nil {
			t.Errorf("%s took %v", name, value)
		}
	}
	if err := c.Set("fr_times", "1s"); err != setting.ErrNone {
		t.Errorf("an unknown name: %v", err)
	}
	if err := c.Set("noisy_ctimer", false); err != nil || !c.SilentC {
		t.Errorf("%v, %v", err, c.SilentC)
	}
	s := New(event.NewShard(0), Config{MaxBranches: 1000, Limits: msg.Limits{Fields: 20}}, nil)
	want := msg.DefaultLimits()
	if want.Fields = 20; s.Limits() != want || s.cfg.MaxBranches != 255 {
		t.Errorf("one limit that is set makes them %+v; %d branches", s.Limits(), s.cfg.MaxBranches)
	}
	if err := c.Set("fr_timer", "1500ms"); err != nil || c.FR != 1500*time.Millisecond {
		t.Errorf("%v, %v", err, c.FR)
	}
}
