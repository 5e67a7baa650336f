package web

import (
	"fmt"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop/http1"
	"github.com/hookd/hookd/stacks/loop/multipart"
)

// form is a body of several parts that are told as they come.
type form struct {
	r      *multipart.Reader
	inside bool  // a part
	size   int64 // of its bytes so far
}

// wantsParts reports whether anything is bound to parts of forms.
func wantsParts(sh *event.Shard) bool {
	return loopev.OnHTTPPartBegin.Wanted(sh) || loopev.OnHTTPPartData.Wanted(sh) || loopev.OnHTTPPartEnd.Wanted(sh)
}

// beginForm begins to take the body apart, where it has parts that somebody wants.
func (s *server) beginForm() error {
	if !wantsParts(s.c.Shard()) {
		return nil
	}
	kind, _ := s.req.Header("content-type")
	boundary, ok := multipart.Boundary(kind)
	if !ok {
		return nil
	}
	r, err := multipart.NewReader(boundary)
	if err != nil {
		return refusedForm(err)
	}
	s.form = &form{r: r}
	return nil
}

// refusedForm is what the client of a malformed form is told.
func refusedForm(err error) error { return &http1.Error{Status: 400, What: err.Error()} }

// takeApart tells what data has of parts, and reports whether reading goes on.
func (s *server) takeApart(data []byte) bool {
	f := s.form
	for f.r.Feed(data); ; {
		kind, piece, err := f.r.Next()
		switch {
		case err != nil:
			s.refuse(refusedForm(err))
			return false
		case kind == multipart.None:
			return true
		case kind == multipart.Begin:
			f.inside, f.size = true, 0
			s.tellBegin(f.r.Part())
		case kind == multipart.Data:
			s.tellData(f.r.Part(), piece)
			f.size += int64(len(piece))
		case kind == multipart.End:
			f.inside = false
			s.tellEnd(true)
		}
		if s.handled() || s.state != inBody {
			return false // it was answered
		}
	}
}

func (s *server) tellBegin(p *multipart.Part) {
	if loopev.OnHTTPPartBegin.Wanted(s.c.Shard()) {
		s.running = true
		loopev.OnHTTPPartBegin.Emit(s.c.Shard(), &loopev.HTTPPartBegin{
			C: s.c, Req: s.req, Name: p.Name, Filename: p.Filename, HasFilename: p.Filename != "", Type: p.Type, HasType: p.Type != "",
		})
	}
}

func (s *server) tellData(p *multipart.Part, piece []byte) {
	if loopev.OnHTTPPartData.Wanted(s.c.Shard()) {
		s.running = true
		e := &s.d.events.data
		*e = loopev.HTTPPartData{C: s.c, Req: s.req, Chunk: piece, Name: p.Name, Offset: uint64(s.form.size)}
		loopev.OnHTTPPartData.Emit(s.c.Shard(), e)
	}
}

func (s *server) tellEnd(complete bool) {
	if loopev.OnHTTPPartEnd.Wanted(s.c.Shard()) {
		s.running = true
		loopev.OnHTTPPartEnd.Emit(s.c.Shard(), &loopev.HTTPPartEnd{
			C: s.c, Req: s.req, Name: s.form.r.Part().Name, Size: uint64(s.form.size), Complete: complete,
		})
	}
}

// endForm wants a body that ended to have all of its parts.
func (s *server) endForm() error {
	if s.form == nil {
		return nil
	}
	if err := s.form.r.Close(); err != nil {
		return refusedForm(fmt.Errorf("form: %w", err))
	}
	s.form = nil
	return nil
}

// dropForm is about a body that is not read to its end. The request is still there.
func (s *server) dropForm() {
	if s.form != nil && s.form.inside && s.req != nil {
		s.form.inside = false
		running := s.running
		s.tellEnd(false)
		s.running = running
	}
	s.form = nil
}
