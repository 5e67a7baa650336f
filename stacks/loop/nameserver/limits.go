package nameserver

import (
	"strconv"

	"github.com/hookd/hookd/engine/event/setting"
)

// DocLimits lists the limits of a client's session.
func DocLimits() []setting.Limit {
	return []setting.Limit{
		{Name: "dns_passed", Default: strconv.Itoa(maxPassed), Doc: "questions of a client that are passed on at once; more wait, or over UDP are dropped"},
		{Name: "dns_records", Default: strconv.Itoa(maxRecords), Doc: "records that a rule answers with"},
		{Name: "dns_idle", Default: idle.String(), Doc: "a client over TCP asks nothing"},
	}
}
