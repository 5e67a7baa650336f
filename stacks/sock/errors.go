package sock

import "errors"

var (
	// ErrOrder says that a staged call came where the kernel cannot do it. Nothing was
	// done.
	ErrOrder = errors.New("call out of order")
	// ErrReleased says that a handle was resumed or closed before.
	ErrReleased = errors.New("handle is released")
	// ErrSize says that a buffer is smaller than [DataSize].
	ErrSize = errors.New("buffer too small for connection data")
	// ErrNotTCP says that it is no TCP socket.
	ErrNotTCP = errors.New("not a TCP socket")
	// ErrListening says that the socket listens: bind and listen again in its place.
	ErrListening = errors.New("socket is listening")
	// ErrState says that the connection is in a state that the kernel cannot restore:
	// half-open, or in TIME_WAIT.
	ErrState = errors.New("connection state cannot be moved")
	// ErrMPTCP says that the connection is Multipath TCP, which the kernel cannot repair.
	ErrMPTCP = errors.New("connection is multipath TCP")
	// ErrULP says that the kernel runs an upper layer protocol, such as TLS, on the
	// socket, whose state cannot be read.
	ErrULP = errors.New("connection has an upper layer protocol in the kernel")
	// ErrUrgent says that urgent data waits to be read; the kernel would lose what
	// follows it. When the application has read it, it works.
	ErrUrgent = errors.New("urgent data is pending")
	// ErrPaused says that somebody has paused the socket already.
	ErrPaused = errors.New("socket is paused already")
	// ErrChanging says that packets kept arriving while the socket was read: its traffic
	// is not blocked.
	ErrChanging = errors.New("connection keeps changing")
	// ErrBusy says that the connection, or a duplicate of its socket, still lives where
	// it was to be restored.
	ErrBusy = errors.New("connection is still there")
	// ErrAddress says that the local address is not one of this host's.
	ErrAddress = errors.New("local address is not here")
	// ErrUnsupported says that this system cannot do it.
	ErrUnsupported = errors.New("not supported by this system")
)
