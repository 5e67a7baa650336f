package live

import "errors"

// ErrNoDrop is returned where rights cannot be given up on this system.
var ErrNoDrop = errors.New("rights cannot be given up here")

// Drop gives up, for the whole process and for good, the rights that opening
// sources needed: it becomes user uid of group gid and no other, with no
// capabilities. As uid -1 it stays who it is, without capabilities. Sources that
// are open go on, also over an interface that is removed and comes back, unless
// they share a fan-out group.
func Drop(uid, gid int) error { return drop(uid, gid) }
