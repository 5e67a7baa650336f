package sock

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter"
	"github.com/hookd/hookd/stacks/netfilter/netns"
	"github.com/hookd/hookd/stacks/sock/image"
)

// HandOff moves a connection to whoever calls [Mover.Receive] at the other end of a
// stream. The connection lives on here until the target is ready for it, and again if
// the target refuses it after all ([ErrRefused]): on the same socket, for everybody who
// holds it. fd is closed when the target has the connection, and after [ErrUncertain],
// when nobody knows.
//
// The stream should give up after a while by itself if it has no deadlines.
func (m *Mover) HandOff(s io.ReadWriter, fd int, opt CheckpointOptions) (*Done, error) {
	offer, p, err := m.offer(fd, &opt)
	if err != nil {
		return nil, fmt.Errorf("sock: hand off: %w", err)
	}
	tuple := netfilter.Tuple{Local: offer.Local, Remote: offer.Remote}
	setPatience(s, m.lease())
	if err := sayMessage(s, msgOffer, offer); err != nil {
		return nil, fmt.Errorf("sock: offer %v: %w", tuple, err)
	}
	var ready struct{}
	if err := hearMessage(s, msgReady, &ready); err != nil {
		return nil, fmt.Errorf("sock: offer %v: %w", tuple, err)
	}
	taken, err := m.send(s, fd, opt)
	if err != nil {
		return nil, err
	}
	defer taken.Free()
	var done Done
	err = sayMessage(s, msgClosed, struct{}{})
	if err == nil {
		err = hearMessage(s, msgDone, &done)
	}
	switch {
	case err == nil:
		return &done, errors.Join(m.settled(p, tuple, done.Same), unix.Close(fd))
	case errors.Is(err, ErrRefused):
		_, again := m.Restore(taken.Image, RestoreOptions{Namespace: p.ns.Path(), Observe: opt.Observe, into: &fd})
		return nil, errors.Join(fmt.Errorf("sock: hand off %v: %w", tuple, err), again)
	}
	return nil, errors.Join(fmt.Errorf("sock: hand off %v: %w: %w", tuple, ErrUncertain, err), unix.Close(fd))
}

// send takes the connection and sends its image as the sink.
func (m *Mover) send(s io.Writer, fd int, opt CheckpointOptions) (*Taken, error) {
	keep := opt.Sink
	opt.Leave, opt.KeepOpen = false, true
	opt.Sink = func(img *image.Image) error {
		if keep != nil {
			if err := keep(img); err != nil {
				return err
			}
		}
		return sendImage(s, img)
	}
	return m.Checkpoint(fd, opt)
}

// settled cleans up after a move. In the same namespace what was held goes to the new
// socket. Elsewhere it cannot follow and is dropped, to be sent again, and the block
// stands for its lease: until the address has moved, an answer from here would be RST.
func (m *Mover) settled(p *place, t netfilter.Tuple, same bool) error {
	if same {
		return p.release(t)
	}
	return errors.Join(p.locks.Discard(t), p.locks.Forget(t))
}

// offer looks at the connection without touching it.
func (m *Mover) offer(fd int, opt *CheckpointOptions) (*Offer, *place, error) {
	state, err := suitable(fd)
	if err != nil {
		return nil, nil, err
	}
	local, err := localOf(fd)
	if err != nil {
		return nil, nil, err
	}
	remote, err := peerOf(fd)
	if err != nil {
		return nil, nil, err
	}
	p, err := m.placeOf(fd)
	if err != nil {
		return nil, nil, err
	}
	boot, inode, err := whereabouts(p.ns)
	if err != nil {
		return nil, nil, err
	}
	in, _ := unix.IoctlGetInt(fd, unix.SIOCINQ)
	out, _ := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	return &Offer{
		Version: wireVersion, Generation: opt.Generation, Local: local, Remote: remote, State: state.String(),
		Recv: uint32(in), Send: uint32(out), Boot: boot, Netns: inode, Table: p.locks.Table(),
		Held: p.locks.CanHold() && !opt.Drop, Meta: opt.Meta,
	}, p, nil
}

// whereabouts names a network namespace among those of all hosts.
func whereabouts(ns netns.Handle) (boot string, inode uint64, err error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", 0, err
	}
	inode, err = ns.Inode()
	return strings.TrimSpace(string(b)), inode, err
}

// Receive takes the connection that [Mover.HandOff] sends at the other end of a stream.
// accept, if not nil, may refuse an offer and change where it is restored.
func (m *Mover) Receive(s io.ReadWriter, opt RestoreOptions, accept func(*Offer, *RestoreOptions) error) (*Restored, error) {
	setPatience(s, time.Hour)
	var offer Offer
	if err := hearMessage(s, msgOffer, &offer); err != nil {
		return nil, fmt.Errorf("sock: receive: %w", err)
	}
	same, err := m.ready(&offer, &opt, accept)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sock: receive %v: %w", offer.Remote, err), sayMessage(s, msgNack, nack{err.Error()}))
	}
	setPatience(s, m.lease())
	if err := sayMessage(s, msgReady, struct{}{}); err != nil {
		return nil, fmt.Errorf("sock: receive %v: %w", offer.Remote, err)
	}
	img, err := m.hearImage(s)
	if err != nil {
		return nil, fmt.Errorf("sock: receive %v: %w", offer.Remote, err)
	}
	defer func() { m.pool.put(img.Recv); m.pool.put(img.Send) }()
	closed := hearMessage(s, msgClosed, &struct{}{})
	if closed != nil && !same {
		return nil, fmt.Errorf("sock: receive %v: %w: %w", offer.Remote, ErrUncertain, closed)
	}
	// In the same namespace the kernel itself says whether the source has let go.
	r, err := m.Restore(img, opt)
	if err != nil {
		if closed != nil {
			return nil, errors.Join(err, closed)
		}
		return nil, errors.Join(err, sayMessage(s, msgNack, nack{err.Error()}))
	}
	if err := sayMessage(s, msgDone, Done{Took: r.Took, Lost: r.Lost, Same: same}); err != nil && m.Log != nil {
		m.Log.Warn("source of a move is gone", "remote", r.Remote, "err", err)
	}
	return r, nil
}

// ready looks at an offer and prepares for it: from another namespace, the connection
// is blocked here before anything can arrive.
func (m *Mover) ready(offer *Offer, opt *RestoreOptions, accept func(*Offer, *RestoreOptions) error) (same bool, err error) {
	if offer.Version != wireVersion {
		return false, fmt.Errorf("version %d of the protocol, not %d", offer.Version, wireVersion)
	}
	if accept != nil {
		if err := accept(offer, opt); err != nil {
			return false, err
		}
	}
	p, err := m.placeAt(opt.Namespace)
	if err != nil {
		return false, err
	}
	boot, inode, err := whereabouts(p.ns)
	if err != nil {
		return false, err
	}
	if boot == offer.Boot && inode == offer.Netns && offer.Table != "" {
		opt.Table, opt.Held = offer.Table, offer.Held
		return true, nil
	}
	t := netfilter.Tuple{Local: offer.Local, Remote: offer.Remote}
	if opt.Local.IsValid() {
		t.Local = opt.Local
	}
	if opt.Remote.IsValid() {
		t.Remote = opt.Remote
	}
	_, err = p.block(t, opt.Drop)
	return false, err
}

func (m *Mover) hearImage(s io.Reader) (*image.Image, error) {
	if err := hearMessage(s, msgImage, &struct{}{}); err != nil {
		return nil, err
	}
	return image.Read(s, m.pool.get)
}
