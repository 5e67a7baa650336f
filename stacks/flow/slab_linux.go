package flow

import (
	"syscall"
	"unsafe"
)

// hugePage is the size of huge pages on most machines. Where they are larger nothing is gained and
// nothing lost.
const hugePage = 2 << 20

// preferHugePages asks the kernel to back the whole huge pages in b with such. It is advice: a kernel
// that has none to give goes on with small ones.
func preferHugePages(b []byte) {
	at := uintptr(unsafe.Pointer(&b[0]))
	from := -at & (hugePage - 1)
	to := uintptr(len(b)) - (at+uintptr(len(b)))&(hugePage-1)
	if from < to && to <= uintptr(len(b)) {
		_ = syscall.Madvise(b[from:to], syscall.MADV_HUGEPAGE)
	}
}
