//go:build !linux

package live

import (
	"time"

	"github.com/hookd/hookd/stacks/flow/capture"
)

// Source is never made on this system.
type Source struct{}

// Open returns ErrUnsupported.
func Open(Config) (*Source, error) { return nil, ErrUnsupported }

// OpenShared returns ErrUnsupported.
func OpenShared(Config, int) ([]*Source, error) { return nil, ErrUnsupported }

// Next returns ErrUnsupported.
func (*Source) Next(*capture.Frame, time.Duration) error { return ErrUnsupported }

// Link returns 0.
func (*Source) Link() capture.LinkType { return 0 }

// Wake does nothing.
func (*Source) Wake() {}

// Stats returns nothing.
func (*Source) Stats() Stats { return Stats{} }

// Close does nothing.
func (*Source) Close() error { return nil }
