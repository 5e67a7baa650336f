package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// ErrNotRunning is returned by a client where no daemon answers.
var ErrNotRunning = errors.New("no hookd answers")

// Client asks a daemon.
type Client struct {
	path string
	http *http.Client
}

// NewClient returns a client of the daemon whose socket is at path.
func NewClient(path string) *Client {
	c := &Client{path: path}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
	}}
	return c
}

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	conn, err := d.DialContext(ctx, "unix", c.path)
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w at %s", ErrNotRunning, c.path)
	case err != nil:
		return nil, err
	}
	return conn, nil
}

// Do sends a request, body as JSON unless it is nil, and fills answer, unless it
// is nil. The error of a daemon that says no is an [*Error].
func (c *Client) Do(ctx context.Context, method, path string, body, answer any) error {
	res, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(answer); err != nil {
		return fmt.Errorf("control: read the answer to %s: %w", path, err)
	}
	return nil
}

// Lines sends a request that is answered with lines and calls yield for each
// until it returns false, ctx ends or the daemon closes.
func (c *Client) Lines(ctx context.Context, path string, yield func(line []byte) bool) error {
	res, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	sc := bufio.NewScanner(res.Body)
	sc.Buffer(nil, MaxLineBytes)
	for sc.Scan() {
		if !yield(sc.Bytes()) {
			return nil
		}
	}
	if err := sc.Err(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("control: read %s: %w", path, err)
	}
	return nil
}

// Get returns what a request is answered with, as it is.
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	res, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var text io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("control: ask for %s: %w", path, err)
		}
		text = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://hookd"+path, text)
	if err != nil {
		return nil, fmt.Errorf("control: ask for %s: %w", path, err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		var u interface{ Unwrap() error }
		if errors.Is(err, ErrNotRunning) && errors.As(err, &u) {
			return nil, u.Unwrap() // without the method and the made-up address
		}
		return nil, fmt.Errorf("control: ask for %s: %w", path, err)
	}
	if res.StatusCode != http.StatusOK {
		defer res.Body.Close()
		return nil, refusal(res)
	}
	return res, nil
}

// refusal reads the error of an answer.
func refusal(res *http.Response) error {
	e := &Error{Status: res.StatusCode}
	text, err := io.ReadAll(io.LimitReader(res.Body, MaxBody))
	if err != nil {
		return fmt.Errorf("control: read the answer: %w", err)
	}
	if json.Unmarshal(text, e) != nil || e.Message == "" {
		e.Message = fmt.Sprintf("%s: %s", res.Status, bytes.TrimSpace(text))
	}
	return e
}

// Talk begins a conversation.
func (c *Client) Talk(ctx context.Context, path string) (net.Conn, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	r, err := begin(conn, path)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &talking{Conn: conn, read: r.Read}, nil
}

func begin(conn net.Conn, path string) (*bufio.Reader, error) {
	req, err := http.NewRequest(http.MethodPost, "http://hookd"+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("control: talk: %w", err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", protocol)
	if err := req.Write(conn); err != nil {
		return nil, fmt.Errorf("control: talk: %w", err)
	}
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, req)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return nil, errClosed
	case err != nil:
		return nil, fmt.Errorf("control: talk: %w", err)
	case res.StatusCode != http.StatusSwitchingProtocols:
		defer res.Body.Close()
		return nil, refusal(res)
	}
	return r, nil
}
