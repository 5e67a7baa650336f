package sock

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter"
	"github.com/hookd/hookd/stacks/netfilter/netns"
)

// Doctor says what this kernel and the caller's privileges allow in a network
// namespace; the path "" is the caller's own.
func Doctor(path string) []Finding {
	ns := netns.Handle{}
	if path != "" {
		var err error
		if ns, err = netns.OfPath(path); err != nil {
			return []Finding{{What: "network namespace", Needed: true, Detail: err.Error()}}
		}
		defer ns.Close()
	}
	var list []Finding
	if err := ns.Do(func() error { list = socketFindings(); return nil }); err != nil {
		return []Finding{{What: "network namespace", Needed: true, Detail: err.Error()}}
	}
	f := netfilter.Probe(ns)
	block := Finding{What: "block packets", OK: f.Way != netfilter.WayNone, Needed: true, Detail: f.Way.String()}
	if f.Err != nil && !block.OK {
		block.Detail = f.Err.Error()
	}
	return append(
		list, block,
		Finding{What: "hold packets", OK: f.Way.CanHold(), Detail: "without, what a peer sends meanwhile comes again after some 200 ms"},
		Finding{What: "rules that go with their process", OK: f.Owner, Detail: "nftables owner flag, Linux 5.12"},
		Finding{What: "forged segments untracked", OK: f.Notrack, Detail: "without, a stateful firewall may drop them"},
		pidfdFinding(),
	)
}

// socketFindings tries what a move does on a socket that is connected to nobody.
func socketFindings() []Finding {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return []Finding{{What: "TCP sockets", Needed: true, Detail: err.Error()}}
	}
	defer unix.Close(fd)
	found := func(what string, needed bool, err error, detail string) Finding {
		if err != nil {
			detail = err.Error()
		}
		return Finding{What: what, OK: err == nil, Needed: needed, Detail: detail}
	}
	_, rto := getU32(fd, unix.IPPROTO_TCP, unix.TCP_RTO_MAX_MS)
	force := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 1<<20)
	_, lock := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK)
	_, peek := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEEK_OFF)
	repair := setRepair(fd, unix.TCP_REPAIR_ON)
	var window error
	if repair == nil {
		var d Data
		window = getWindow(fd, &d)
		_ = setRepair(fd, unix.TCP_REPAIR_OFF_NO_WP)
	} else {
		window = repair
	}
	raw, rawErr := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if rawErr == nil {
		rawErr = unix.SetsockoptInt(raw, unix.SOL_SOCKET, unix.SO_MARK, netfilter.Mark)
		_ = unix.Close(raw)
	}
	return []Finding{
		found("TCP_REPAIR", true, repair, "CAP_NET_ADMIN over the namespace"),
		found("TCP_REPAIR_WINDOW", false, window, "windows are carried over"),
		found("raw sockets with a mark", false, rawErr, "half-closed connections can be restored"),
		found("SO_SNDBUFFORCE", false, force, "send queues of any length; without, up to net.core.wmem_max"),
		found("SO_BUF_LOCK", false, lock, "buffers of restored sockets go on growing"),
		found("SO_PEEK_OFF", false, peek, "carried over"),
		found("TCP_RTO_MAX_MS", false, rto, "what was lost in flight comes again after 1 s rather than 3 s"),
	}
}

func pidfdFinding() Finding {
	f := Finding{What: "sockets of other processes", Detail: "pidfd_getfd, with the rights of ptrace"}
	pidfd, err := unix.PidfdOpen(os.Getppid(), 0)
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, 0, 0)
	switch err {
	case nil:
		_ = unix.Close(fd)
		f.OK = true
	case unix.EBADF, unix.ESRCH:
		f.OK = true
	default:
		f.Detail = fmt.Sprintf("pidfd_getfd: %v", err)
	}
	return f
}
