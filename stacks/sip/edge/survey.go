package edge

import "github.com/hookd/hookd/stacks/sip"

// ListenerView is a listener as somebody outside of the group sees it.
type ListenerView struct {
	Name  string `json:"name"`
	URL   string `json:"url"`
	Addr  string `json:"addr"`
	Conns int    `json:"conns"` // 0 for UDP
}

// Listeners lists the listeners that are open, by name. Any goroutine that has entered
// no shard.
func (g *Group) Listeners() []ListenerView {
	if g.shard == nil {
		return nil
	}
	g.shard.Enter()
	defer g.shard.Leave()
	var list []ListenerView
	for _, l := range g.ports {
		v := ListenerView{Name: l.name, URL: l.spec.url, Addr: l.bound().String()}
		if l.socket != nil {
			v.Conns = l.socket.Conns()
		}
		list = append(list, v)
	}
	return list
}

// messagesEntry is how many messages are copied in one entry of the shard.
const messagesEntry = 64

// Messages gives each the latest messages that came and left, oldest first. Any goroutine
// that has entered no shard.
func (g *Group) Messages(each func(m *sip.Kept)) {
	if g.shard == nil {
		return
	}
	for seq := uint64(0); ; {
		g.shard.Enter()
		list, next := g.stack.Kept(seq, messagesEntry)
		g.shard.Leave()
		if len(list) == 0 {
			return
		}
		for i := range list {
			each(&list[i])
		}
		seq = next
	}
}
