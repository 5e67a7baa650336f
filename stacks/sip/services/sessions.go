package services

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/sdp"
)

// SDPRead implements [sipev.Functions].
func (s *Desk) SDPRead(_ *event.Caller, m sipev.Message) any {
	media, ok := sdp.Read(indexOf(m))
	if !ok {
		return nil
	}
	list := []any{}
	for i := range media {
		d := &media[i]
		codecs := []any{}
		for _, c := range d.Codecs {
			row := []event.KV{{Key: "format", Value: c.Format}}
			if c.Name != "" {
				row = append(row, event.KV{Key: "name", Value: c.Name}, event.KV{Key: "rate", Value: float64(c.Rate)})
			}
			codecs = append(codecs, row)
		}
		list = append(list, []event.KV{
			{Key: "type", Value: d.Type},
			{Key: "port", Value: float64(d.Port)},
			{Key: "proto", Value: d.Proto},
			{Key: "address", Value: d.Address},
			{Key: "direction", Value: d.Direction},
			{Key: "codecs", Value: codecs},
		})
	}
	return list
}

// SDPKeep implements [sipev.Functions].
func (s *Desk) SDPKeep(by *event.Caller, m sipev.Message, codecs []string, media string) (uint32, error) {
	return filterSDP(by, m, media, func(c *sdp.Codec) bool { return named(c, codecs) })
}

// SDPDrop implements [sipev.Functions].
func (s *Desk) SDPDrop(by *event.Caller, m sipev.Message, codecs []string, media string) (uint32, error) {
	return filterSDP(by, m, media, func(c *sdp.Codec) bool { return !named(c, codecs) })
}

func filterSDP(by *event.Caller, m sipev.Message, media string, wanted func(*sdp.Codec) bool) (uint32, error) {
	body, n := sdp.Filter(indexOf(m), media, wanted)
	if n == 0 {
		return 0, nil
	}
	return uint32(n), m.SetBody(by, body, "")
}

// named reports whether a codec is one of a list: by its name, or its name and rate.
func named(c *sdp.Codec, list []string) bool {
	return slices.ContainsFunc(list, func(name string) bool {
		return strings.EqualFold(name, c.Name) || strings.EqualFold(name, fmt.Sprint(c.Name, "/", c.Rate))
	})
}

// SDPRefuse implements [sipev.Functions].
func (s *Desk) SDPRefuse(by *event.Caller, m sipev.Message, media string) (uint32, error) {
	body, n := sdp.Refuse(indexOf(m), media)
	if n == 0 {
		return 0, nil
	}
	return uint32(n), m.SetBody(by, body, "")
}
