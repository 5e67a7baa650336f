package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/inspect"
)

// action is a command of the console.
type action struct {
	name, args, does string
	run              func(s *Session, ctx context.Context, arg string) Reply
}

// actions returns the commands, in the order of :help: what the engine's owner adds comes
// first.
func (s *Session) actions() []action {
	var list []action
	for _, l := range s.conf.Looks {
		list = append(list, action{l.Name, l.Args, l.Does, func(_ *Session, _ context.Context, arg string) Reply {
			text, err := l.Text(arg)
			return said(err, text)
		}})
	}
	return append(list, []action{
		{"in", "[SCRIPT]", "look into a script, its locals and state; alone: leave it", (*Session).enterScript},
		{"watch", "PATTERN [where EXPR]", "show events as they come; :unwatch ends it", (*Session).watchCommand},
		{"explain", "CONN", "show what rules do with a connection, by its number", (*Session).explainCommand},
		{"unwatch", "", "end what :watch and :explain began", (*Session).unwatchCommand},
		{"rules", "[PATTERN]", "the live rules with what they counted", (*Session).rulesCommand},
		{"plan", "", "the order in which rules run", (*Session).planCommand},
		{"stores", "", "the live stores", (*Session).storesCommand},
		{"doc", "NAME", "explain a hook point, object, field, method, function", (*Session).docCommand},
		{"save", "FILE", "write what was declared here, as a script", (*Session).saveCommand},
		{"drop", "NAME", "take away what was declared here", (*Session).dropCommand},
		{"reload", "", "read the scripts and make them live", (*Session).reloadCommand},
		{"rollback", "", "make the generation before this one live", (*Session).rollbackCommand},
		{"help", "", "this list", (*Session).helpCommand},
		{"quit", "", "leave; so does Ctrl-D", func(*Session, context.Context, string) Reply { return Reply{Quit: true} }},
	}...)
}

// command runs what stands behind a colon.
func (s *Session) command(ctx context.Context, text string) Reply {
	name, arg, _ := strings.Cut(text, " ")
	arg = strings.TrimSpace(arg)
	var names []string
	for _, a := range s.actions() {
		if a.name == name {
			if arg == "" && a.args != "" && a.args[0] != '[' {
				return refused(fmt.Errorf(":%s takes %s", a.name, a.args))
			}
			return a.run(s, ctx, arg)
		}
		names = append(names, a.name)
	}
	hint := "; :help lists them"
	if near := diag.Nearest(name, names); near != "" {
		hint = "; did you mean :" + near + "?"
	}
	return refused(fmt.Errorf("there is no command :%s%s", name, hint))
}

// meant says of an input that means nothing to Lua which command it is without its
// colon; empty where it is none.
func (s *Session) meant(input string) string {
	words := strings.Fields(input)
	if words[0] == "exit" {
		words[0] = "quit"
	}
	for _, a := range s.actions() {
		if a.name == words[0] && (len(words) == 1 || a.args != "") {
			return "commands begin with a colon: :" + a.name
		}
	}
	return ""
}

func refused(err error) Reply { return Reply{Text: err.Error(), Failed: true} }

func said(err error, text string) Reply {
	if err != nil {
		return refused(err)
	}
	return Reply{Text: text}
}

func (s *Session) enterScript(_ context.Context, arg string) Reply {
	if arg == "" {
		s.look("")
		return Reply{}
	}
	path := s.scriptNamed(arg)
	was := s.in
	s.look(path)
	st := s.seatAt(s.at)
	if _, err := s.machine(st); err != nil {
		s.look(was)
		return refused(err)
	}
	var own []string
	st.enter(func() { own = st.desk.Own() })
	if len(own) == 0 {
		return Reply{Text: path + " has no names of its own"}
	}
	return Reply{Text: path + " has " + strings.Join(own, ", ")}
}

// look has all seats look into a script from their next input on; into none where
// path is empty.
func (s *Session) look(path string) {
	s.in = path
	s.taken(func(st *seat) { st.desk = st.home })
}

// scriptNamed returns the path of the live script that a name means: a path, or
// the end of just one, with or without .lua.
func (s *Session) scriptNamed(name string) string {
	live := s.conf.Engine.Scripts()
	if slices.Contains(live, name) {
		return name
	}
	var ends []string
	for _, path := range live {
		if p := "/" + path; strings.HasSuffix(p, "/"+name) || strings.HasSuffix(p, "/"+name+".lua") {
			ends = append(ends, path)
		}
	}
	if len(ends) != 1 {
		return name
	}
	return ends[0]
}

