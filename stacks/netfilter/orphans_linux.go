package netfilter

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Adopt takes blocks of connections away that processes have left behind which are
// gone: what one of them took out of the kernel comes back here, under this one's
// block. What lives is left alone.
func (l *Locks) Adopt(list ...Tuple) error {
	own, ok := l.way.(*nft)
	if !ok {
		return nil
	}
	list, err := unmapped(list)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	names, err := tablesThere(own.conn)
	if err != nil {
		return fmt.Errorf("netfilter: list tables: %w", err)
	}
	var all error
	for _, name := range names {
		if !orphaned(name) {
			continue
		}
		other := nft{conn: own.conn, name: name}
		for _, mode := range []Mode{Drop, Hold} {
			if err := other.take(elementsOf(mode, list)); err != nil {
				all = errors.Join(all, fmt.Errorf("netfilter: adopt from %s: %w", name, err))
			}
		}
	}
	return all
}

// orphaned reports whether the process that a table is named after is gone.
func orphaned(table string) bool {
	pid, _, _ := strings.Cut(strings.TrimPrefix(table, tablePrefix), "-")
	n, err := strconv.Atoi(pid)
	return err == nil && n != os.Getpid() && errors.Is(unix.Kill(n, 0), unix.ESRCH)
}
