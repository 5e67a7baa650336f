package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/stacks/sock"
	"github.com/hookd/hookd/stacks/sock/image"
)

func newSockInspect() *cobra.Command {
	var asJSON, data bool
	cmd := &cobra.Command{
		Use:   "inspect IMAGE",
		Short: "Show what is in a connection's image",
		Args:  exactlyOne("an image file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := image.ReadFile(args[0])
			if err != nil {
				return sockFailure(err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), imageRecordOf(m))
			}
			return wrote(showImage(cmd.OutOrStdout(), m, data))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	cmd.Flags().BoolVar(&data, "data", false, "show the bytes of the queues too")
	return cmd
}

// imageRecord is an image without its bytes.
type imageRecord struct {
	V          int               `json:"v"`
	ID         string            `json:"id"`
	Generation uint64            `json:"generation"`
	Created    time.Time         `json:"created"`
	State      string            `json:"state"`
	Local      netip.AddrPort    `json:"local"`
	Remote     netip.AddrPort    `json:"remote"`
	Interface  string            `json:"interface,omitempty"`
	Recv       int               `json:"recv"`
	Send       int               `json:"send"`
	Unsent     uint32            `json:"unsent"`
	MSS        uint32            `json:"mss"`
	SndWscale  uint32            `json:"snd_wscale"`
	RcvWscale  uint32            `json:"rcv_wscale"`
	InqSeq     uint32            `json:"inq_seq"`
	OutqSeq    uint32            `json:"outq_seq"`
	Options    int               `json:"options"`
	App        int               `json:"app"`
	Meta       map[string]string `json:"meta,omitempty"`
}

func imageRecordOf(m *image.Image) imageRecord {
	s := &m.Stream
	return imageRecord{
		1, m.ID.String(), m.Generation, m.Created.UTC(), sock.State(m.State).String(), m.Local, m.Remote, m.Interface,
		len(m.Recv), len(m.Send), s.UnsqLen, s.MSSClamp, s.SndWscale, s.RcvWscale, s.InqSeq, s.OutqSeq, len(m.Options), len(m.App), m.Meta,
	}
}

func showImage(w io.Writer, m *image.Image, data bool) error {
	s := &m.Stream
	rows := [][2]string{
		{"id", m.ID.String()},
		{"created", m.Created.UTC().Format(time.RFC3339Nano)},
		{"moved before", strconv.FormatUint(m.Generation, 10)},
		{"state", sock.State(m.State).String()},
		{"local", m.Local.String()},
		{"remote", m.Remote.String()},
		{"to read", fmt.Sprintf("%d bytes up to number %d", len(m.Recv), s.InqSeq)},
		{"to send", fmt.Sprintf("%d bytes up to number %d, %d never sent", len(m.Send), s.OutqSeq, s.UnsqLen)},
		{"segments", fmt.Sprintf("%d bytes", s.MSSClamp)},
		{"window shifts", fmt.Sprintf("%d theirs, %d ours", s.SndWscale, s.RcvWscale)},
		{"socket options", strconv.Itoa(len(m.Options))},
	}
	if m.Interface != "" {
		rows = append(rows, [2]string{"interface", m.Interface})
	}
	for _, name := range slices.Sorted(maps.Keys(m.Meta)) {
		rows = append(rows, [2]string{"note " + shown(name), shown(m.Meta[name])})
	}
	for _, r := range rows {
		if _, err := fmt.Fprintf(w, "%-15s %s\n", r[0], r[1]); err != nil {
			return err
		}
	}
	if !data {
		return nil
	}
	for _, q := range []struct {
		name string
		b    []byte
	}{{"to read", m.Recv}, {"to send", m.Send}} {
		if _, err := fmt.Fprintf(w, "\n%s:\n%s", q.name, hex.Dump(q.b)); err != nil {
			return err
		}
	}
	return nil
}

func newSockImport() *cobra.Command {
	return &cobra.Command{
		Use:   "import DIRECTORY INODE IMAGE",
		Short: "Make an image of a connection that CRIU dumped",
		Long: `Import reads the connection of a socket from the directory of a
'criu dump --tcp-established': its tcp-stream-INODE.img (INODE in hexadecimal there) and
files.img.`,
		Example: `  hookd sock import ./dump 0x2a91 c.img`,
		Args:    between(3, 3, "an argument"),
		RunE: func(_ *cobra.Command, args []string) error {
			ino, err := strconv.ParseUint(args[1], 0, 32)
			if err != nil {
				return usagef("%q: an inode's number expected", args[1])
			}
			m, err := image.ImportCRIU(args[0], uint32(ino))
			if err != nil {
				return sockFailure(err)
			}
			return sockFailure(image.WriteFile(args[2], m, true))
		},
	}
}

func newSockExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export IMAGE DIRECTORY INODE",
		Short: "Write an image as CRIU's tcp-stream, in the place of a dump's",
		Long: `Export writes DIRECTORY/tcp-stream-INODE.img. CRIU restores whole processes, so this is
of use in a dump that has such a socket. The image is not used up.`,
		Example: `  hookd sock export c.img ./dump 0x2a91`,
		Args:    between(3, 3, "an argument"),
		RunE: func(_ *cobra.Command, args []string) error {
			ino, err := strconv.ParseUint(args[2], 0, 32)
			if err != nil {
				return usagef("%q: an inode's number expected", args[2])
			}
			m, err := image.ReadFile(args[0])
			if err != nil {
				return sockFailure(err)
			}
			return sockFailure(m.ExportCRIU(args[1], uint32(ino)))
		},
	}
}
