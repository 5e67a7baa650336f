package survey

import "net/netip"

// Socket is a TCP socket as the kernel lists it.
type Socket struct {
	State         uint8 // the kernel's number: 1 is ESTABLISHED
	Local, Remote netip.AddrPort
	// Recv and Send are bytes that wait to be read, and to be acknowledged. Of a listening
	// socket: connections that wait to be accepted, and how many may.
	Recv, Send uint32
	UID        uint32
	Inode      uint64
	Owners     []Owner
}

// Owner is a process that holds a socket.
type Owner struct {
	PID  int
	FD   int
	Name string
}
