package flowev

import "github.com/hookd/hookd/engine/event"

// String says what is replaced: "dst=10.0.0.2 dst_port=80 ttl=63".
func (a *ReplaceArgs) String() string {
	var w event.Words
	w.Name(a.Src.IsValid(), "src", a.Src)
	w.Name(a.Dst.IsValid(), "dst", a.Dst)
	w.Name(a.HasSrcPort, "src_port", a.SrcPort)
	w.Name(a.HasDstPort, "dst_port", a.DstPort)
	w.Name(a.HasTTL, "ttl", a.TTL)
	w.Bytes("payload", a.Payload)
	return w.String()
}
