package filter

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// String returns the expression as it was understood, in the filter language:
// names of ports and protocols are numbers, every inherited qualifier is spelled
// out, and arithmetic has all its parentheses. Parsing it gives the same tree.
func (e *Expr) String() string {
	if e.root == nil {
		return ""
	}
	var b strings.Builder
	e.root.print(&b)
	return b.String()
}

// join appends the words that are not empty, with blanks between them.
func join(b *strings.Builder, words ...string) {
	gap := ""
	for _, w := range words {
		if w != "" {
			b.WriteString(gap)
			b.WriteString(w)
			gap = " "
		}
	}
}

func (n *chain) print(b *strings.Builder) {
	for i, item := range n.items {
		if i > 0 {
			b.WriteString([...]string{logicAnd: " and ", logicOr: " or "}[n.ops[i-1]])
		}
		printItem(b, item)
	}
}

func (n *negation) print(b *strings.Builder) {
	b.WriteString("not ")
	printItem(b, n.item)
}

func printItem(b *strings.Builder, item node) {
	if _, nested := item.(*chain); !nested {
		item.print(b)
		return
	}
	b.WriteByte('(')
	item.print(b)
	b.WriteByte(')')
}

func (n *protocolTest) print(b *strings.Builder) { b.WriteString(n.proto) }

func (n *addressTest) print(b *strings.Builder) {
	length, prefix := prefixLength(n.mask)
	switch {
	case length == n.mask.BitLen():
		join(b, n.proto, string(n.dir), "host", n.addr.String())
	case prefix:
		join(b, n.proto, string(n.dir), "net", n.addr.String()+"/"+strconv.Itoa(length))
	default:
		join(b, n.proto, string(n.dir), "net", n.addr.String(), "mask", n.mask.String())
	}
}

// prefixLength counts the ones of a mask and says whether they are at its
// beginning.
func prefixLength(mask netip.Addr) (int, bool) {
	n, ended, prefix := 0, false, true
	for _, octet := range mask.AsSlice() {
		for bit := 7; bit >= 0; bit-- {
			if octet>>bit&1 == 0 {
				ended = true
				continue
			}
			n++
			prefix = prefix && !ended
		}
	}
	return n, prefix
}

func (n *linkAddressTest) print(b *strings.Builder) {
	var addr string
	switch {
	case len(n.addr) == 6:
		addr = fmt.Sprintf("%x:%x:%x:%x:%x:%x", n.addr[0], n.addr[1], n.addr[2], n.addr[3], n.addr[4], n.addr[5])
	case len(n.addr) == 2:
		v := int(n.addr[0])<<8 | int(n.addr[1])
		addr = fmt.Sprintf("%d.%d", v>>10, v&1023)
	default:
		addr = fmt.Sprintf("$%x", n.addr[0])
	}
	join(b, n.proto, string(n.dir), "host", addr)
}

func (n *gatewayTest) print(b *strings.Builder) { join(b, n.proto, "gateway", `\`+n.name) }

func (n *portTest) print(b *strings.Builder) {
	over := ""
	for name, t := range transportNames {
		if t == n.over {
			over = name
		}
	}
	if n.lo == n.hi {
		join(b, over, string(n.dir), "port", strconv.Itoa(int(n.lo)))
		return
	}
	join(b, over, string(n.dir), "portrange", fmt.Sprintf("%d-%d", n.lo, n.hi))
}

func (n *numberTest) print(b *strings.Builder) {
	word := "proto"
	if n.chain {
		word = "protochain"
	}
	join(b, n.proto, word, strconv.FormatUint(uint64(n.num), 10))
}

func (n *castTest) print(b *strings.Builder) {
	word := "broadcast"
	if n.multi {
		word = "multicast"
	}
	join(b, n.proto, word)
}

func (n *tunnelTest) print(b *strings.Builder) {
	id := ""
	if n.hasID {
		id = strconv.FormatUint(uint64(n.id), 10)
	}
	join(b, n.name, id)
}

func (n *wordTest) print(b *strings.Builder) { join(b, n.words...) }

func (n *fieldTest) print(b *strings.Builder) {
	nums := make([]string, len(n.nums))
	for i, v := range n.nums {
		nums[i] = strconv.FormatUint(uint64(v), 10)
	}
	if len(nums) > 1 {
		join(b, n.name, "("+strings.Join(nums, " or ")+")")
		return
	}
	join(b, n.name, n.op, nums[0])
}

func (n *relation) print(b *strings.Builder) {
	n.left.print(b)
	b.WriteString(" " + n.op + " ")
	n.right.print(b)
}

func (a literal) print(b *strings.Builder) { b.WriteString(strconv.FormatUint(uint64(a.value), 10)) }

func (a packetLength) print(b *strings.Builder) { b.WriteString("len") }

func (a load) print(b *strings.Builder) {
	b.WriteString(a.proto + "[")
	a.index.print(b)
	fmt.Fprintf(b, ":%d]", a.size)
}

func (a operation) print(b *strings.Builder) {
	b.WriteByte('(')
	if _, signed := a.left.(minus); signed && precedence[a.op] == 0 {
		b.WriteByte('(') // else the sign would be the result's
		a.left.print(b)
		b.WriteByte(')')
	} else {
		a.left.print(b)
	}
	b.WriteString(" " + a.op + " ")
	a.right.print(b)
	b.WriteByte(')')
}

func (a minus) print(b *strings.Builder) {
	b.WriteString("- ")
	a.x.print(b)
}
