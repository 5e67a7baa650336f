package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Limits of a server.
const (
	// MaxConns is how many connections are served at a time; more wait.
	MaxConns = 64
	// MaxBody bounds a request's body in bytes.
	MaxBody = 1 << 20
)

// Error is an answer that says no. A handler returns one to choose its status;
// other errors are 500. A [Client] returns it too.
type Error struct {
	Status  int    `json:"-"`
	Message string `json:"error"`
	// Detail is more of the same, such as diagnostics.
	Detail json.RawMessage `json:"detail,omitempty"`
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Errorf makes an Error.
func Errorf(status int, format string, args ...any) *Error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...)}
}

// Server answers requests.
type Server struct {
	mux  *http.ServeMux
	http *http.Server
	log  *slog.Logger

	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex // guards closed
	closed bool
	open   sync.WaitGroup // requests that are answered, for as long as that takes
}

// NewServer returns a server that answers nothing yet. log receives what cannot
// be answered; nil discards it.
func NewServer(log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{mux: http.NewServeMux(), log: log}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.answer),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, guestKey{}, c)
		},
	}
	return s
}

// answer has a request answered, unless the server closes: then nothing begins
// any more. Who may not ask is told so once it has asked: an answer to who is
// still sending would be lost.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	if g, ok := r.Context().Value(guestKey{}).(*guest); ok && g.unwelcome != nil {
		w.Header().Set("Connection", "close")
		s.refuse(w, Errorf(http.StatusForbidden, "%s", g.unwelcome))
		return
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.refuse(w, Errorf(http.StatusServiceUnavailable, "the daemon ends"))
		return
	}
	s.open.Add(1)
	s.mu.Unlock()
	defer s.open.Done()
	s.mux.ServeHTTP(w, r)
}

// Handle answers requests of a method and path ("GET /status") with what answer
// returns, as JSON.
func (s *Server) Handle(pattern string, answer func(*http.Request) (any, error)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		v, err := answer(r)
		if err != nil {
			s.refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			s.log.Debug("an answer was not taken", "path", r.URL.Path, "err", err)
		}
	})
}

// HandleRaw answers requests of a method and path as the handler does.
func (s *Server) HandleRaw(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// refuse answers with an error.
func (s *Server) refuse(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Status: http.StatusInternalServerError, Message: err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status)
	if err := json.NewEncoder(w).Encode(e); err != nil {
		s.log.Debug("an answer was not taken", "err", err)
	}
}

// Serve answers what comes in at l until Close. Several listeners may be served
// at a time.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(&guarded{Listener: l, room: make(chan struct{}, MaxConns), log: s.log})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("control: serve: %w", err)
}

// Close ends all connections and streams, and waits for what runs.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	err := s.http.Close()
	s.open.Wait()
	if err != nil {
		return fmt.Errorf("control: close: %w", err)
	}
	return nil
}

// guestKey is where a request's context has its connection.
type guestKey struct{}

// guarded is a listener that looks who comes, and lets so many in at a time.
type guarded struct {
	net.Listener
	room chan struct{}
	log  *slog.Logger
}

// Accept implements [net.Listener].
func (g *guarded) Accept() (net.Conn, error) {
	g.room <- struct{}{}
	c, err := g.Listener.Accept()
	if err != nil {
		<-g.room
		return nil, err
	}
	unwelcome := allowed(c)
	if unwelcome != nil {
		g.log.Warn("refused at the control socket", "err", unwelcome)
	}
	return &guest{Conn: c, unwelcome: unwelcome, leave: sync.OnceFunc(func() { <-g.room })}, nil
}

// guest is a connection that makes room when it is closed.
type guest struct {
	net.Conn
	unwelcome error // why it may ask nothing; nil for those who may
	leave     func()
}

// Close implements [net.Conn].
func (g *guest) Close() error {
	g.leave()
	return g.Conn.Close()
}
