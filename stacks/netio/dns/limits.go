package dns

import (
	"github.com/hookd/hookd/engine/event/setting"
)

// DocLimits lists the limits of a resolver with their defaults.
func DocLimits() []setting.Limit {
	c := Config{}.withDefaults()
	number := setting.NumberLimit
	return []setting.Limit{
		number("dns_cache", c.CacheSize, "answers of name servers that are remembered; one more forgets the one not asked for longest"),
		{Name: "dns_max_ttl", Default: c.MaxTTL.String(), Doc: "for how long one is remembered at most"},
		{Name: "dns_negative_ttl", Default: c.NegativeTTL.String(), Doc: "for how long that a name does not exist"},
		{Name: "dns_failure_ttl", Default: c.FailureTTL.String(), Doc: "for how long that no server answers"},
		number("dns_questions", c.Questions, "questions of a loop that are with name servers at once"),
		number("dns_waiting", c.Waiting, "questions that wait for their turn; more fail"),
	}
}
