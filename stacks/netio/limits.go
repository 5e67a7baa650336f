package netio

import (
	"strconv"

	"github.com/hookd/hookd/engine/event/setting"
)

// DocLimits lists the limits with their defaults.
func DocLimits() []setting.Limit {
	o := Options{}.withDefaults()
	c := Config{}
	c.bounds()
	g := PacketConfig{}.withDefaults()
	p := PeerConfig{}.withDefaults()
	number := setting.NumberLimit
	return []setting.Limit{
		setting.TextLimit("total_conns", "open files - "+strconv.Itoa(keptBack), "accepted connections in all, at most 1000000; more are closed"),
		number("recv_limit", o.RecvLimit, "bytes that a connection received and its handler did not consume; then reading pauses"),
		number("send_high", o.SendHigh, "queued bytes at which a connection is not read"),
		number("send_low", o.SendLow, "queued bytes at which it is read again"),
		number("send_max", o.SendMax, "queued bytes that close a connection"),
		number("send_total", c.SendTotal, "bytes queued by all connections of a loop; more closes"),
		setting.TextLimit("connect", o.Connect.String(), "resolving and connecting, over all addresses"),
		setting.TextLimit("handshake", o.Handshake.String(), "a TLS handshake"),
		number("handshakes", c.Handshakes, "TLS handshakes of a loop at once; one more gives up the oldest"),
		setting.TextLimit("send", o.Send.String(), "a peer takes none of the queued bytes"),
		setting.TextLimit("hold", o.Hold.String(), "a connection is held after accept"),
		setting.TextLimit("linger", o.Linger.String(), "waiting for a peer to be read to its end, or to stop sending after close"),
		number("lookups", c.Lookups, "names of a loop that are resolved at once; more fail"),
		number("lingering", maxLingerers, "closed connections of a loop that wait for their peers"),
		number("backlog", defaultBacklog, "connections that wait to be accepted"),
		number("udp_datagram", g.MaxDatagram, "bytes of a datagram that are received"),
		number("udp_queue", g.QueueGrams, "datagrams that wait to be sent from a socket; more are dropped"),
		number("udp_queue_bytes", g.QueueBytes, "their bytes"),
		number("udp_peers", p.Max, "peers of a UDP socket; one more evicts the one silent for longest"),
		setting.TextLimit("udp_idle", p.Idle.String(), "a UDP peer is silent"),
		number("turn_events", turnEvents, "sockets served while a shard is entered, or for 200 µs"),
		number("turn_read", turnRead, "bytes read from a connection in a turn"),
		number("turn_write", turnWrite, "bytes written to a connection in a turn"),
		number("turn_accept", turnAccept, "connections accepted from a listener in a turn"),
		number("turn_datagrams", turnGrams, "datagrams received from a socket in a turn"),
	}
}
