package netfilter

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter/netlink"
)

// ruleset writes nftables messages. A batch of them is a transaction: the kernel
// does all or nothing.
type ruleset struct{ netlink.Builder }

const (
	nftMessage = unix.NFNL_SUBSYS_NFTABLES << 8
	request    = unix.NLM_F_REQUEST
	make_      = unix.NLM_F_REQUEST | unix.NLM_F_CREATE
	inet       = unix.NFPROTO_INET

	// tableOwner is NFT_TABLE_F_OWNER: only the socket that made the table changes it,
	// and it goes with the socket (Linux 5.12).
	tableOwner = 2
)

func (r *ruleset) begin() {
	r.Reset()
	r.Begin(unix.NFNL_MSG_BATCH_BEGIN, request, 0, 0, 0, unix.NFNL_SUBSYS_NFTABLES)
	r.End()
}

// commit asks for an acknowledgement of the last message, which comes when the whole
// transaction stands, and ends the batch. (Its end is acknowledged since Linux 6.10
// only.)
func (r *ruleset) commit(c *netlink.Conn) error {
	r.Ask(unix.NLM_F_ACK)
	r.Begin(unix.NFNL_MSG_BATCH_END, request, 0, 0, 0, unix.NFNL_SUBSYS_NFTABLES)
	r.End()
	return c.Execute(&r.Builder)
}

func (r *ruleset) message(kind uint16, flags uint16) {
	r.Begin(nftMessage|kind, flags, inet, 0, 0, 0)
}

func (r *ruleset) table(name string, flags uint32) {
	r.message(unix.NFT_MSG_NEWTABLE, make_)
	r.Text(unix.NFTA_TABLE_NAME, name)
	r.Uint32(unix.NFTA_TABLE_FLAGS, flags)
	r.End()
}

func (r *ruleset) dropTable(name string) {
	r.message(unix.NFT_MSG_DELTABLE, request)
	r.Text(unix.NFTA_TABLE_NAME, name)
	r.End()
}

// chain makes a base chain that lets pass what its rules do not stop.
func (r *ruleset) chain(table, name string, hook uint32, priority int32) {
	r.message(unix.NFT_MSG_NEWCHAIN, make_)
	r.Text(unix.NFTA_CHAIN_TABLE, table)
	r.Text(unix.NFTA_CHAIN_NAME, name)
	at := r.Nest(unix.NFTA_CHAIN_HOOK)
	r.Uint32(unix.NFTA_HOOK_HOOKNUM, hook)
	r.Uint32(unix.NFTA_HOOK_PRIORITY, uint32(priority))
	r.EndNest(at)
	r.Text(unix.NFTA_CHAIN_TYPE, "filter")
	r.Uint32(unix.NFTA_CHAIN_POLICY, nfAccept)
	r.End()
}

// Types of nft's own, so that `nft list ruleset` shows the keys readably, and
// flags of sets that x/sys does not have.
const (
	typeIPv4, typeIPv6, typePort = 7, 8, 13
	setTimeouts                  = 0x10
)

// tuples makes a set of connections whose elements may have a timeout.
func (r *ruleset) tuples(table, name string, id uint32, six bool) {
	size, typ := uint32(16), uint32(typeIPv4<<18|typePort<<12|typeIPv4<<6|typePort)
	if six {
		size, typ = 40, typeIPv6<<18|typePort<<12|typeIPv6<<6|typePort
	}
	r.message(unix.NFT_MSG_NEWSET, make_)
	r.Text(unix.NFTA_SET_TABLE, table)
	r.Text(unix.NFTA_SET_NAME, name)
	r.Uint32(unix.NFTA_SET_FLAGS, setTimeouts)
	r.Uint32(unix.NFTA_SET_KEY_TYPE, typ)
	r.Uint32(unix.NFTA_SET_KEY_LEN, size)
	r.Uint32(unix.NFTA_SET_ID, id)
	r.End()
}

// rule makes a rule of expressions at a chain's end.
func (r *ruleset) rule(table, chain string, expressions ...expression) {
	r.message(unix.NFT_MSG_NEWRULE, make_|unix.NLM_F_APPEND)
	r.Text(unix.NFTA_RULE_TABLE, table)
	r.Text(unix.NFTA_RULE_CHAIN, chain)
	list := r.Nest(unix.NFTA_RULE_EXPRESSIONS)
	for _, e := range expressions {
		at := r.Nest(unix.NFTA_LIST_ELEM)
		r.Text(unix.NFTA_EXPR_NAME, e.name)
		data := r.Nest(unix.NFTA_EXPR_DATA)
		if e.write != nil {
			e.write(r)
		}
		r.EndNest(data)
		r.EndNest(at)
	}
	r.EndNest(list)
	r.End()
}

// elements puts connections into a set, with a timeout, or takes them out.
func (r *ruleset) elements(kind, flags uint16, table, set string, lease uint64, list []Tuple) {
	for len(list) > 0 {
		some := list[:min(len(list), elementsPerMessage)]
		list = list[len(some):]
		r.message(kind, flags)
		r.Text(unix.NFTA_SET_ELEM_LIST_TABLE, table)
		r.Text(unix.NFTA_SET_ELEM_LIST_SET, set)
		all := r.Nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS)
		for _, t := range some {
			at := r.Nest(unix.NFTA_LIST_ELEM)
			r.element(t)
			if lease > 0 {
				r.Uint64(unix.NFTA_SET_ELEM_TIMEOUT, lease)
			}
			r.EndNest(at)
		}
		r.EndNest(all)
		r.End()
	}
}

