package location

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// Policy is what a registrar wants of one REGISTER.
type Policy struct {
	AOR      string        // whose contacts these are; that of To where empty
	Min, Max time.Duration // what a contact may ask for: less is refused with 423, more is cut
	Default  time.Duration // for those that ask for nothing
	NextHop  string        // where the client is behind a NAT: URI that requests are sent to
	Socket   string        // address of ours that the request came to
	OnlyTry  bool          // say what would be answered, and change nothing
	Contacts int           // contacts of one address of record; 0: the table's limit
}

// Field is a header field of an answer.
type Field struct{ Name, Value string }

// Answer is what a REGISTER is answered with.
type Answer struct {
	Code   int
	Reason string // empty: the code's
	Fields []Field
}

// AOR returns the address of record that a URI stands for (RFC 3261, 10.3, step 5): its
// user without escapes and its host in lower case. Scheme, port and parameters do not
// count. An error if it is no SIP or TEL URI.
func AOR(uri []byte) (string, error) {
	u, err := msg.ParseURI(uri)
	if err != nil {
		return "", err
	}
	user := string(msg.Unescape(nil, u.User))
	switch {
	case u.Scheme == msg.OtherScheme:
		return "", msg.ErrURI
	case u.Scheme == msg.Tel || len(u.User) == 0 && len(u.Host) != 0:
		return user + strings.ToLower(string(u.Host)), nil
	default:
		return user + "@" + strings.ToLower(string(u.Host)), nil
	}
}

// Register does what a REGISTER says (RFC 3261, 10.3), all or nothing, and returns the
// answer.
func (t *Table) Register(m *msg.Message, p *Policy, now int64) Answer {
	if p.OnlyTry {
		return t.register(m, p, now)
	}
	t.Expire(now)
	a := t.register(m, p, now)
	if a.Code < 300 {
		t.stats.Registers++
	} else {
		t.stats.Refused++
	}
	return a
}

func (t *Table) register(m *msg.Message, p *Policy, now int64) Answer {
	r := registration{table: t, m: m, policy: p, now: now, aor: p.AOR}
	if err := r.read(); err != nil {
		return refusal(err)
	}
	if err := r.permitted(); err != nil {
		return refusal(err)
	}
	if !p.OnlyTry {
		r.apply()
	}
	return r.answer()
}

// refused is why a registration is.
type refused struct{ Answer }

// Error implements [error].
func (r *refused) Error() string { return fmt.Sprintf("%d %s", r.Code, r.Reason) }

func refuse(code int, reason string, fields ...Field) error {
	return &refused{Answer{code, reason, fields}}
}

func refusal(err error) Answer {
	var r *refused
	if errors.As(err, &r) {
		return r.Answer
	}
	return Answer{Code: 400, Reason: "Bad Request"}
}

// registration is a REGISTER that is looked at.
type registration struct {
	table  *Table
	m      *msg.Message
	policy *Policy
	now    int64

	aor      string
	cseq     uint32
	path     []string
	flows    bool       // the client and the way to it know of RFC 5626
	gruu     bool       // the client knows of RFC 5627
	scheme   string     // of the address of record
	named    []*Contact // all that it names
	wanted   []*Contact // of those that are to be bound
	gone     []*Contact // that are taken away
	met      []*Contact // those there are that it names
	replaced map[*Contact]*Contact
}

// read takes the request apart.
func (r *registration) read() error {
	to, err := r.m.Address(msg.To)
	if err == nil && r.aor == "" {
		r.aor, err = AOR(to.URI)
	}
	if err != nil {
		return refuse(404, "Not Found")
	}
	r.scheme, r.gruu = "sip", r.supports("gruu")
	if u, err := msg.ParseURI(to.URI); err == nil && u.Scheme == msg.SIPS {
		r.scheme = "sips"
	}
	seq, err := r.m.CSeq()
	if err != nil {
		return refuse(400, "Bad CSeq")
	}
	r.cseq = seq.Number
	if err := r.readPath(); err != nil {
		return err
	}
	standard := r.policy.Default
	if v, ok := r.m.Get(msg.Expires); ok {
		if standard, err = seconds(v); err != nil {
			return refuse(400, "Bad Expires")
		}
	}
	return r.contacts(standard)
}

// seconds reads a number of seconds; too many are as many as there can be.
func seconds(v []byte) (time.Duration, error) {
	n, err := strconv.ParseUint(string(v), 10, 64)
	if errors.Is(err, strconv.ErrRange) || n > 1<<32-1 {
		n, err = 1<<32-1, nil
	}
	return time.Duration(n) * time.Second, err
}

