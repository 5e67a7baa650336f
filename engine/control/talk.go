package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// protocol is what a conversation's request asks to be switched to.
const protocol = "hookd"

// HandleTalk hands the connection of a request to talk, to be read and written
// freely; it is closed afterwards, and ctx ends when the server does.
func (s *Server) HandleTalk(pattern string, talk func(ctx context.Context, r *http.Request, c net.Conn)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != protocol {
			s.refuse(w, Errorf(http.StatusUpgradeRequired, "%s is a conversation: ask for Upgrade: %s", r.URL.Path, protocol))
			return
		}
		c, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			s.refuse(w, err)
			return
		}
		defer c.Close()
		stop := context.AfterFunc(s.ctx, func() {
			// Reads and writes end at once; who talks closes the connection.
			_ = c.SetDeadline(time.Unix(1, 0))
		})
		defer stop()
		if err := c.SetDeadline(time.Time{}); err != nil {
			return
		}
		if _, err := fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol); err != nil {
			return
		}
		talk(s.ctx, r, &talking{Conn: c, read: buf.Reader.Read})
	})
}

// talking is a connection some of whose bytes were read ahead.
type talking struct {
	net.Conn
	read func([]byte) (int, error)
}

// Read implements [net.Conn].
func (t *talking) Read(b []byte) (int, error) { return t.read(b) }

// errClosed is what a client is told by a server that says nothing.
var errClosed = errors.New("the daemon closed the connection")