func (s *Session) watchCommand(_ context.Context, arg string) Reply {
	if err := s.watchEvents(arg); err != nil {
		return s.failure(err)
	}
	return Reply{Text: "watching " + arg}
}

func (s *Session) explainCommand(_ context.Context, arg string) Reply {
	id, err := strconv.ParseUint(arg, 10, 64)
	if err != nil {
		return refused(fmt.Errorf("%s: the number of a connection expected, as c.id gives it", arg))
	}
	return said(s.explain(id), "explaining connection "+arg)
}

func (s *Session) unwatchCommand(context.Context, string) Reply {
	return Reply{Text: fmt.Sprintf("%d ended", s.unwatch())}
}

func (s *Session) rulesCommand(_ context.Context, arg string) Reply {
	return table("rule\tat\tseen\tmatched\tdecided\terrors\t", func(row func(string, ...any)) {
		for _, r := range inspect.New(s.conf.Engine, nil).Rules().Rules {
			state := r.State()
			if state == "on" {
				state = ""
			}
			name := r.Script + ": " + r.Name
			if arg != "" && !strings.Contains(name, arg) {
				continue
			}
			row("%s\t%s\t%d\t%d\t%d\t%d\t%s", name, strings.Join(r.Points, ", "), r.Seen, r.Matched, r.Decided, r.Errors, state)
		}
	})
}

// table lays rows out below a heading.
func table(heading string, fill func(row func(format string, args ...any))) Reply {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, heading)
	n := 0
	fill(func(format string, args ...any) {
		n++
		fmt.Fprintf(w, format+"\n", args...)
	})
	if n == 0 {
		return Reply{Text: "none"}
	}
	_ = w.Flush() // a Builder takes everything
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return Reply{Text: strings.Join(lines, "\n")}
}

func (s *Session) planCommand(context.Context, string) Reply {
	lines := s.conf.Engine.Live().Plan()
	if len(lines) == 0 {
		return Reply{Text: "no rule is live"}
	}
	return Reply{Text: strings.Join(lines, "\n")}
}

func (s *Session) storesCommand(context.Context, string) Reply {
	return table("store\tkind\tentries", func(row func(string, ...any)) {
		for _, st := range s.conf.Engine.Stores().Stores() {
			row("%s\t%s\t%d", st.Name(), st.Kind(), st.Size())
		}
	})
}

func (s *Session) docCommand(_ context.Context, arg string) Reply {
	if s.conf.Doc == nil {
		return refused(errors.New("nothing is explained here"))
	}
	var b strings.Builder
	if err := s.conf.Doc(&b, arg); err != nil {
		return refused(err)
	}
	return Reply{Text: strings.TrimRight(b.String(), "\n")}
}

func (s *Session) saveCommand(_ context.Context, arg string) Reply {
	text, err := s.script()
	if err != nil {
		return refused(err)
	}
	return Reply{Save: arg, Content: text}
}

func (s *Session) dropCommand(_ context.Context, arg string) Reply {
	found := false
	var failed error
	s.taken(func(st *seat) {
		was, err := s.drop(st, arg)
		if found = found || was; err != nil {
			failed = err
		}
	})
	switch {
	case failed != nil:
		return s.failure(failed)
	case !found:
		return refused(fmt.Errorf("nothing called %s was declared here", arg))
	}
	return Reply{Text: arg + " is gone"}
}

func (s *Session) reloadCommand(ctx context.Context, _ string) Reply {
	return s.change(ctx, s.conf.Reload, "there is nothing here that could be reloaded")
}

func (s *Session) rollbackCommand(ctx context.Context, _ string) Reply {
	return s.change(ctx, s.conf.Rollback, "there is nothing here to go back to")
}

func (s *Session) change(ctx context.Context, how func(context.Context) (string, error), none string) Reply {
	if how == nil {
		return refused(errors.New(none))
	}
	text, err := how(ctx)
	if err != nil {
		return s.failure(err)
	}
	return Reply{Text: text}
}

func (s *Session) helpCommand(context.Context, string) Reply {
	r := table("What you type is Lua, and what it gives is shown. Besides:", func(row func(string, ...any)) {
		for _, a := range s.actions() {
			row("  :%s\t%s", strings.TrimSpace(a.name+" "+a.args), a.does)
		}
	})
	return r
}
