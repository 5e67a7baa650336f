package catalogue

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
)

// Catalogue is the sum of some families.
type Catalogue struct {
	families  []*event.Family
	points    []hook // by id; those not in use are empty
	names     map[string]hook
	objects   map[string]*event.Object
	functions map[string]*event.Function
}

// hook is a hook point and its event.
type hook struct {
	info  *event.Info
	point *event.PointInfo
}

// New returns the catalogue of the given families, [All] of them or fewer. They
// come from one run of the generator, so names and numbers are unique.
func New(families ...*event.Family) *Catalogue {
	c := &Catalogue{
		families:  families,
		names:     map[string]hook{},
		objects:   map[string]*event.Object{},
		functions: map[string]*event.Function{},
	}
	for _, f := range families {
		for _, info := range f.Events {
			c.addEvent(info)
		}
		for _, o := range f.Objects {
			c.objects[o.Name] = o
		}
		for _, fn := range f.Functions {
			c.functions[fn.Name] = fn
		}
	}
	return c
}

func (c *Catalogue) addEvent(info *event.Info) {
	c.names[info.Name] = hook{info, info.Default()}
	for _, alias := range info.Aliases {
		c.names[info.Name+"."+alias] = hook{info, info.Default()}
	}
	for i := range info.Points {
		p := &info.Points[i]
		c.names[p.Name] = hook{info, p}
		for int(p.ID) >= len(c.points) {
			c.points = append(c.points, hook{})
		}
		c.points[p.ID] = hook{info, p}
	}
}

// Families returns the families in the order they were given.
func (c *Catalogue) Families() []*event.Family { return c.families }

// Family returns the family of that name, or nil.
func (c *Catalogue) Family(name string) *event.Family {
	for _, f := range c.families {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// Object returns the object of that name ("flow.conn"), or nil.
func (c *Catalogue) Object(name string) *event.Object { return c.objects[name] }

// Function returns the function of that name ("log.info"), or nil.
func (c *Catalogue) Function(name string) *event.Function { return c.functions[name] }

// Point returns the hook point with that number and its event; nil, nil if
// there is none. It allocates nothing.
func (c *Catalogue) Point(id event.PointID) (*event.Info, *event.PointInfo) {
	if int(id) >= len(c.points) {
		return nil, nil
	}
	h := c.points[id]
	return h.info, h.point
}

// Points calls yield for every hook point, by number, until it returns false.
func (c *Catalogue) Points(yield func(*event.Info, *event.PointInfo) bool) {
	for _, h := range c.points {
		if h.point != nil && !yield(h.info, h.point) {
			return
		}
	}
}

// UnknownError says that nothing has a name.
type UnknownError struct {
	What string // "hook point"
	Name string // as it was asked for
	// Candidates are the names that there are, for a hint.
	Candidates []string
}

// Error returns "unknown hook point flow.rexmitt".
func (e *UnknownError) Error() string { return "unknown " + e.What + " " + e.Name }

// Find returns the hook point of that name and its event: "flow.rexmit.rcv", the
// event's own name for its default phase, or an alias ("flow.conn_end.snd"). The
// error is an [*UnknownError] whose candidates are as near as the name allows:
// phases of the event, else events of the family, else families.
func (c *Catalogue) Find(name string) (*event.Info, *event.PointInfo, error) {
	if h, ok := c.names[name]; ok {
		return h.info, h.point, nil
	}
	parts := strings.SplitN(name, ".", 3)
	family := c.Family(parts[0])
	if family == nil {
		return nil, nil, &UnknownError{What: "family", Name: parts[0], Candidates: c.familyNames()}
	}
	if len(parts) == 3 {
		if h, ok := c.names[parts[0]+"."+parts[1]]; ok {
			return nil, nil, &UnknownError{What: "phase", Name: name, Candidates: phases(h.info)}
		}
	}
	return nil, nil, &UnknownError{What: "hook point", Name: name, Candidates: eventNames(family)}
}

func (c *Catalogue) familyNames() []string {
	var list []string
	for _, f := range c.families {
		list = append(list, f.Name)
	}
	return list
}

func eventNames(f *event.Family) []string {
	var list []string
	for _, info := range f.Events {
		list = append(list, info.Name)
	}
	return list
}

// phases returns the names of an event's points and aliases.
func phases(info *event.Info) []string {
	var list []string
	for i := range info.Points {
		list = append(list, info.Points[i].Name)
	}
	for _, alias := range info.Aliases {
		list = append(list, info.Name+"."+alias)
	}
	return list
}

// Match returns the hook points that a pattern over family.event.phase selects,
// by number; none is no error. Each part may hold *, ? and [a-z]. A pattern
// without a phase means default phases: "flow.*", "*.conn_*". If that selects
// nothing, its last part is a phase: "*.rcv". A single part is a family, "*" is
// all, or else an event of any family: "rexmit". Aliases are found by their
// exact name.
func (c *Catalogue) Match(pattern string) ([]*event.PointInfo, error) {
	parts := strings.Split(pattern, ".")
	for _, part := range parts {
		if _, err := path.Match(part, ""); err != nil || part == "" {
			return nil, fmt.Errorf("catalogue: match %q: a pattern over family.event.phase expected", pattern)
		}
	}
	if h, ok := c.names[pattern]; ok {
		return []*event.PointInfo{h.point}, nil
	}
	switch len(parts) {
	case 1:
		if list := c.selectPoints(parts[0], "*", ""); list != nil {
			return list, nil
		}
		return c.selectPoints("*", parts[0], ""), nil
	case 2:
		if list := c.selectPoints(parts[0], parts[1], ""); list != nil {
			return list, nil
		}
		return c.selectPoints(parts[0], "*", parts[1]), nil
	case 3:
		return c.selectPoints(parts[0], parts[1], parts[2]), nil
	default:
		return nil, fmt.Errorf("catalogue: match %q: at most family.event.phase expected", pattern)
	}
}

// selectPoints returns the points whose names match; an empty phase selects the
// default ones.
func (c *Catalogue) selectPoints(family, name, phase string) []*event.PointInfo {
	var list []*event.PointInfo
	c.Points(func(info *event.Info, p *event.PointInfo) bool {
		_, short, _ := strings.Cut(info.Name, ".")
		if !glob(family, info.Family) || !glob(name, short) {
			return true
		}
		if phase == "" && p == info.Default() || phase != "" && glob(phase, p.Phase) {
			list = append(list, p)
		}
		return true
	})
	return slices.Clip(list)
}

// glob reports whether name matches a pattern that is known to be well formed.
func glob(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
