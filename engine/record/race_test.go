package record

import (
	"fmt"
	"sync"
	"testing"
)

// Shards share a script's state, while generations are staged and published.
func TestSharedByShards(t *testing.T) {
	t.Parallel()
	const shards, rounds = 4, 2000
	root := NewRoot("state", limitsFor(StateLimits()))
	queue := mustBuild(t, root, "queue", empty)
	other := NewRoot("c.data", limitsFor(ConnLimits()))
	var wg sync.WaitGroup
	var pushed, popped [shards]int
	for s := range shards {
		wg.Go(func() {
			for i := range rounds {
				if err := shardRound(root, other, queue, s, i, &pushed[s], &popped[s]); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Go(func() { stageInALoop(t, root, rounds/20) })
	wg.Wait()
	in, out := 0, 0
	for s := range shards {
		in, out = in+pushed[s], out+popped[s]
	}
	if n := queue.Len(); in != out+n {
		t.Errorf("%d jobs pushed, %d popped, %d left", in, out, n)
	}
	if n, _ := root.Table().Get(String("count")).AsNumber(); n != shards*rounds+rounds/20/2 {
		t.Errorf("counted %v, want %d", n, shards*rounds+rounds/20/2)
	}
	checkTree(t, &root.top)
	checkTree(t, &other.top)
}

func shardRound(root, other *Root, queue *Table, shard, i int, pushed, popped *int) error {
	top := root.Table()
	if _, err := top.Incr(String("count"), 1); err != nil {
		return err
	}
	job, err := root.Build(nil, func(b *Builder) error { return b.Set(String("id"), Number(float64(i))) })
	if err == nil {
		err = queue.Append(job)
	}
	if err != nil {
		return err
	}
	*pushed++
	if i%3 > 0 {
		v, err := queue.Remove(1 + i%2)
		if err != nil {
			return err
		}
		if tab, ok := v.AsTable(); ok {
			*popped++
			if err := tab.Set(String("done"), Bool(true)); err != nil {
				return err
			}
			if err := other.Table().Set(String("job"), v); err != nil {
				return err
			}
			if err := top.Set(String(fmt.Sprint("last", shard)), other.Table().Get(String("job"))); err != nil {
				return err
			}
		}
	}
	if i%50 == 0 {
		for k, v := range top.All() {
			if sub, ok := v.AsTable(); ok && !k.Equal(String("queue")) {
				_ = sub.Get(String("id"))
			}
		}
		_ = root.AppendJSON(nil)
	}
	return nil
}

func stageInALoop(t *testing.T, root *Root, rounds int) {
	for i := range rounds {
		view := root.Stage()
		if _, err := view.Table().Incr(String("count"), 1); err != nil {
			t.Error(err)
		}
		staged, ok := view.Table().Get(String("queue")).AsTable()
		if !ok {
			t.Error("no queue in the view")
			return
		}
		_ = staged.Len()
		_ = view.Size()
		if err := view.Table().Set(String("gen"), Number(float64(i))); err != nil {
			t.Error(err)
		}
		if i%2 == 0 {
			view.Publish()
		} else {
			view.Discard()
		}
	}
}
