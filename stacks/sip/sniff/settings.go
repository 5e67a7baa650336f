package sniff

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hookd/hookd/engine/event/setting"
)

// settings lists what can be set.
func (c *Config) settings() setting.Table {
	return setting.Table{
		{Name: "observe", Doc: "SIP that passes on interfaces raises events too, read-only; in captures it always does", Value: setting.Flag(&c.Live)},
		{Name: "observe_ports", Doc: "ports where what passes is taken for SIP, as in \"5060 5080\"", Value: ports{&c.Ports}},
		{Name: "observe_elsewhere", Doc: "SIP is known by its first line on other ports too, and WebSockets for it by how they open; with --jobs on those ports alone", Value: setting.Flag(&c.Elsewhere)},
		{Name: "observe_streams", Doc: "directions of connections that are followed for SIP; further ones are not read", Limit: true, Value: setting.Count(&c.MaxStreams)},
		{Name: "observe_bytes", Doc: "bytes of unfinished messages of all connections; a connection that brings more is not read on", Limit: true, Value: setting.Count(&c.MaxBuffered)},
	}
}

// Settings lists the settings with their values.
func (c Config) Settings() []setting.Doc { return c.settings().Docs() }

// Names lists the names that [Config.Set] knows.
func (c Config) Names() []string { return c.settings().Names() }

// Set changes the setting of that name; [setting.ErrNone] where there is none.
func (c *Config) Set(name string, value any) error { return c.settings().Set(name, value) }

// ports are a list of ports as a setting: one number, or several in a text.
type ports struct{ list *[]uint16 }

// String implements [setting.Value].
func (p ports) String() string {
	var words []string
	for _, port := range *p.list {
		words = append(words, strconv.Itoa(int(port)))
	}
	return strings.Join(words, " ")
}

// Set implements [setting.Value].
func (p ports) Set(value any) error {
	var list []uint16
	for _, word := range strings.FieldsFunc(fmt.Sprint(value), func(r rune) bool { return r == ' ' || r == ',' }) {
		n, err := strconv.ParseUint(word, 10, 16)
		if err != nil || n == 0 || len(list) == maxPorts {
			return fmt.Errorf("%v: at most %d ports from 1 to 65535 expected", value, maxPorts)
		}
		list = append(list, uint16(n))
	}
	slices.Sort(list)
	*p.list = slices.Compact(list)
	return nil
}

// maxPorts bounds the list that each packet's ports are looked for in.
const maxPorts = 64
