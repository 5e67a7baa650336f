package image

import (
	"encoding/binary"
	"fmt"
)

// Stream is the numbers of a TCP connection, as CRIU's tcp_stream_entry has them.
type Stream struct {
	InqLen, InqSeq   uint32
	OutqLen, OutqSeq uint32
	OptMask          uint32
	SndWscale        uint32
	MSSClamp         uint32
	RcvWscale        uint32
	Timestamp        uint32
	Cork, Nodelay    uint32
	UnsqLen          uint32
	SndWl1           uint32
	SndWnd           uint32
	MaxWindow        uint32
	RcvWnd           uint32
	RcvWup           uint32

	// Has has a bit for each field number that is there: the first seven always are.
	Has uint32
}

// Numbers of fields, and what of them is optional.
const (
	fieldRcvWscale = 8
	fieldTimestamp = 9
	fieldUnsqLen   = 12
	fieldSndWl1    = 13
	fieldRcvWup    = 17
	fieldsRequired = 7
)

// HasRcvWscale and its like are bits of [Stream.Has].
const (
	HasRcvWscale uint32 = 1 << fieldRcvWscale
	HasTimestamp uint32 = 1 << fieldTimestamp
	HasUnsqLen   uint32 = 1 << fieldUnsqLen
	HasWindow    uint32 = 1<<13 | 1<<14 | 1<<15 | 1<<16 | 1<<17
	hasRequired  uint32 = 1<<1 | 1<<2 | 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7
)

// fields are in the order of their numbers, from 1.
func (s *Stream) fields() [17]*uint32 {
	return [17]*uint32{
		&s.InqLen, &s.InqSeq, &s.OutqLen, &s.OutqSeq, &s.OptMask, &s.SndWscale, &s.MSSClamp, &s.RcvWscale, &s.Timestamp,
		&s.Cork, &s.Nodelay, &s.UnsqLen, &s.SndWl1, &s.SndWnd, &s.MaxWindow, &s.RcvWnd, &s.RcvWup,
	}
}

// appendTo writes the entry: varints, in the order of their numbers.
func (s Stream) appendTo(b []byte) []byte {
	for i, f := range s.fields() {
		if n := i + 1; n <= fieldsRequired || s.Has&(1<<n) != 0 {
			b = binary.AppendUvarint(b, uint64(n)<<3)
			b = binary.AppendUvarint(b, uint64(*f))
		}
	}
	return b
}

// readStream reads an entry. Fields that it does not know are passed over.
func readStream(b []byte) (Stream, error) {
	var s Stream
	fields := s.fields()
	err := eachField(b, func(n int, v uint64, _ []byte, numeric bool) error {
		if n < 1 || n > len(fields) {
			return nil
		}
		if !numeric || v > 1<<32-1 {
			return fmt.Errorf("image: field %d of the stream: %w", n, ErrDamaged)
		}
		*fields[n-1] = uint32(v)
		s.Has |= 1 << n
		return nil
	})
	if err != nil {
		return s, err
	}
	if s.Has&hasRequired != hasRequired {
		return s, fmt.Errorf("image: stream lacks fields: %w", ErrDamaged)
	}
	if w := s.Has & HasWindow; w != 0 && w != HasWindow {
		return s, fmt.Errorf("image: stream has a part of the windows: %w", ErrDamaged)
	}
	return s, nil
}

// eachField walks over a protocol buffer: numbers as numbers, the rest as bytes.
func eachField(b []byte, each func(n int, v uint64, data []byte, numeric bool) error) error {
	for len(b) > 0 {
		key, size := binary.Uvarint(b)
		if size <= 0 || key>>3 == 0 || key>>3 > 1<<29 {
			return fmt.Errorf("image: key of a field: %w", ErrDamaged)
		}
		b = b[size:]
		var v uint64
		var data []byte
		numeric := false
		switch key & 7 {
		case 0:
			if v, size = binary.Uvarint(b); size <= 0 {
				return fmt.Errorf("image: field %d: %w", key>>3, ErrDamaged)
			}
			numeric, b = true, b[size:]
		case 1, 5:
			width := 8
			if key&7 == 5 {
				width = 4
			}
			if len(b) < width {
				return fmt.Errorf("image: field %d: %w", key>>3, ErrDamaged)
			}
			data, b = b[:width], b[width:]
		case 2:
			length, size := binary.Uvarint(b)
			if size <= 0 || length > uint64(len(b)-size) {
				return fmt.Errorf("image: field %d: %w", key>>3, ErrDamaged)
			}
			data, b = b[size:size+int(length)], b[size+int(length):]
		default:
			return fmt.Errorf("image: field %d: %w", key>>3, ErrDamaged)
		}
		if err := each(int(key>>3), v, data, numeric); err != nil {
			return err
		}
	}
	return nil
}
