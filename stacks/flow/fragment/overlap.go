package fragment

// Overlap says which bytes hold where fragments of a datagram overlap, or that the datagram is given up.
// Hosts differ in this, and who knows how the target puts fragments together can show it another packet
// than its guard: so a guard does as the hosts behind it do. The names are those of Judy Novak's
// "Target-Based Fragmentation Reassembly" (2005), by which Snort and Suricata go too.
type Overlap uint8

// The policies. What is said of a fragment's place and end is of the fragment as it came, whatever of it
// held.
const (
	// OverlapBSD keeps the byte of the fragment that begins first; of two that begin at one place, that of
	// the one which came first. It is what the BSDs did, and AIX, IRIX and HP-UX 10; it is Suricata's default
	// and the only thing that Wireshark does. It is the default here since the outcome does not depend on
	// the order in which fragments of different places come, and since what was seen is what somebody sees
	// who looks at the same capture there.
	OverlapBSD Overlap = iota
	// OverlapFirst keeps the byte that came first: HP-UX 11, Mac OS 9, SunOS 5.8.
	OverlapFirst
	// OverlapLast takes the byte that came last: Cisco IOS.
	OverlapLast
	// OverlapBSDRight takes the byte of the fragment that came last unless it begins before the other: HP
	// JetDirect.
	OverlapBSDRight
	// OverlapLinux is as OverlapBSD, but of two that begin at one place the one holds that came last:
	// Linux before it discarded.
	OverlapLinux
	// OverlapWindows keeps the byte that came first unless the later fragment begins before the earlier
	// and ends behind it: Windows before it discarded.
	OverlapWindows
	// OverlapSolaris is as OverlapWindows, but it is enough that they end at one place.
	OverlapSolaris
	// OverlapDiscard gives the whole datagram up where fragments overlap in part, as RFC 8200 section 4.5
	// asks of receivers and as Linux does for both versions since 4.19. No sender makes such fragments in
	// good faith. One that brings no new byte is ignored.
	OverlapDiscard
)

var overlapNames = [...]string{"bsd", "first", "last", "bsd_right", "linux", "windows", "solaris", "discard"}

// OverlapNames returns the policies' names, in the order of their values.
func OverlapNames() []string { return overlapNames[:] }

// String returns the policy's name.
func (o Overlap) String() string {
	if int(o) < len(overlapNames) {
		return overlapNames[o]
	}
	return "invalid"
}

// owner is the fragment whose byte holds: where it begins and ends in its datagram.
type owner struct{ off, end uint16 }

// yields reports whether the bytes of had make way for those of late, which came after it.
func (o Overlap) yields(had, late owner) bool {
	switch o {
	case OverlapBSD:
		return late.off < had.off
	case OverlapLast:
		return true
	case OverlapBSDRight:
		return late.off >= had.off
	case OverlapLinux:
		return late.off <= had.off
	case OverlapWindows:
		return late.off < had.off && late.end > had.end
	case OverlapSolaris:
		return late.off < had.off && late.end >= had.end
	}
	return false // OverlapFirst, OverlapDiscard
}