// readPath reads the proxies between here and the client (RFC 3327, 5.3).
func (r *registration) readPath() error {
	ob, size := false, 0
	for v := r.m.Values(msg.Path); v.Next(); {
		a, err := msg.ParseAddress(v.Value())
		if err != nil || a.Bare {
			return refuse(400, "Bad Path")
		}
		u, err := msg.ParseURI(a.URI)
		if err != nil {
			return refuse(400, "Bad Path")
		}
		_, marked := u.Param("ob")
		ob = ob || marked
		text := string(msg.Unfold(nil, v.Value()))
		if size += len(text); size > r.table.lim.Paths {
			return refuse(403, "Path Too Long")
		}
		r.path = append(r.path, text)
	}
	if !r.supports("outbound") {
		return nil
	}
	direct := true
	via := r.m.Values(msg.ViaName)
	for n := 0; via.Next(); n++ {
		direct = n == 0
	}
	r.flows = direct || ob
	return nil
}

// supports reports whether the client says that it knows an extension.
func (r *registration) supports(word string) bool {
	for v := r.m.Values(msg.Supported); v.Next(); {
		if msg.EqualFold(v.Value(), []byte(word)) {
			return true
		}
	}
	return false
}

// mostNamed bounds how many contacts one request may name: each is compared with all.
const mostNamed = 64

// contacts reads what is to be bound, and what not any more.
func (r *registration) contacts(standard time.Duration) error {
	star, n := false, 0
	for v := r.m.Values(msg.Contact); v.Next(); n++ {
		a, err := msg.ParseAddress(v.Value())
		if err != nil {
			return refuse(400, "Bad Contact")
		}
		if a.Star {
			star = true
			continue
		}
		if n >= mostNamed {
			return refuse(403, "Too Many Contacts")
		}
		if err := r.contact(&a, standard); err != nil {
			return err
		}
	}
	if !star {
		return nil
	}
	if _, said := r.m.Get(msg.Expires); n != 1 || !said || standard != 0 {
		return refuse(400, "Bad Contact")
	}
	r.gone = append(r.gone, r.table.aors[r.aor]...)
	return nil
}

// contact reads one binding.
func (r *registration) contact(a *msg.Address, life time.Duration) error {
	u, err := msg.ParseURI(a.URI)
	if err != nil || u.Scheme == msg.OtherScheme {
		return refuse(400, "Bad Contact")
	}
	if _, is := u.Param("gr"); is {
		// What leads to the instance by way of here would lead here again.
		if aor, err := AOR(a.URI); err == nil && aor == r.aor || r.table.temporary(&u) != nil {
			return refuse(403, "Contact Is A GRUU")
		}
	}
	if v, ok := a.Params.Get("expires"); ok {
		// What cannot be read means the default (RFC 3261, 20.10).
		if said, err := seconds(v); err == nil {
			life = said
		} else {
			life = r.policy.Default
		}
	}
	if life > 0 && life < r.policy.Min {
		return refuse(423, "Interval Too Brief", Field{"Min-Expires", strconv.Itoa(int(r.policy.Min / time.Second))})
	}
	c := &Contact{
		AOR: r.aor, URI: string(a.URI), Q: quality(a), CallID: string(r.m.CallID()), CSeq: r.cseq,
		Since: r.now, Expires: r.now + int64(min(life, r.policy.Max)), Path: r.path, NextHop: r.policy.NextHop, Socket: r.policy.Socket,
	}
	if len(r.path) != 0 {
		c.NextHop, c.Socket = "", "" // it came from a proxy, and the way goes back by that
	}
	if agent, ok := r.m.Get(msg.UserAgent); ok {
		c.Agent = string(msg.Unfold(nil, agent))
	}
	if err := r.flow(c, a); err != nil {
		return err
	}
	c.Temporary = r.gruu && c.Instance != ""
	for _, other := range r.named {
		if same(other, c) {
			return refuse(400, "Contact Twice")
		}
	}
	r.named = append(r.named, c)
	// Two URIs that differ from each other may both equal a third (RFC 3261, 19.1.4).
	old := r.table.find(c)
	if old != nil {
		if slices.Contains(r.met, old) {
			return refuse(400, "Contact Twice")
		}
		r.met = append(r.met, old)
	}
	if life == 0 {
		if old != nil {
			r.gone = append(r.gone, old)
		}
		return nil
	}
	r.wanted = append(r.wanted, c)
	return nil
}

