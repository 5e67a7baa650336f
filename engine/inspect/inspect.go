package inspect

import (
	"log/slog"
	"net/http"
	"strconv"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/control"
)

// Version is the version of all answers' format: fields are added, never renamed.
const Version = 1

// Inspector looks into one engine.
type Inspector struct {
	// Changed, which may be set before anything is asked, is called when a trace made or
	// ended something that [engine.Engine.Reads] tells of: stacks are to ask again. It
	// is called by several goroutines, with no shard entered.
	Changed func()

	engine *engine.Engine
	log    *slog.Logger
}

// New returns an inspector. What is changed by hand is logged to log, unless it
// is nil.
func New(e *engine.Engine, log *slog.Logger) *Inspector {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Inspector{Changed: func() {}, engine: e, log: log}
}

// Serve registers what the inspector answers:
//
//	GET  /rules                      [RulesAnswer]
//	GET  /rules/plan                 [PlanAnswer]
//	POST /rules/{disable,enable}     [Switch] as the body; [Switched]
//	GET  /stores                     [StoresAnswer]
//	GET  /stores/{name}?limit=N      [StoreAnswer]
//	GET  /trace?pattern=P&where=E&sample=N   lines: a [Head], then records and [Note]s
//	GET  /top?interval=1s            lines: [TopAnswer]
func (in *Inspector) Serve(s *control.Server) {
	s.Handle("GET /rules", func(*http.Request) (any, error) { return in.Rules(), nil })
	s.Handle("GET /rules/plan", func(*http.Request) (any, error) { return in.Plan(), nil })
	s.Handle("POST /rules/disable", func(r *http.Request) (any, error) { return in.switchRule(r, false) })
	s.Handle("POST /rules/enable", func(r *http.Request) (any, error) { return in.switchRule(r, true) })
	s.Handle("GET /stores", func(*http.Request) (any, error) { return in.Stores(), nil })
	s.Handle("GET /stores/{name...}", in.store)
	s.HandleStream("GET /trace", in.trace)
	s.HandleStream("GET /top", in.top)
}

// Number reads a number from 1 to most of a request's query; otherwise where there
// is none. The error is a [*control.Error].
func Number(r *http.Request, name string, otherwise, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, control.Errorf(http.StatusBadRequest, "%s: a number from 1 to %d expected, not %s", name, most, text)
	}
	return n, nil
}
