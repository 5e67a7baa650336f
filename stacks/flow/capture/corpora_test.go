package capture

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// corpora returns the directory of captures made by others.
func corpora(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("HOOKD_CORPORA")
	if dir == "" {
		dir = "../../../../shared/corpora/public" // beside the module; tests run in their package
	}
	if _, err := os.Stat(filepath.Join(dir, "truth/pcap_summary.tsv")); err != nil {
		t.Skipf("no captures by others: %v; set HOOKD_CORPORA", err)
	}
	return dir
}

// summary is a row of truth/pcap_summary.tsv: what TShark says of a file.
type summary struct {
	path, format, link string
	packets            int
	wireBytes          int64
	fault              string
}

func summaries(t testing.TB, dir string) []summary {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "truth/pcap_summary.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []summary
	for line := range strings.Lines(string(text)) {
		c := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		packets, err1 := strconv.Atoi(c[4])
		wire, err2 := strconv.ParseInt(c[5], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatalf("%s: %v", c[0], err)
		}
		rows = append(rows, summary{path: c[0], format: c[1], link: c[2], packets: packets, wireBytes: wire, fault: c[15]})
	}
	return rows
}

// linkNamesOfTruth are TShark's names for the link types that most files have
// and that are one link type each.
var linkNamesOfTruth = map[string]LinkType{
	"eth": LinkTypeEthernet, "null": LinkTypeNull, "raw": LinkTypeRaw, "ip": LinkTypeIPv4,
	"ipv6": LinkTypeIPv6, "chdlc": LinkTypeCHDLC, "fr": LinkTypeFrameRelay,
	"wlan": LinkTypeIEEE80211, "nflog": LinkTypeNFLog, "pktap": LinkTypePktap, "ipnet": LinkTypeIPNET,
}

// customBlocks are files in which TShark lists custom blocks, here none of our
// business, among the packets: how many, and their bytes.
var customBlocks = map[string]struct {
	packets int
	bytes   int64
}{
	"pcap/gopacket/pcapgo__tests__le__test102.pcapng": {3, 116},
	"pcap/gopacket/pcapgo__tests__be__test102.pcapng": {3, 116},
}

// TestCorporaAgainstTruth reads every capture there is and compares the count
// of packets, their length on the wire, the link type, and whether the file is
// whole, with what TShark says.
func TestCorporaAgainstTruth(t *testing.T) {
	t.Parallel()
	dir := corpora(t)
	rows := summaries(t, dir)
	for _, row := range rows {
		r, err := Open(filepath.Join(dir, row.path))
		if err != nil {
			t.Errorf("%s: %v", row.path, err)
			continue
		}
		checkAgainstTruth(t, r, row)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d files", len(rows))
}

func checkAgainstTruth(t *testing.T, r *Reader, row summary) {
	t.Helper()
	var f Frame
	packets, wire := 0, int64(0)
	err := r.Next(&f)
	if link, ok := linkNamesOfTruth[row.link]; ok && err == nil && f.Link != link && row.format != "pcapng" {
		t.Errorf("%s: link type %v, TShark says %s", row.path, f.Link, row.link)
	}
	for ; err == nil; err = r.Next(&f) {
		packets++
		wire += int64(f.WireLen)
	}
	custom := customBlocks[row.path]
	if packets != row.packets-custom.packets || wire != row.wireBytes-custom.bytes {
		t.Errorf("%s: %d packets of %d bytes, TShark says %d of %d", row.path, packets, wire, row.packets, row.wireBytes)
	}
	damaged := row.fault != "" && !strings.Contains(row.fault, "Dissector bug")
	if damaged != (err != io.EOF) {
		t.Errorf("%s: ended with %v, TShark says %q", row.path, err, row.fault)
	}
	if fe := new(FormatError); damaged && !errors.As(err, &fe) {
		t.Errorf("%s: %T is not a *FormatError", row.path, err)
	}
}

// oracle is gopacket's reading of a file.
type oracle interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
}

// newOracle returns gopacket's reader for the file and how it tells a frame's
// link type, of which it keeps 8 bits.
func newOracle(file []byte) (oracle, func(gopacket.CaptureInfo) uint8, error) {
	if bytes.HasPrefix(file, []byte{0x0a, 0x0d, 0x0d, 0x0a}) {
		ng, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.NgReaderOptions{WantMixedLinkType: true})
		return ng, func(ci gopacket.CaptureInfo) uint8 { return uint8(ci.AncillaryData[0].(layers.LinkType)) }, err
	}
	r, err := pcapgo.NewReader(bytes.NewReader(file))
	return r, func(gopacket.CaptureInfo) uint8 { return uint8(linkOf(uint32(r.LinkType()))) }, err
}

// oracleRefuses are the errors with which gopacket gives up on files that
// TShark and libpcap read.
var oracleRefuses = regexp.MustCompile("^(Unknown minor version|Unknown magic a1b2cd34|capture length exceeds)")

// TestCorporaAgainstGopacket compares every frame that gopacket reads.
func TestCorporaAgainstGopacket(t *testing.T) {
	t.Parallel()
	dir := corpora(t)
	files, frames, refused := 0, 0, 0
	for _, row := range summaries(t, dir) {
		if row.format == "snoop" {
			continue // gopacket's reader for it is another
		}
		file, err := os.ReadFile(filepath.Join(dir, row.path))
		if err != nil {
			t.Fatal(err)
		}
		n, err := compareWithOracle(t, row.path, file)
		files++
		frames += n
		if err != nil {
			refused++
			if !oracleRefuses.MatchString(err.Error()) {
				t.Errorf("%s: gopacket gave up after %d frames: %v", row.path, n, err)
			}
		}
	}
	if frames < 50_000 {
		t.Errorf("only %d frames compared", frames)
	}
	t.Logf("%d frames of %d files are the same; gopacket gave up on %d of them", frames, files, refused)
}

// sameTime allows for gopacket's product of microseconds and 1000, which is
// taken modulo 2^32 where a damaged file has more than a second of them.
func sameTime(got, oracle int64) bool { return (got-oracle)%(1<<32) == 0 }

// compareWithOracle returns how many frames were equal, and the error with which
// the oracle gave up before us.
func compareWithOracle(t *testing.T, name string, file []byte) (int, error) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file), name)
	if err != nil {
		t.Fatal(err)
	}
	want, link, err := newOracle(file)
	if err != nil {
		return 0, err
	}
	var f Frame
	for n := 0; ; n++ {
		err := r.Next(&f)
		if err != nil && err != io.EOF {
			return n, nil // damaged; the oracle would allocate whatever the next length says
		}
		data, ci, oracleErr := want.ReadPacketData()
		if oracleErr != nil {
			if err == nil {
				return n, oracleErr
			}
			return n, nil
		}
		if err != nil {
			t.Fatalf("%s: frame %d: %v, gopacket reads on", name, n, err)
		}
		ts := int64(0)
		if !ci.Timestamp.IsZero() {
			ts = ci.Timestamp.UnixNano()
		}
		if !bytes.Equal(f.Data, data) || f.WireLen != wireLen(uint32(ci.Length)) || !sameTime(f.TS, ts) || uint8(f.Link) != link(ci) || f.Iface != ci.InterfaceIndex {
			t.Fatalf("%s: frame %d: %d bytes of %d, time %d, link %v, interface %d; gopacket has %d of %d, %d, %d, %d",
				name, n, len(f.Data), f.WireLen, f.TS, f.Link, f.Iface, len(data), ci.Length, ts, link(ci), ci.InterfaceIndex)
		}
	}
}