// elementsPerMessage keeps a list below the 64 KiB that an attribute can be long.
const elementsPerMessage = 400

func (r *ruleset) element(t Tuple) {
	var room [40]byte
	at := r.Nest(unix.NFTA_SET_ELEM_KEY)
	r.Attr(unix.NFTA_DATA_VALUE, t.key(room[:0])...)
	r.EndNest(at)
}

// expression is one step of a rule.
type expression struct {
	name  string
	write func(*ruleset)
}

// Registers: 1 has 16 bytes for what is compared, 8 and up four each for keys.
const (
	reg1    = unix.NFT_REG_1
	regKey  = unix.NFT_REG32_00
	verdict = unix.NFT_REG_VERDICT
)

func meta(key uint32) expression {
	return expression{"meta", func(r *ruleset) {
		r.Uint32(unix.NFTA_META_DREG, reg1)
		r.Uint32(unix.NFTA_META_KEY, key)
	}}
}

func compare(value ...byte) expression {
	return expression{"cmp", func(r *ruleset) {
		r.Uint32(unix.NFTA_CMP_SREG, reg1)
		r.Uint32(unix.NFTA_CMP_OP, unix.NFT_CMP_EQ)
		at := r.Nest(unix.NFTA_CMP_DATA)
		r.Attr(unix.NFTA_DATA_VALUE, value...)
		r.EndNest(at)
	}}
}

func compareMark(mark uint32) expression {
	return compare(binary.NativeEndian.AppendUint32(nil, mark)...)
}

// load reads bytes of a packet's header into a register.
func load(base, offset, size, register uint32) expression {
	return expression{"payload", func(r *ruleset) {
		r.Uint32(unix.NFTA_PAYLOAD_DREG, register)
		r.Uint32(unix.NFTA_PAYLOAD_BASE, base)
		r.Uint32(unix.NFTA_PAYLOAD_OFFSET, offset)
		r.Uint32(unix.NFTA_PAYLOAD_LEN, size)
	}}
}

// in goes on if the key registers are in a set.
func in(set string, id uint32) expression {
	return expression{"lookup", func(r *ruleset) {
		r.Text(unix.NFTA_LOOKUP_SET, set)
		r.Uint32(unix.NFTA_LOOKUP_SREG, regKey)
		r.Uint32(unix.NFTA_LOOKUP_SET_ID, id)
	}}
}

func decide(code int32) expression {
	return expression{"immediate", func(r *ruleset) {
		r.Uint32(unix.NFTA_IMMEDIATE_DREG, verdict)
		data := r.Nest(unix.NFTA_IMMEDIATE_DATA)
		at := r.Nest(unix.NFTA_DATA_VERDICT)
		r.Uint32(unix.NFTA_VERDICT_CODE, uint32(code))
		r.EndNest(at)
		r.EndNest(data)
	}}
}

// count counts packets and bytes.
func count() expression { return expression{name: "counter"} }

// untracked keeps the packet out of connection tracking.
func untracked() expression { return expression{name: "notrack"} }

// queue hands the packet to a queue's reader: by nftables' own statement, or by
// the target of iptables that nftables can call.
func queue(way Way, num uint16) expression {
	if way == WayQueue {
		return expression{"queue", func(r *ruleset) {
			r.Uint16(unix.NFTA_QUEUE_NUM, num)
			r.Uint16(unix.NFTA_QUEUE_TOTAL, 1)
		}}
	}
	return expression{"target", func(r *ruleset) {
		info := binary.NativeEndian.AppendUint16(nil, num) // struct xt_NFQ_info_v3
		info = binary.NativeEndian.AppendUint16(info, 1)
		r.Text(unix.NFTA_TARGET_NAME, "NFQUEUE")
		r.Uint32(unix.NFTA_TARGET_REV, 3)
		r.Attr(unix.NFTA_TARGET_INFO, append(info, 0, 0, 0, 0)...)
	}}
}

// tcpKey loads the tuple of a TCP packet into the key registers, source first.
func tcpKey(six bool) []expression {
	proto, size, src, dst := byte(unix.NFPROTO_IPV4), uint32(4), uint32(12), uint32(16)
	if six {
		proto, size, src, dst = unix.NFPROTO_IPV6, 16, 8, 24
	}
	const network, transport = unix.NFT_PAYLOAD_NETWORK_HEADER, unix.NFT_PAYLOAD_TRANSPORT_HEADER
	step := size/4 + 1
	return []expression{
		meta(unix.NFT_META_NFPROTO), compare(proto),
		meta(unix.NFT_META_L4PROTO), compare(unix.IPPROTO_TCP),
		load(network, src, size, regKey),
		load(transport, 0, 2, regKey+size/4),
		load(network, dst, size, regKey+step),
		load(transport, 2, 2, regKey+step+size/4),
	}
}

const (
	nfDrop   = 0
	nfAccept = 1
)

// raw is the priority before connection tracking (NF_IP_PRI_RAW).
const raw = -300

const hookPrerouting, hookOutput = uint32(Prerouting), uint32(Output)
