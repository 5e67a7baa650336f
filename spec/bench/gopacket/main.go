// Command gopacket follows the TCP connections of a capture with
// gopacket, as its documentation advises for speed: a decoding-layer
// parser with reused layers before the reassembly package. It prints how many
// there were. The bench compares with it.
//
// It runs on one goroutine.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/google/gopacket/reassembly"
)

func main() {
	zeroCopy := flag.Bool("zerocopy", false, "read packets where they lie in the reader's buffer")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: gopacket [-zerocopy] CAPTURE")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *zeroCopy); err != nil {
		fmt.Fprintln(os.Stderr, "gopacket:", err)
		os.Exit(1)
	}
}

// counts is what all streams together saw; it makes them.
type counts struct {
	streams, ended int
	bytes, missing int64
}

// New implements reassembly.StreamFactory.
func (c *counts) New(_, _ gopacket.Flow, _ *layers.TCP, _ reassembly.AssemblerContext) reassembly.Stream {
	c.streams++
	return &stream{c}
}

// stream is one connection.
type stream struct{ all *counts }

// Accept implements reassembly.Stream.
func (s *stream) Accept(_ *layers.TCP, _ gopacket.CaptureInfo, _ reassembly.TCPFlowDirection, _ reassembly.Sequence, start *bool, _ reassembly.AssemblerContext) bool {
	*start = true
	return true
}

// ReassembledSG implements reassembly.Stream.
func (s *stream) ReassembledSG(sg reassembly.ScatterGather, _ reassembly.AssemblerContext) {
	n, _ := sg.Lengths()
	s.all.bytes += int64(n)
	if _, _, _, skip := sg.Info(); skip > 0 {
		s.all.missing += int64(skip)
	}
}

// ReassemblyComplete implements reassembly.Stream.
func (s *stream) ReassemblyComplete(reassembly.AssemblerContext) bool {
	s.all.ended++
	return true
}

// context carries a packet's capture time to the assembler.
type context struct{ ci gopacket.CaptureInfo }

// GetCaptureInfo implements reassembly.AssemblerContext.
func (c *context) GetCaptureInfo() gopacket.CaptureInfo { return c.ci }

// The times after which the assembler lets go of what is silent, and how many
// packets pass between two looks.
const (
	waitForHole = 2 * time.Minute
	idle        = 5 * time.Minute
	lookEvery   = 16384
)

func run(path string, zeroCopy bool) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	r, err := pcapgo.NewReader(bufio.NewReader(file))
	if err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	next := r.ReadPacketData
	if zeroCopy {
		next = r.ZeroCopyReadPacketData
	}
	all := &counts{}
	packets, err := follow(next, all)
	if err != nil {
		return err
	}
	fmt.Printf("%d packets, %d streams, %d ended, %d bytes, %d missing\n", packets, all.streams, all.ended, all.bytes, all.missing)
	return nil
}

// follow reads all packets.
func follow(next func() ([]byte, gopacket.CaptureInfo, error), all *counts) (packets int, err error) {
	var (
		eth  layers.Ethernet
		tag  layers.Dot1Q
		ip4  layers.IPv4
		ip6  layers.IPv6
		tcp  layers.TCP
		ctx  context
		seen []gopacket.LayerType
	)
	parser := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &eth, &tag, &ip4, &ip6, &tcp)
	parser.IgnoreUnsupported = true
	assembler := reassembly.NewAssembler(reassembly.NewStreamPool(all))
	for ; ; packets++ {
		data, ci, err := next()
		if errors.Is(err, io.EOF) {
			assembler.FlushAll()
			return packets, nil
		}
		if err != nil {
			return packets, fmt.Errorf("read packet %d: %w", packets, err)
		}
		if parser.DecodeLayers(data, &seen) != nil {
			continue // a damaged packet
		}
		flow, isTCP := network(seen, &ip4, &ip6)
		if !isTCP {
			continue
		}
		ctx.ci = ci
		assembler.AssembleWithContext(flow, &tcp, &ctx)
		if packets%lookEvery == 0 {
			assembler.FlushWithOptions(reassembly.FlushOptions{T: ci.Timestamp.Add(-waitForHole), TC: ci.Timestamp.Add(-idle)})
		}
	}
}

// network returns the addresses of the packet that was decoded last, and
// whether it is TCP.
func network(seen []gopacket.LayerType, ip4 *layers.IPv4, ip6 *layers.IPv6) (flow gopacket.Flow, isTCP bool) {
	for _, l := range seen {
		switch l {
		case layers.LayerTypeIPv4:
			flow = ip4.NetworkFlow()
		case layers.LayerTypeIPv6:
			flow = ip6.NetworkFlow()
		case layers.LayerTypeTCP:
			isTCP = true
		}
	}
	return flow, isTCP
}
