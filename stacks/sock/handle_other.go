//go:build !linux

package sock

// saved is nothing where sockets cannot be paused.
type saved struct{}

func (h *Handle) pause() error             { return ErrUnsupported }
func (h *Handle) dump() error              { return ErrUnsupported }
func (h *Handle) setUnbound() error        { return ErrUnsupported }
func (h *Handle) setNoQ() error            { return ErrUnsupported }
func (h *Handle) fill(Queue, []byte) error { return ErrUnsupported }
func (h *Handle) setData() error           { return ErrUnsupported }
func (h *Handle) resume() error            { return ErrUnsupported }
func (h *Handle) close() error             { return ErrUnsupported }
func (h *Handle) disconnect() error        { return ErrUnsupported }
