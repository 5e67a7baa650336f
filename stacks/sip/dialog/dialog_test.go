package dialog

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestCalls(t *testing.T) {
	t.Parallel()
	const second = int64(time.Second)
	tab := New(Limits{Calls: 3, Profiles: 2})
	track := func(id uint64, call string, profiles ...string) error {
		return tab.Track(&Call{ID: id, CallID: call, FromTag: "a", Profiles: profiles, Began: int64(id) * second}, time.Minute)
	}
	for id, want := range map[uint64]error{1: nil, 2: nil, 3: nil} {
		if err := track(id, fmt.Sprint("c", id), "user:alice", fmt.Sprint("trunk:", id)); !errors.Is(err, want) {
			t.Errorf("%d: %v", id, err)
		}
	}
	if err := track(4, "c4"); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	if n := tab.Count("user:alice"); n != 3 {
		t.Errorf("%d calls", n)
	}
	if c, ended := tab.Final(1, 486, "b", false, 5*second); !ended || c.How != Failed || c.Code != 486 {
		t.Errorf("%+v", c)
	}
	if err := track(2, "c2", "more", "and more"); !errors.Is(err, ErrProfiles) {
		t.Error(err)
	}
	if err := track(3, "c3", "user:alice"); !errors.Is(err, ErrProfiles) || tab.Count("user:alice") != 2 {
		t.Error(err)
	}
	if err := track(5, "c5", "a", "b", "c"); !errors.Is(err, ErrProfiles) {
		t.Error(err)
	}
	if c, ended := tab.Final(2, 200, "b", false, 6*second); ended || c.Answered != 6*second {
		t.Errorf("%+v", c)
	}
	if c, _ := tab.Final(2, 200, "other", false, 7*second); c != nil {
		t.Errorf("answered twice: %+v", c)
	}
	if c := tab.Bye("c2", "a", "other", 8*second); c != nil {
		t.Errorf("the BYE of another: %+v", c)
	}
	if c := tab.Bye("c2", "b", "a", 9*second); c == nil || c.How != ByCallee || c.Ended-c.Answered != 3*second {
		t.Errorf("%+v", c)
	}
	if c := tab.Bye("c2", "b", "a", 9*second); c != nil {
		t.Errorf("ended twice: %+v", c)
	}
	if list := tab.List("trunk:3", 5); len(list) != 1 || list[0].CallID != "c3" {
		t.Errorf("%+v", list)
	}
	if next, ok := tab.Next(); !ok || next != 63*second {
		t.Errorf("the next lapses at %d", next)
	}
	if list := tab.Expire(63 * second); len(list) != 1 || list[0].How != Lapsed {
		t.Errorf("%+v", list)
	}
	if err := track(6, "c6"); err != nil {
		t.Error(err)
	}
	if c, ended := tab.Final(6, 487, "", true, 70*second); !ended || c.How != Canceled {
		t.Errorf("%+v", c)
	}
	if s := tab.Stats(); s != (Stats{Tracked: 4, Answered: 1, Lapsed: 1, Refused: 1}) || len(tab.counts) != 0 || len(tab.byID) != 0 || len(tab.byTx) != 0 {
		t.Errorf("%+v, %v, %v, %v", s, tab.counts, tab.byID, tab.byTx)
	}
}
