package flow

import "time"

// BlockList is what a table of blocks holds, for people.
type BlockList struct {
	V     int `json:"v"` // 1; fields are added, never renamed
	Total int `json:"total"`
	// Blocks are those that came in first.
	Blocks []BlockRow `json:"blocks"`
}

// BlockRow is one blocked prefix.
type BlockRow struct {
	Prefix string `json:"prefix"`
	Reason string `json:"reason,omitempty"`
	// Script and Rule are absent where a person blocked it.
	Script  string  `json:"script,omitempty"`
	Rule    string  `json:"rule,omitempty"`
	Since   float64 `json:"since"` // seconds of event time since the epoch
	Age     float64 `json:"age"`   // seconds of event time
	Pkts    uint64  `json:"pkts"`
	Observe bool    `json:"observe,omitempty"`
	// TTL is how many seconds of event time are left; absent: until it is taken
	// back.
	TTL *float64 `json:"ttl,omitempty"`
}

// Show lists at most limit blocks, all where limit is 0, as they are at the event
// time now.
func (b *Blocks) Show(limit int, now int64) *BlockList {
	blocks, total := b.List(limit)
	l := &BlockList{V: 1, Total: total, Blocks: []BlockRow{}}
	for i := range blocks {
		x := &blocks[i]
		row := BlockRow{
			Prefix: textOf(x.Prefix), Reason: x.Reason, Script: x.Script, Rule: x.Rule,
			Since: float64(x.Since) / 1e9, Age: time.Duration(max(now-x.Since, 0)).Seconds(), Pkts: x.Pkts, Observe: x.Observe,
		}
		if x.Until != never {
			left := time.Duration(max(x.Until-now, 0)).Seconds()
			row.TTL = &left
		}
		l.Blocks = append(l.Blocks, row)
	}
	return l
}
