package packet

// Reassemble decodes datagram, an IP packet that was put together from the fragment that p is and
// others, in p's place. What was known of the link and of tunnels around the fragment stays, as does
// the time; Data, and with it every offset, is the datagram from now on, and Link is LinkRaw. What was
// Malformed or Truncated as a whole may of course come out of it.
func (p *Packet) Reassemble(datagram []byte) {
	part := *p
	p.Decode(LinkRaw, datagram, len(datagram), part.TS)
	p.Reassembled = true
	p.EtherType, p.VLANs, p.VLAN, p.VLANInner = part.EtherType, part.VLANs, part.VLAN, part.VLANInner
	p.Labels, p.Label = part.Labels, part.Label
	if part.TunnelDepth == 0 {
		return
	}
	if p.TunnelDepth == 0 {
		p.Tunnel, p.TunnelID = part.Tunnel, part.TunnelID
	}
	p.TunnelDepth += part.TunnelDepth
	p.OuterVersion, p.OuterSrc, p.OuterDst = part.OuterVersion, part.OuterSrc, part.OuterDst
}

// Network tells networks apart whose addresses may be the same: by the VLAN ids, and by the network's
// number where the innermost tunnel is VXLAN or GENEVE. Other tunnels' numbers name a path, of which
// the packets of one connection, and even of one datagram, may take several.
func (p *Packet) Network() uint64 {
	n := uint64(p.VLAN) | uint64(p.VLANInner)<<12
	if p.Tunnel&(VXLAN|GENEVE) != 0 {
		n |= uint64(p.TunnelID)<<24 | 1<<63
	}
	return n
}
