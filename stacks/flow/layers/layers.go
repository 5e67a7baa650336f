package layers

import (
	"github.com/google/gopacket"
	decoders "github.com/google/gopacket/layers"

	"github.com/hookd/hookd/engine/event"
)

// Limits of what one packet is turned into.
const (
	// MaxLayers is how many layers there are at most; what is deeper is left out.
	MaxLayers = 32
	// MaxList is how many items one list has.
	MaxList = 64
	// MaxBytes is how many bytes of one field are given.
	MaxBytes = 256
	// maxDepth is how deep fields nest.
	maxDepth = 4
	// maxValues is how many values one packet has in all.
	maxValues = 4096
	// maxData is how many bytes of a frame are decoded. Each label of a stack of MPLS, 4 bytes, is a
	// layer, and each layer is a call within a call in gopacket.
	maxData = 64 << 10
)

// Decode decodes a frame of the given link type (a LINKTYPE_ number), and returns a list of layers,
// outermost first: each []event.KV with name, len (bytes of its header), payload_len, and its fields.
// Where gopacket knows no such link, and ip is more than 0, decoding starts at the IP header there.
func Decode(link uint16, data []byte, ip int) []any {
	data = data[:min(len(data), maxData)]
	first := decoder(link, data)
	if first == nil && 0 < ip && ip < len(data) {
		data = data[ip:]
		first = decoder(linkRaw, data)
	}
	if first == nil {
		return []any{}
	}
	p := gopacket.NewPacket(data, first, gopacket.DecodeOptions{NoCopy: true})
	w := writer{left: maxValues}
	list := []any{}
	for _, l := range p.Layers() {
		if len(list) == MaxLayers {
			break
		}
		list = append(list, w.layer(l))
	}
	return list
}

// Link types whose frames are bare IP.
const (
	linkRawBSD  = 12
	linkRawOBSD = 14
	linkRaw     = 101
	linkIPv4    = 228
	linkIPv6    = 229
)

// decoder returns where to begin, nil for a link that gopacket does not know.
func decoder(link uint16, data []byte) gopacket.Decoder {
	switch link {
	case linkRawBSD, linkRawOBSD, linkRaw, linkIPv4, linkIPv6:
		switch {
		case len(data) > 0 && data[0]>>4 == 4:
			return decoders.LayerTypeIPv4
		case len(data) > 0 && data[0]>>4 == 6:
			return decoders.LayerTypeIPv6
		}
		return nil
	}
	if int(link) >= len(decoders.LinkTypeMetadata) {
		return nil
	}
	m := decoders.LinkTypeMetadata[link]
	if m.DecodeWith == nil || m.Name == "" || m.Name == "UnknownLinkType" {
		return nil
	}
	return m.DecodeWith
}

// layer turns one layer into fields.
func (w *writer) layer(l gopacket.Layer) []event.KV {
	fields := []event.KV{
		{Key: "name", Value: l.LayerType().String()},
		{Key: "len", Value: float64(len(l.LayerContents()))},
		{Key: "payload_len", Value: float64(len(l.LayerPayload()))},
	}
	if fail, ok := l.(gopacket.ErrorLayer); ok {
		return append(fields, event.KV{Key: "error", Value: clip(fail.Error().Error())})
	}
	return append(fields, w.structure(l)...)
}
