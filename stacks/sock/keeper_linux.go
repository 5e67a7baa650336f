package sock

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter"
	"github.com/hookd/hookd/stacks/sock/image"
)

// Keeper is another process that holds a duplicate of each socket while it is taken, and
// knows which processes stand still for that.
// If this one is killed meanwhile, a socket that is still there goes on where it is,
// and its pending image is discarded; of one that was closed, the image is confirmed.
// So the connection lives, or its image does, never both and never neither. Processes that
// stand still go on.
type Keeper struct {
	mu  sync.Mutex
	fd  int
	cmd *exec.Cmd
}

// StartKeeper starts a program that calls [Keep] on its descriptor 3: this one again,
// with arguments that make it do so. It is in a session of its own, so that what kills a
// process group does not kill both.
func StartKeeper(program string, args ...string) (*Keeper, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("sock: start keeper: %w", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "keeper")
	defer theirs.Close()
	cmd := exec.Command(program, args...)
	cmd.Args[0] = os.Args[0] // the name that this one was started by
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		_ = unix.Close(pair[0])
		return nil, fmt.Errorf("sock: start keeper: %w", err)
	}
	k := &Keeper{fd: pair[0], cmd: cmd}
	_ = unix.SetsockoptTimeval(k.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(keeperPatience.Seconds())})
	// Its first word says that it is ready; a program that ends says nothing.
	if _, err := k.answer(); err != nil {
		return nil, errors.Join(fmt.Errorf("sock: start keeper: %w", err), k.Close())
	}
	return k, nil
}

// answer reads one byte.
func (k *Keeper) answer() (b [1]byte, err error) {
	n := 0
	err = again(func() error { n, err = unix.Read(k.fd, b[:]); return err })
	if err == nil && n == 0 {
		err = unix.EPIPE
	}
	return b, err
}

// watch hands over a duplicate and returns when the keeper holds it.
func (k *Keeper) watch(fd int, w watched) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	b, err := json.Marshal(w)
	if err == nil {
		err = unix.Sendmsg(k.fd, b, unix.UnixRights(fd), nil, unix.MSG_NOSIGNAL)
	}
	if err == nil {
		_, err = k.answer()
	}
	if err != nil {
		return fmt.Errorf("sock: keeper: %w", err)
	}
	return nil
}

// forget tells that a socket needs no keeping any more.
func (k *Keeper) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	b, err := json.Marshal(watched{ID: id, Forget: true})
	if err == nil {
		_ = unix.Sendmsg(k.fd, b, nil, nil, unix.MSG_NOSIGNAL)
		_, _ = k.answer()
	}
}

// Close lets the keeper end and waits for it.
func (k *Keeper) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fd < 0 {
		return nil
	}
	err := unix.Close(k.fd)
	k.fd = -1
	late := time.AfterFunc(keeperPatience, func() { _ = k.cmd.Process.Kill() })
	defer late.Stop()
	return errors.Join(err, k.cmd.Wait())
}

// keeperPatience is how long a keeper may take to answer, and to end.
const keeperPatience = 5 * time.Second

// kept is a socket in the keeper.
type kept struct {
	watched
	fd int
}

// Keep is what a keeper does: it holds what it is given through a socket, and when that
// ends sees to what is left.
func Keep(f *os.File) error {
	fd := int(f.Fd())
	held := map[string]kept{}
	if _, err := unix.Write(fd, []byte{1}); err != nil {
		return fmt.Errorf("sock: keep: %w", err)
	}
	buf, oob := make([]byte, 8192), make([]byte, unix.CmsgSpace(4))
	for {
		n, oobn := 0, 0
		err := again(func() (err error) {
			n, oobn, _, _, err = unix.Recvmsg(fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
			return err
		})
		if err != nil || n == 0 {
			break
		}
		if err := take(held, buf[:n], oob[:oobn]); err != nil {
			return err
		}
		if _, err := unix.Write(fd, []byte{1}); err != nil {
			break
		}
	}
	return rescue(held)
}

func take(held map[string]kept, b, oob []byte) error {
	var k kept
	if err := json.Unmarshal(b, &k.watched); err != nil {
		return fmt.Errorf("sock: keep: %w", err)
	}
	if k.Forget {
		if old, ok := held[k.ID]; ok {
			_ = unix.Close(old.fd)
			delete(held, k.ID)
		}
		return nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(messages) != 1 {
		return fmt.Errorf("sock: keep: no descriptor: %w", errors.Join(unix.EBADMSG, err))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return fmt.Errorf("sock: keep: no descriptor: %w", errors.Join(unix.EBADMSG, err))
	}
	k.fd = fds[0]
	if old, ok := held[k.ID]; ok {
		_ = unix.Close(old.fd)
	}
	held[k.ID] = k
	return nil
}

// rescue sees to sockets whose mover is gone, and then to the processes that hold them:
// one that goes on finds its connection as it was, or aborted.
func rescue(held map[string]kept) error {
	var all error
	for _, stopped := range []bool{false, true} {
		for _, k := range held {
			if k.Stopped == stopped {
				all = errors.Join(all, k.rescue())
				_ = unix.Close(k.fd)
			}
		}
	}
	return all
}

func (k *kept) rescue() error {
	if k.Stopped {
		return resumeProcess(k.fd)
	}
	info, err := readInfo(k.fd)
	if err != nil {
		return fmt.Errorf("sock: rescue: %w", err)
	}
	paused, err := getU32(k.fd, unix.IPPROTO_TCP, unix.TCP_REPAIR)
	if err != nil {
		return fmt.Errorf("sock: rescue: %w", err)
	}
	if info.state == Closed && paused != 0 {
		// It was closed: the image is the connection. Its packets stay blocked for the lease.
		if k.File == "" {
			return nil
		}
		return image.Confirm(k.File)
	}
	if k.File != "" {
		err = image.Discard(k.File)
	}
	err = errors.Join(err, k.lift())
	if paused != 0 {
		err = errors.Join(err, setRepair(k.fd, unix.TCP_REPAIR_OFF))
	}
	return err
}

// lift takes the dead mover's block away.
func (k *kept) lift() error {
	if k.Table == "" {
		return nil
	}
	ns, err := namespaceOf(k.fd)
	if err != nil {
		return err
	}
	defer ns.Close()
	locks, err := netfilter.Open(netfilter.Config{Namespace: ns, NoHold: true})
	if err != nil {
		return err
	}
	mode := netfilter.Drop
	if k.Held {
		mode = netfilter.Hold
	}
	t := netfilter.Tuple{Local: bare(k.Local), Remote: bare(k.Remote)}
	return errors.Join(locks.Lift(k.Table, mode, t), locks.Close())
}

func bare(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