// flow reads which instance a contact is of, and by which flow (RFC 5626, 6).
func (r *registration) flow(c *Contact, a *msg.Address) error {
	if v, ok := a.Params.Get("+sip.instance"); ok {
		if c.Instance = string(v); len(v) == 0 || v[0] != '"' || strings.ContainsAny(c.Instance, "\r\n") {
			return refuse(400, "Bad Instance")
		}
	}
	v, ok := a.Params.Get("reg-id")
	if !ok || c.Instance == "" || !r.supports("outbound") {
		return nil
	}
	n, err := strconv.ParseUint(string(v), 10, 31)
	if err != nil || n == 0 {
		return refuse(400, "Bad Reg-Id")
	}
	if !r.flows {
		return refuse(439, "First Hop Lacks Outbound Support")
	}
	c.RegID = uint32(n)
	return nil
}

// quality reads q in thousandths; 1000 where there is none, or none that can be read.
func quality(a *msg.Address) int {
	v, ok := a.Params.Get("q")
	q, err := strconv.ParseFloat(string(v), 64)
	if !ok || err != nil || !(q >= 0 && q <= 1) {
		return 1000
	}
	return int(q*1000 + 0.5)
}

// same reports whether two contacts are one binding: of one flow of an instance (RFC
// 5626, 6), else of equal URIs.
func same(a, b *Contact) bool {
	if a.RegID != 0 || b.RegID != 0 {
		return a.RegID == b.RegID && a.Instance == b.Instance
	}
	return a.URI == b.URI || msg.EqualURI([]byte(a.URI), []byte(b.URI))
}

// permitted reports whether all of it can be done: in the order in which the client sent
// its requests, and within the limits.
func (r *registration) permitted() error {
	r.replaced = map[*Contact]*Contact{}
	fresh := 0
	for _, c := range r.wanted {
		if old := r.table.find(c); old != nil {
			r.replaced[c] = old
		} else {
			fresh++
		}
	}
	for _, old := range r.replaced {
		if r.late(old) {
			return refuse(500, "CSeq Out Of Order")
		}
	}
	for _, old := range r.gone {
		if r.late(old) {
			return refuse(500, "CSeq Out Of Order")
		}
	}
	if fresh == 0 {
		return nil
	}
	more := fresh - len(r.gone)
	if n := r.policy.Contacts; n > 0 && len(r.table.Contacts(r.aor, r.now))+more > n {
		r.table.stats.TooMany++
		return refuse(403, "Too Many Contacts")
	}
	if !r.table.room(r.aor, more, r.now) {
		if len(r.table.ends) >= r.table.lim.Total {
			return refuse(503, "Service Unavailable", Field{"Retry-After", "60"})
		}
		return refuse(403, "Too Many Contacts")
	}
	return nil
}

// late reports whether a contact was made by a later request of the same client.
func (r *registration) late(old *Contact) bool {
	return old.CallID == string(r.m.CallID()) && old.CSeq >= r.cseq
}

func (r *registration) apply() {
	for _, c := range r.gone {
		r.table.remove(c, Removed)
	}
	for _, c := range r.wanted {
		if old := r.replaced[c]; old != nil {
			r.table.update(old, c)
		} else {
			r.table.add(c)
		}
	}
}

// answer says what is bound now.
func (r *registration) answer() Answer {
	a := Answer{Code: 200}
	list := r.table.Contacts(r.aor, r.now)
	if r.policy.OnlyTry {
		list = r.wanted
	}
	flows := false
	for _, c := range list {
		value := c.field(r.now)
		if r.gruu {
			value += r.table.gruus(c, r.scheme)
		}
		a.Fields = append(a.Fields, Field{"Contact", value})
	}
	for _, c := range r.wanted {
		flows = flows || c.RegID != 0
	}
	for _, p := range r.path {
		a.Fields = append(a.Fields, Field{"Path", p})
	}
	if flows {
		a.Fields = append(a.Fields, Field{"Require", "outbound"})
	}
	return a
}

// field writes a contact as the value of Contact.
func (c *Contact) field(now int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<%s>;expires=%d", c.URI, (c.Expires-now+int64(time.Second)-1)/int64(time.Second))
	if c.Q != 1000 {
		fmt.Fprintf(&b, ";q=%g", float64(c.Q)/1000)
	}
	if c.Instance != "" {
		fmt.Fprintf(&b, ";+sip.instance=%s", c.Instance)
	}
	if c.RegID != 0 {
		fmt.Fprintf(&b, ";reg-id=%d", c.RegID)
	}
	return b.String()
}
