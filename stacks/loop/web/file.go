package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop/http1"
)

const (
	maxFiles  = 256       // that are read at once, of a shard
	fileAhead = 256 << 10 // bytes of a file that are queued before it is read on
)

// fileJob is a file that a goroutine reads for an answer: http.ServeContent knows
// about ranges and conditions, and writes to it. Its methods but for cancel are the
// goroutine's.
type fileJob struct {
	s      *server
	ctx    context.Context
	cancel context.CancelFunc
	header http.Header
	fields []byte // of the script
	wrote  bool
}

// conditions are the fields that ServeContent looks at.
var conditions = []string{"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}

// serveFile answers as loop.file said.
func (s *server) serveFile(v event.Verdict) {
	a, _ := v.Args.(*loopev.FileArgs)
	if a == nil {
		s.fail(500, "file without a root")
		return
	}
	method := s.req.Method()
	if method != "GET" && method != "HEAD" {
		_ = s.answer(answer{status: 405, body: []byte("method not allowed\n"), fields: []event.KV{{Key: "Allow", Value: "GET, HEAD"}}})
		return
	}
	var f answerFields
	fields, err := f.append(nil, a.Headers)
	if err != nil {
		s.fail(500, err.Error())
		return
	}
	name := a.Path
	if name == "" {
		if name, err = url.PathUnescape(s.req.Path()); err != nil {
			s.unanswered()
			return
		}
	}
	if s.d.files.Load() >= maxFiles {
		s.fail(503, "too many files at once")
		return
	}
	s.d.files.Add(1)
	s.d.p.reading.Add(1)
	s.last = s.last || f.close
	s.state = streaming
	s.hold()
	r := &http.Request{Method: method, Header: http.Header{}}
	for _, name := range conditions {
		if v, ok := s.req.Header(name); ok {
			r.Header.Set(name, v)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	job := &fileJob{s: s, ctx: ctx, cancel: cancel, header: http.Header{}, fields: fields}
	s.file = job
	d := s.d
	d.p.live.Go(func() {
		job.serve(r, a.Root, name)
		d.files.Add(-1) // here: nobody may take what is posted for a job that is canceled
		job.post(func() {
			if s.file == job {
				s.file = nil
				s.endFile()
			}
		})
		d.p.reading.Add(-1)
		cancel()
	})
}

// endFile ends the answer; one that could not be begun is a failure.
func (s *server) endFile() {
	if !s.answered {
		s.state = asking
		s.fail(500, "the file could not be read")
		return
	}
	s.endStream()
}

// post has run called in the shard, as soon as its inbox takes it.
func (j *fileJob) post(run func()) {
	loop := j.s.c.Stack().Loop()
	for !loop.Post(run) && j.ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
}

// serve reads the file and writes it as an answer.
func (j *fileJob) serve(r *http.Request, root, name string) {
	dir, err := os.OpenRoot(root)
	if err != nil {
		j.no(err)
		return
	}
	defer dir.Close()
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != ".well-known" {
			j.no(fs.ErrNotExist)
			return
		}
	}
	if name == "" {
		name = "index.html"
	}
	f, info, err := open(dir, name)
	if err == nil && info.IsDir() {
		_ = f.Close()
		name += "/index.html"
		f, info, err = open(dir, name)
	}
	if err != nil {
		j.no(err)
		return
	}
	defer f.Close()
	if !info.Mode().IsRegular() {
		j.no(fs.ErrNotExist)
		return
	}
	j.header.Set("Etag", fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size()))
	http.ServeContent(j, r, path.Base(name), info.ModTime(), f)
}

// open opens a file below dir. What is no file does not hold up who opens it.
func open(dir *os.Root, name string) (*os.File, fs.FileInfo, error) {
	info, err := dir.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return nil, nil, fs.ErrNotExist
	}
	f, err := dir.Open(name)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// no answers that there is no such file, whatever the reason: what leads out of the
// root is not there either.
func (j *fileJob) no(err error) {
	status := http.StatusNotFound
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		status = http.StatusServiceUnavailable
	}
	j.header.Set("Content-Type", "text/plain; charset=utf-8")
	body := strings.ToLower(http.StatusText(status)) + "\n"
	j.header.Set("Content-Length", fmt.Sprint(len(body)))
	j.WriteHeader(status)
	_, _ = j.Write([]byte(body))
}

// Header implements http.ResponseWriter.
func (j *fileJob) Header() http.Header { return j.header }

// WriteHeader implements http.ResponseWriter.
func (j *fileJob) WriteHeader(status int) {
	if j.wrote {
		return
	}
	j.wrote = true
	var fields []byte
	for name, values := range j.header {
		for _, v := range values {
			if http1.IsToken(name) && http1.IsValue(v) {
				fields = http1.AppendField(fields, name, v)
			}
		}
	}
	if status < 300 {
		fields = append(fields, j.fields...)
	}
	open := j.header.Get("Content-Length") == "" && !http1.Bodyless(status)
	j.run(func(s *server) {
		if s.chunked = open && s.req.p.Minor == 1; s.chunked {
			fields = append(fields, "Transfer-Encoding: chunked\r\n"...)
		}
		s.last = s.last || open && !s.chunked
		out := http1.AppendStatus(s.d.out[:0], status)
		out = s.d.date.Append(out, s.d.stack.Loop().Now())
		out = append(s.connection(append(out, fields...)), "\r\n"...)
		s.send(out)
		s.d.sent(out)
		s.answered = true
	})
}

var errGone = errors.New("http: nobody waits for the file any more")

// Write implements http.ResponseWriter. It returns when the bytes are queued and
// not too many wait.
func (j *fileJob) Write(p []byte) (int, error) {
	j.WriteHeader(http.StatusOK)
	if !j.run(func(s *server) {
		s.part1(p)
	}) {
		return 0, errGone
	}
	return len(p), nil
}

// run does something in the shard, waits until it was done and the queue is short,
// and reports whether the session still goes on.
func (j *fileJob) run(do func(*server)) bool {
	ready := make(chan struct{})
	j.post(func() {
		s := j.s
		if s.file != j {
			return // cancel was called
		}
		do(s)
		if s.c.Queued() <= fileAhead {
			close(ready)
			return
		}
		s.d.p.reading.Add(-1)
		s.waiters = append(s.waiters, func(error) {
			s.d.p.reading.Add(1)
			close(ready)
		})
	})
	select {
	case <-ready:
		return j.ctx.Err() == nil
	case <-j.ctx.Done():
		return false
	}
}
