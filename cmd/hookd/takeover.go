package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/stacks/loop"
)

// handover is the request that a new daemon makes of the one that runs.
type handover struct {
	// Socket is the path where the new one waits.
	Socket string `json:"socket"`
}

// serveHandover lets another daemon come after this one.
func (d *daemon) serveHandover() {
	d.control.Handle("POST /handover", func(r *http.Request) (any, error) {
		var ask handover
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
			return nil, control.Errorf(http.StatusBadRequest, "%s", err)
		}
		if d.leaving.Swap(true) {
			return nil, control.Errorf(http.StatusConflict, "another daemon is coming already")
		}
		c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: ask.Socket, Net: "unix"})
		if err != nil {
			d.leaving.Store(false)
			return nil, err
		}
		d.tasks.Go(func() {
			defer c.Close()
			if err := d.handOver(c); err != nil {
				d.leaving.Store(false)
				d.log.Warn("this daemon goes on: the one that was to come after it did not", "err", err)
				return
			}
			d.leave()
		})
		return struct{}{}, nil
	})
}

// handOver gives the sockets of listeners, and when the next daemon is ready its
// connections, to that one. After an error everything is as it was.
func (d *daemon) handOver(c *net.UnixConn) error {
	if err := d.engine.SaveState(); err != nil { // the next one loads it
		return err
	}
	sockets, err := d.loops.Sockets()
	if err != nil {
		return err
	}
	for i := range sockets {
		err = errors.Join(err, (&parcel{What: passSocket, Socket: &sockets[i]}).say(c), sockets[i].File.Close())
	}
	if err = errors.Join(err, (&parcel{What: passListen}).say(c)); err != nil {
		return err
	}
	if _, err := expect(c, passReady); err != nil {
		return err
	}
	d.loops.Doors(false)
	var list []loop.Passenger
	portable := func(lc *loop.Conn) bool { return d.engine.Portable(lc.Shard(), lc) }
	stay := d.loops.Depart(portable, func(lc *loop.Conn, p loop.Passenger) {
		p.Data = d.engine.CarryData(lc.Shard(), lc)
		list = append(list, p)
	})
	if err := give(c, list, stay); err != nil {
		d.loops.Doors(true)
		for _, p := range list { // as if they had not left
			d.board(p)
		}
		return err
	}
	for _, p := range list {
		_ = p.File.Close()
	}
	d.log.Info("another daemon goes on", "connections", len(list))
	return nil
}

// give sends connections and waits until the other one has them.
func give(c *net.UnixConn, list []loop.Passenger, stay int) error {
	for i := range list {
		if err := (&parcel{What: passConn, Conn: &list[i]}).say(c); err != nil {
			return err
		}
	}
	if err := (&parcel{What: passDone, Stay: stay}).say(c); err != nil {
		return err
	}
	_, err := expect(c, passTaken)
	return err
}

// board goes on with a connection.
func (d *daemon) board(p loop.Passenger) {
	err := d.loops.Board(p, func(c *loop.Conn) {
		if err := d.engine.TakeData(c.Shard(), c, p.Data); err != nil {
			d.log.Warn("data of a connection is lost", "conn", c.ID(), "err", err)
		}
	})
	if err != nil {
		d.log.Warn("a connection ends", "err", err)
	}
}

// leave ends the daemon in favour of the next, which gets the control socket and the
// metrics' port at once; what could not be handed over is drained.
func (d *daemon) leave() {
	d.left.Store(true)
	if s := d.scraped.Load(); s != nil {
		_ = s.Close()
	}
	_ = (*d.listener.Load()).Close()
	d.end()
}

// takeover is a daemon's coming after another one.
type takeover struct {
	c    *net.UnixConn
	dir  string // of the socket where the other one came
	stay int    // connections that end with the other one
}

// comeAfter asks the daemon at the control socket for its listening sockets.
func (d *daemon) comeAfter() (err error) {
	t := &takeover{}
	if t.dir, err = os.MkdirTemp("", "hookd-takeover-"); err != nil {
		return fail(exitIO, err)
	}
	d.takeover = t
	path := filepath.Join(t.dir, "s")
	l, err := control.Listen(path)
	if err != nil {
		return fail(exitIO, err)
	}
	defer l.Close()
	ask := control.NewClient(d.options.control)
	defer ask.Close()
	ctx, cancel := context.WithTimeout(context.Background(), passPatience)
	defer cancel()
	if err := ask.Do(ctx, http.MethodPost, "/handover", handover{path}, &struct{}{}); err != nil {
		return fail(exitIO, fmt.Errorf("take over: %w", err))
	}
	c, err := l.Accept() // it has connected before it answered
	if err != nil {
		return fail(exitIO, fmt.Errorf("take over: %w", err))
	}
	t.c = c.(*net.UnixConn)
	var sockets []loop.ListeningSocket
	for {
		p, err := hear(t.c)
		if err != nil {
			return fail(exitIO, fmt.Errorf("take over: %w", err))
		}
		if p.What == passListen {
			break
		}
		if p.Socket == nil {
			return fail(exitIO, fmt.Errorf("take over: message %q", p.What))
		}
		sockets = append(sockets, *p.Socket)
	}
	d.loops.Inherit(sockets)
	return nil
}

// close gives up what a takeover has.
func (t *takeover) close() error {
	if t.c != nil {
		_ = t.c.Close()
	}
	return os.RemoveAll(t.dir)
}

// goOn takes the other daemon's connections and then its place at the control socket.
func (d *daemon) goOn(ctx context.Context) error {
	t := d.takeover
	stop := context.AfterFunc(ctx, func() { _ = t.c.Close() })
	list, err := t.take()
	stop()
	gone := err
	for _, p := range list {
		d.board(p)
	}
	for told := false; ; {
		l, err := control.Listen(d.options.control)
		if err == nil {
			if gone != nil { // it was killed, and nobody else serves
				d.log.Error("the daemon before this one is gone, with its connections", "err", gone)
			} else {
				d.log.Info("goes on for the daemon before this one", "connections", len(list), "ending_there", t.stay)
			}
			if err = d.listenForMetrics(ctx); err != nil {
				d.log.Error("metrics are not served", "err", err)
			}
			d.listener.Store(&l)
			return d.control.Serve(l)
		}
		if gone != nil {
			return fmt.Errorf("take over: %w", gone)
		}
		if !told && !errors.Is(err, control.ErrInUse) && !errors.Is(err, fs.ErrNotExist) {
			told = true
			d.log.Error("the control socket is not there yet", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// take takes the other daemon's connections, all or none.
func (t *takeover) take() (list []loop.Passenger, err error) {
	defer func() {
		for i := range list {
			if err != nil {
				_ = list[i].File.Close()
			}
		}
		if err != nil {
			list = nil
		}
	}()
	if err := (&parcel{What: passReady}).say(t.c); err != nil {
		return nil, err
	}
	for {
		p, err := hear(t.c)
		switch {
		case err != nil:
			return list, err
		case p.What == passDone:
			t.stay = p.Stay
			return list, (&parcel{What: passTaken}).say(t.c)
		case p.Conn == nil:
			return list, fmt.Errorf("message %q", p.What)
		}
		list = append(list, *p.Conn)
	}
}
