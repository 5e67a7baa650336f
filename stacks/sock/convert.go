package sock

import (
	"github.com/hookd/hookd/stacks/sock/image"
)

// stream returns the data in the form of images.
func (d *Data) stream() image.Stream {
	s := image.Stream{
		InqLen: d.InqLen, InqSeq: d.InqSeq, OutqLen: d.OutqLen, OutqSeq: d.OutqSeq, OptMask: d.OptMask,
		SndWscale: d.SndWscale, MSSClamp: d.MSSClamp, UnsqLen: d.UnsqLen,
		Has: image.HasUnsqLen,
	}
	if d.OptMask&OptWscale != 0 {
		s.RcvWscale, s.Has = d.RcvWscale, s.Has|image.HasRcvWscale
	}
	if d.OptMask&OptTimestamps != 0 {
		s.Timestamp, s.Has = d.Timestamp, s.Has|image.HasTimestamp
	}
	if d.Flags&FlagWindow != 0 {
		s.SndWl1, s.SndWnd, s.MaxWindow, s.RcvWnd, s.RcvWup = d.SndWl1, d.SndWnd, d.MaxWindow, d.RcvWnd, d.RcvWup
		s.Has |= image.HasWindow
	}
	return s
}

// DataOf returns the numbers of an image, checked.
func DataOf(m *image.Image) (Data, error) {
	s := &m.Stream
	d := Data{
		State: State(m.State), InqLen: s.InqLen, InqSeq: s.InqSeq, OutqLen: s.OutqLen, OutqSeq: s.OutqSeq, UnsqLen: s.UnsqLen,
		OptMask: s.OptMask, MSSClamp: s.MSSClamp, SndWscale: s.SndWscale, RcvWscale: s.RcvWscale, Timestamp: s.Timestamp,
	}
	if s.Has&image.HasWindow == image.HasWindow {
		d.Flags |= FlagWindow
		d.SndWl1, d.SndWnd, d.MaxWindow, d.RcvWnd, d.RcvWup = s.SndWl1, s.SndWnd, s.MaxWindow, s.RcvWnd, s.RcvWup
	}
	return d, d.Check()
}
